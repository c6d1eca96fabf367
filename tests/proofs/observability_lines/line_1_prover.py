"""Line 1: every panel has data, every alert fires, arrives and resolves, and a renamed metric is named."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from observability import declared
from observability.topics import ALERTS
from tests.monitoring import Prometheus, Sink
from tests.proofs.harness import Context
from tests.proofs.observability_lines import panels
from tests.proofs.observability_lines.burns import BURNING, FOR_FACTOR, Burning, burning, forget
from tests.proofs.observability_lines.faults import FAULTS, Fault, unsure
from tests.proofs.observability_lines.watched import FACTOR, ODD, Watched, watched
from tests.proofs.results import Figure, for_the_record, is_true, none_of
from tests.proofs.stack import clean_environment

QUIET_SECONDS = 120.0
BURN_SECONDS = 180.0
ALWAYS = {"Watchdog"}
REMEMBER = {alert for fault in BURNING for alert in fault.alerts}
"""Budgets stay spent for longer than this proof waits; they have faults of their own."""
RENAMED = ("weedwatch_prediction_seconds", "weedwatch_prediction_time_seconds")


@dataclass
class Seen:
    """What became of one alert: seconds from the fault to firing and to the message; from its end to the all-clear."""

    alert: str
    fault: str
    fired: float | None = None
    told: float | None = None
    resolved: float | None = None
    cleared: float | None = None

    @property
    def is_whole(self) -> bool:
        ended = self.alert in ALWAYS or None not in (self.resolved, self.cleared)
        return None not in (self.fired, self.told) and ended


def run(context: Context) -> list[Figure]:
    chosen = {name for name in os.environ.get("CASE", "").split(",") if name}
    faults = [each for each in FAULTS if not chosen or chosen & {*each.alerts, each.name}]
    burns = [each for each in BURNING if not chosen or chosen & {*each.alerts}]
    figures: list[Figure] = []
    if not chosen or "renamed" in chosen:
        figures += renamed(context)
    seen = [each for fault in burns for each in burn(context, fault)]
    if faults or "panels" in chosen:
        with watched(context.root, context.folder) as watch:
            if not chosen or "panels" in chosen:
                figures += _panels(context, watch)
            figures += [_quiet(context, watch)]
            seen += _provoke_all(context, watch, faults)
    return [*figures, *_judged(context, seen, complete=not chosen)]


def _panels(context: Context, watch: Watched) -> list[Figure]:
    queries = panels.all_queries()
    prom = [each for each in queries if each.source == "prometheus"]
    sql = [each for each in queries if each.source == "grafana-postgresql-datasource"]
    _backed_up(context, watch)
    with everything_used(watch):
        deadline = time.monotonic() + QUIET_SECONDS
        while (empty := panels.without_data(watch.prometheus, prom)) and time.monotonic() < deadline:
            time.sleep(2)
        rows = panels.without_rows(watch.reader_url, sql)
    return [
        none_of("PromQL queries of panels without data", empty, len(prom), context.say),
        none_of("SQL queries of panels without rows", rows, len(sql), context.say),
    ]


@contextmanager
def everything_used(watch: Watched) -> Iterator[None]:
    """A shadow, evidence, places, a photo that is hard to name: what some panels show and calm people do not do."""
    place = watch.place
    for number, picture in enumerate((unsure(watch), *watch.pictures)):
        given = {"latitude": str(47 + number / 10), "longitude": "8.5", "consent": "true"}
        answer = place.http.post("/predict", content=picture, headers={"Content-Type": "image/jpeg"}, params=given)
        assert answer.status_code == 200, answer.text
    watch.change({"stable": ODD, "shadow": "1", "shadow_percent": 100})
    asked = place.http.post("/models/plants/versions/1/evaluate", headers=place.admin)
    assert asked.status_code == 202, asked.text
    ended = place.ended(asked.headers["location"])
    assert ended["state"] == "done", ended
    try:
        yield
    finally:
        watch.change({"stable": ODD})


def _backed_up(context: Context, watch: Watched) -> None:
    own = {
        "DATABASE_URL": watch.postgres.url,
        "WEEDWATCH_STATE_DIR": str(watch.stack.state),
        "WEEDWATCH_MODEL_STORE": str(watch.place.store),
        "WEEDWATCH_BACKUP_URL": str(context.folder / "backups"),
    }
    command = [sys.executable, "-m", "backup", "make"]
    environment = {**clean_environment(), **own}
    subprocess.run(command, cwd=context.root, env=environment, check=True, capture_output=True, timeout=300)


def _quiet(context: Context, watch: Watched) -> Figure:
    return none_of("alerts that fire while all is well", sorted(_calm(watch)), len(ALERTS), context.say)


def _provoke_all(context: Context, watch: Watched, faults: list[Fault]) -> list[Seen]:
    seen: list[Seen] = []
    for fault in faults:
        seen += provoke(context, watch, fault)
        if still := _calm(watch):
            context.say(f"! after “{fault.name}” there still fires: {', '.join(sorted(still))}")
    return seen


def _judged(context: Context, seen: list[Seen], *, complete: bool) -> list[Figure]:
    bad = [f"{each.alert} ({each.fault}): {_row(each)}" for each in seen if not each.is_whole]
    figures = [
        none_of("alerts that did not fire, arrive and resolve", bad, len(seen), context.say),
        for_the_record("windows and waits divided by", f"{FACTOR}; of the error budgets {FOR_FACTOR}, windows not"),
        *(for_the_record(f"{each.alert}: {each.fault}", _row(each)) for each in seen),
    ]
    if complete:
        left = sorted({alert.name for alert in ALERTS} - {each.alert for each in seen})
        figures.append(none_of("alerts that nothing provokes", left, len(ALERTS), context.say))
    return figures


def _calm(watch: Watched) -> set[str]:
    """What fires though nothing is wrong; it gets some time to settle."""
    deadline = time.monotonic() + QUIET_SECONDS
    while (firing := watch.prometheus.firing() - ALWAYS - REMEMBER) and time.monotonic() < deadline:
        time.sleep(0.5)
    return firing


def provoke(context: Context, watch: Watched, fault: Fault) -> list[Seen]:
    """Make the fault, see its alerts fire and arrive; end it, see them resolve and the all-clear arrive."""
    name = fault.name + (" (recorded)" if fault.recorded else "")
    watching = Watching(watch.prometheus, watch.sink, fault.seconds, {each: Seen(each, name) for each in fault.alerts})
    always = set(fault.alerts) <= ALWAYS
    try:
        watching.begin(since=0 if always else time.time())
        with fault.make(watch):
            watching.see_fire()
            watching.begin(since=time.time())
        if not always:
            watching.see_resolve()
    except Exception as error:  # the others shall be seen all the same
        context.say(f"! {fault.name}: {type(error).__name__}: {str(error)[:300]}")
    return watching.all(context)


def burn(context: Context, fault: Burning) -> list[Seen]:
    """The same for error budgets, on days of history."""
    name = f"{100 * fault.failing:g} % fail since three days (recorded)"
    folder = context.folder / f"burning-{100 * fault.failing:g}"
    folder.mkdir()
    with burning(folder, fault) as (prometheus, sink):
        watching = Watching(prometheus, sink, BURN_SECONDS, {each: Seen(each, name) for each in fault.alerts})
        watching.begin(since=0)
        watching.see_fire()
        forget(prometheus)
        watching.begin(since=time.time())
        watching.see_resolve()
    return watching.all(context)


@dataclass
class Watching:
    """Looks at Prometheus and at who is told, until all is seen or the time is over."""

    prometheus: Prometheus
    sink: Sink
    seconds: float
    seen: dict[str, Seen]
    since: float = 0.0
    began: float = 0.0

    def begin(self, since: float) -> None:
        self.since, self.began = since, time.monotonic()

    def see_fire(self) -> None:
        while self._looks(lambda each: None in (each.fired, each.told)):
            firing = self.prometheus.firing()
            for name, each in self.seen.items():
                if each.fired is None and name in firing:
                    each.fired = self._now()
                if each.told is None and self.sink.told(name, "firing", self.since):
                    each.told = self._now()

    def see_resolve(self) -> None:
        while self._looks(lambda each: None in (each.resolved, each.cleared)):
            firing = self.prometheus.firing()
            for name, each in self.seen.items():
                if each.resolved is None and name not in firing:
                    each.resolved = self._now()
                if each.cleared is None and self.sink.told(name, "resolved", self.since):
                    each.cleared = self._now()

    def all(self, context: Context) -> list[Seen]:
        for each in self.seen.values():
            context.say(f"{each.alert}: {_row(each)}")
        return list(self.seen.values())

    def _now(self) -> float:
        return time.monotonic() - self.began

    def _looks(self, missing: Callable[[Seen], bool]) -> bool:
        time.sleep(0.1)
        return self._now() < self.seconds and any(map(missing, self.seen.values()))


def _row(seen: Seen) -> str:
    def said(seconds: float | None) -> str:
        return "never" if seconds is None else f"{seconds:.0f} s"

    fires = f"fires after {said(seen.fired)}, arrives after {said(seen.told)}"
    if seen.alert in ALWAYS:
        return fires
    return f"{fires}; resolves after {said(seen.resolved)}, all-clear after {said(seen.cleared)}"


def renamed(context: Context) -> list[Figure]:
    """A metric gets another name in a copy of the code: the check there names who used it."""
    copy = context.folder / "renamed"
    for part in ("observability", "control_plane", "handlers"):
        shutil.copytree(context.root / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    before, after = RENAMED
    path = copy / "control_plane" / "metrics.py"
    assert f'"{before}"' in path.read_text()
    path.write_text(path.read_text().replace(f'"{before}"', f'"{after}"'))
    said = _check(copy)
    users = set(_users(before))
    missed = [who for who in users if who not in said.stdout]
    return [
        is_true("a renamed metric fails the check", said.returncode == 1, f"exit code {said.returncode}"),
        none_of("panels and rules that use it and are not named", missed, len(users), context.say),
        is_true("without the new name the check holds", _check(context.root).returncode == 0),
    ]


def _users(name: str) -> list[str]:
    samples = {f"{name}{ending}" for ending in ("_bucket", "_sum", "_count")}
    return [who for who, expr in declared.expressions() if samples & {each for each, _ in declared.used(expr)}]


def _check(root: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "observability", "check"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
