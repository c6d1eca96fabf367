"""Line 1: every panel has data, every alert fires, arrives and resolves, and a renamed metric is named."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from observability.topics import ALERTS
from tests.proofs.harness import Context
from tests.proofs.observability_lines import panels
from tests.proofs.observability_lines.faults import FAULTS, Fault
from tests.proofs.observability_lines.watched import FACTOR, Watched, watched
from tests.proofs.results import Figure, for_the_record, is_true, none_of

QUIET_SECONDS = 120.0
ALWAYS = {"Watchdog"}
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


def run(context: Context) -> list[Figure]:
    chosen = {name for name in os.environ.get("CASE", "").split(",") if name}
    faults = [each for each in FAULTS if not chosen or chosen & {*each.alerts, each.name}]
    figures: list[Figure] = []
    if not chosen or "renamed" in chosen:
        figures += renamed(context)
    if faults or "panels" in chosen or not chosen:
        with watched(context.root, context.folder) as watch:
            if not chosen or "panels" in chosen:
                figures += _panels(context, watch)
            figures += _alerts(context, watch, faults, complete=not chosen)
    return figures


def _panels(context: Context, watch: Watched) -> list[Figure]:
    queries = panels.all_queries()
    prom = [each for each in queries if each.source == "prometheus"]
    sql = [each for each in queries if each.source == "grafana-postgresql-datasource"]
    deadline = time.monotonic() + QUIET_SECONDS
    while (empty := panels.without_data(watch.prometheus, prom)) and time.monotonic() < deadline:
        time.sleep(2)
    return [
        none_of("PromQL queries of panels without data", empty, len(prom), context.say),
        none_of(
            "SQL queries of panels without rows", panels.without_rows(watch.postgres.url, sql), len(sql), context.say
        ),
    ]


def _alerts(context: Context, watch: Watched, faults: list[Fault], *, complete: bool) -> list[Figure]:
    calm = _calm(watch)
    seen: list[Seen] = []
    for fault in faults:
        seen += provoke(context, watch, fault)
        if still := _calm(watch):
            context.say(f"! after {fault.name} there still fires: {', '.join(sorted(still))}")
    bad = [f"{each.alert} ({each.fault}): {each}" for each in seen if None in (each.fired, each.told)]
    bad += [f"{each.alert}: never resolved" for each in seen if each.alert not in ALWAYS and each.cleared is None]
    figures = [
        none_of("alerts that fire while all is well", sorted(calm), len(ALERTS), context.say),
        none_of("alerts that did not fire, arrive and resolve", bad, len(seen), context.say),
        for_the_record("windows and waits divided by", f"{FACTOR}"),
        *(for_the_record(f"{each.alert}: {each.fault}", _row(each)) for each in seen),
    ]
    if complete:
        left = sorted({alert.name for alert in ALERTS} - {each.alert for each in seen})
        figures.append(none_of("alerts that nothing provokes", left, len(ALERTS), context.say))
    return figures


def _calm(watch: Watched) -> set[str]:
    """What fires though nothing is wrong; it gets some time to settle."""
    deadline = time.monotonic() + QUIET_SECONDS
    while (firing := watch.prometheus.firing() - ALWAYS) and time.monotonic() < deadline:
        time.sleep(0.5)
    return firing


def provoke(context: Context, watch: Watched, fault: Fault) -> list[Seen]:
    """Make the fault, see its alerts fire and arrive; end it, see them resolve and the all-clear arrive."""
    seen = {name: Seen(name, fault.name + (" (recorded)" if fault.recorded else "")) for name in fault.alerts}
    since, began = time.time(), time.monotonic()
    if fault.alerts == ("Watchdog",):
        since = 0
    try:
        with fault.make(watch):
            deadline = time.monotonic() + fault.seconds
            while time.monotonic() < deadline and any(None in (each.fired, each.told) for each in seen.values()):
                firing = watch.prometheus.firing()
                for name, each in seen.items():
                    if each.fired is None and name in firing:
                        each.fired = time.monotonic() - began
                    if each.told is None and watch.sink.told(name, "firing", since):
                        each.told = time.monotonic() - began
                time.sleep(0.1)
            since, began = time.time(), time.monotonic()
        if fault.alerts != ("Watchdog",):
            _see_resolved(watch, seen, since, began, fault.seconds)
    except Exception as error:  # the others shall be seen all the same
        context.say(f"! {fault.name}: {type(error).__name__}: {str(error)[:300]}")
    for each in seen.values():
        context.say(f"{each.alert}: {_row(each)}")
    return list(seen.values())


def _see_resolved(watch: Watched, seen: dict[str, Seen], since: float, began: float, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(each.cleared is None for each in seen.values()):
        firing = watch.prometheus.firing()
        for name, each in seen.items():
            if each.resolved is None and name not in firing:
                each.resolved = time.monotonic() - began
            if each.cleared is None and watch.sink.told(name, "resolved", since):
                each.cleared = time.monotonic() - began
        time.sleep(0.1)


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
    from observability import declared  # noqa: PLC0415

    samples = {f"{name}{ending}" for ending in ("_bucket", "_sum", "_count")}
    return [who for who, expr in declared.expressions() if samples & {each for each, _ in declared.used(expr)}]


def _check(root: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "observability", "check"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
