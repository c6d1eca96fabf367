"""Line 2: what changes, dies or hangs while requests come through the edge."""

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from control_plane.tables.database import BREAKS
from tests.load import Log, asking
from tests.proofs import harness
from tests.proofs.core_lines import clock_moved
from tests.proofs.core_lines.arena import arena
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_least, at_most, for_the_record, is_true, none_of
from tests.proofs.samples import samples
from tests.proofs.stack_lines.ground import images, ready_engine
from tests.stack.docker import Docker
from tests.stack.project import SERVICES, Project, project, wait_for
from tests.waiting import eventually

READY_SECONDS = 240.0
QUIET_SECONDS, HELD_SECONDS = 12.0, 12.0
BACK_SECONDS = 120.0
HELD_UP = 1.10
"""Times the 95th percentile of a quiet stack."""
WATCHING = ("prometheus", "alertmanager")
TRIES = 3
CLIENTS, PER_SECOND = 4, 40.0
NEXT = ("9998_next.sql", b"CREATE TABLE next_version (id integer);\n")
BREAKING = ("9999_breaking.sql", BREAKS + b"\nCREATE TABLE breaking_version (id integer);\n")
Case = Callable[[], list[Figure]]


def run(context: Context) -> list[Figure]:
    figures: list[Figure] = []
    with ready_engine(context) as docker:
        tag = images(context, docker)
        with project(docker, context.root, context.folder, tag) as made:
            made.deploy("up", "--wait-seconds", str(int(READY_SECONDS)), *SERVICES)
            cases: dict[str, Case] = {
                "rolling": partial(_rolling, context, made),
                "killed": partial(_killed, context, made),
                "postgres": partial(_postgres, context, made),
                "F22": partial(_helpers, context, made),
                "F25": partial(_refuses, context, made),
            }
            figures += harness.run_cases(context, cases)
    return [*figures, *harness.run_cases(context, {"F23": partial(_clock, context)})]


def derived(docker: Docker, folder: Path, tag: str, name: str, migration: tuple[str, bytes]) -> str:
    """An image of the control plane with one more migration, as a next version would be; gives its tag."""
    place = folder / name
    place.mkdir()
    (place / migration[0]).write_bytes(migration[1])
    (place / "Dockerfile").write_text(
        f"FROM weedwatch/control-plane:{tag}\nCOPY --chmod=444 {migration[0]} /app/control_plane/tables/migrations/\n"
    )
    docker.run("build", "--tag", f"weedwatch/control-plane:{name}", str(place), seconds=300)
    return name


@contextmanager
def _loaded(context: Context, made: Project) -> Iterator[Log]:
    """Clients of the edge; not as many as it can take, for two cores want room for what a case breaks."""
    with (
        made.client() as http,
        asking(http, list(samples(context.root).values()), clients=CLIENTS, per_second=PER_SECOND) as log,
    ):
        yield log


def _lost(made: Project, log: Log) -> list[str]:
    """Those that were acknowledged and are not in the history."""
    ids = {each.request_id for each in log.ok()}
    quoted = ",".join(f"'{each}'" for each in sorted(ids))
    sql = f"SELECT request_id FROM predictions WHERE request_id IN ({quoted})"  # noqa: S608 - ids that we were told
    return sorted(ids - set(made.query(sql))) if ids else []


def _judged(context: Context, made: Project, name: str, load: Log) -> list[Figure]:
    return [
        at_least(f"{name}: requests", len(load.all()), 50),
        none_of(f"{name}: requests that failed", [str(each) for each in load.failed()], len(load.all()), context.say),
        none_of(f"{name}: acknowledged and not in the history", _lost(made, load), len(load.all()), context.say),
    ]


def _rolling(context: Context, made: Project) -> list[Figure]:
    """To a next version with a migration, and back."""
    new = derived(made.docker, context.folder, made.tag, "next", NEXT)
    figures = []
    for name, command in (("update", ("update", new)), ("rollback", ("rollback",))):
        with _loaded(context, made) as load:
            time.sleep(1)
            began = time.monotonic()
            made.deploy(*command)
            took = time.monotonic() - began
            time.sleep(1)
        wanted = {"update": new, "rollback": made.tag}[name]
        running = {made.container(each)["Config"]["Image"] for each in ("control-plane-1", "control-plane-2")}
        figures += [
            *_judged(context, made, name, load),
            is_true(f"{name}: both replicas run it", running == {f"weedwatch/control-plane:{wanted}"}, wanted),
            for_the_record(f"{name}: how long it took", f"{took:.0f} s"),
        ]
    applied = made.query("SELECT name FROM migrations ORDER BY name DESC LIMIT 1")
    return [*figures, is_true("the older version runs on the newer one's tables", applied == [NEXT[0]], str(applied))]


def _killed(context: Context, made: Project) -> list[Figure]:
    """A replica dies at once. What it had got is gone; nothing else may fail."""
    failed, asked, acknowledged_and_lost = [], 0, []
    tries = context.count(10, at_least=3)
    for _ in range(tries):
        before = made.container("control-plane-1")["RestartCount"]
        pid = made.process("control-plane-1")
        with _loaded(context, made) as load:
            time.sleep(2)
            killed = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            wait_for(10, partial(_is_gone, pid), every=0.001)
            died = time.monotonic()
            time.sleep(5)
        # The kernel takes connections for it until its sockets are closed, a moment after the signal.
        failed += [str(each) for each in load.failed() if not (each.began_at <= died and each.ended_at >= killed)]
        asked += len(load.all())
        acknowledged_and_lost += _lost(made, load)
        wait_for(BACK_SECONDS, partial(_is_healthy, made, "control-plane-1", before))
    return [
        none_of("replica killed: requests that failed, but those in flight on it", failed, asked, context.say),
        none_of("replica killed: acknowledged and not in the history", acknowledged_and_lost, asked, context.say),
    ]


def _is_gone(pid: int) -> bool:
    """Whether its sockets are closed: a first thread that has ended does not yet say so of the others."""
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def _is_healthy(made: Project, service: str, before: int = -1) -> bool:
    found = made.container(service)
    return bool(found["RestartCount"] > before and found["State"].get("Health", {}).get("Status") == "healthy")


def _postgres(context: Context, made: Project) -> list[Figure]:
    with _loaded(context, made) as load:
        time.sleep(1)
        made.compose("restart", "--timeout", "30", "postgres")
        wait_for(BACK_SECONDS, partial(_is_healthy, made, "postgres"))
        time.sleep(2)
    wait_for(BACK_SECONDS, lambda: not _lost(made, load))  # until the spool has brought home what it holds
    return _judged(context, made, "PostgreSQL restarted", load)


def _helpers(context: Context, made: Project) -> list[Figure]:
    """F22: who only looks on hangs, one after the other: the engine that takes the logs, and what watches."""
    figures: list[Figure] = []
    for name, hold, free in (
        ("F22 the reader of the logs", partial(_stop_reader, made), partial(_continue_reader, made)),
        ("F22 Prometheus and Alertmanager", partial(_pause, made), partial(_unpause, made)),
    ):
        figures += _held(context, made, name, hold, free)
    return figures


def _held(
    context: Context, made: Project, name: str, hold: Callable[[], None], free: Callable[[], None]
) -> list[Figure]:
    """Best of three: other load on the machine can spoil a percentile."""
    ratios, failed, asked, gone = [], [], 0, []
    for _ in range(TRIES):
        with _loaded(context, made) as quiet:
            time.sleep(QUIET_SECONDS)
        try:
            hold()
            with _loaded(context, made) as held:
                time.sleep(HELD_SECONDS)
        finally:
            free()
        ratios.append(_p95(held) / _p95(quiet))
        failed += [str(each) for each in (*quiet.failed(), *held.failed())]
        asked += len(quiet.all()) + len(held.all())
        gone += _lost(made, held)
        if ratios[-1] <= HELD_UP:
            break
    context.say(f"{name}: {', '.join(f'{each:.2f}' for each in ratios)} × p95 of the quiet stack")
    return [
        none_of(f"{name} hangs: requests that failed", failed, asked, context.say),
        none_of(f"{name} hangs: acknowledged and not in the history", gone, asked, context.say),
        at_most(f"{name} hangs: p95 ÷ quiet", min(ratios), HELD_UP),
    ]


def _p95(log: Log) -> float:
    """Seconds, of good answers."""
    return statistics.quantiles([each.seconds for each in log.ok()], n=20)[-1]


def _daemon(made: Project) -> psutil.Process:
    """The engine's process that takes what containers write."""
    path = made.docker.environment["DOCKER_HOST"].removeprefix("unix://")
    pid = int(Path(path).with_name("docker.pid").read_text())
    return psutil.Process(pid)


def _stop_reader(made: Project) -> None:
    made.trust, made.token  # noqa: B018 - asked for now: the engine answers nothing while it is stopped
    _daemon(made).suspend()


def _continue_reader(made: Project) -> None:
    _daemon(made).resume()


def _pause(made: Project) -> None:
    """One by one, and again: what is very busy cannot always be frozen."""
    docker = Docker(made.environment)
    for service in WATCHING:

        def paused(service: str = service) -> bool:
            done = docker.attempt("compose", "pause", service, seconds=60, folder=made.folder)
            return done.returncode == 0

        eventually(paused, what=f"{service} is frozen")


def _unpause(made: Project) -> None:
    made.compose("unpause", *WATCHING)


def _refuses(context: Context, made: Project) -> list[Figure]:
    """F25: to a version that breaks the one before, and then that one is started again. (Killed migrations: tests.)"""
    new = derived(made.docker, context.folder, made.tag, "breaking", BREAKING)
    with _loaded(context, made) as load:
        made.deploy("update", new)
    figures = _judged(context, made, "F25 update", load)
    old = Docker({**made.environment, "WEEDWATCH_TAG": made.tag})
    started = old.attempt(
        "compose", "run", "--rm", "--no-deps", "-T", "control-plane-1", seconds=120, folder=made.folder
    )
    said = [line for line in (started.stdout + started.stderr).splitlines() if "newer version" in line]
    context.say(f"the older version: {said[:1]}")
    return [
        *figures,
        is_true("F25: older code on tables that it cannot work with refuses", bool(said) and started.returncode != 0),
    ]


def _clock(context: Context) -> list[Figure]:
    with arena(context) as place:
        return clock_moved.run(place)
