"""F21, F24: files, connections or the processor are gone; answers stay bounded and all comes back by itself."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from tests.checker.client import ask, own_picture
from tests.load import asking
from tests.proofs.core_lines.arena import Arena, enough, within
from tests.proofs.processes import belonging_to
from tests.proofs.results import Figure, at_least, at_most, for_the_record
from tests.proofs.wire import get
from tests.waiting import wait_until

OPEN_FILES = 128
IDLE_SOCKETS = 500
STARVED_SECONDS = 15.0
SPINNERS = 4
BACK_SECONDS = 10.0
HEALTH_SECONDS = 1.0


def open_files(arena: Arena) -> list[Figure]:
    """F21: 128 open files are all it may have, and 500 idle clients want them."""
    one = arena.replica("files")
    try:
        one.start()
        one.wait_until_ready()
        psutil.Process(one.pid).rlimit(psutil.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
        with asking([one.port], arena.pictures, clients=4, per_second=20) as log:
            with ExitStack() as sockets:
                for _ in range(IDLE_SOCKETS):
                    with suppress(OSError):
                        sockets.enter_context(socket.create_connection(("127.0.0.1", one.port), timeout=2))
                time.sleep(STARVED_SECONDS)
            freed = time.monotonic()
            back = wait_until(lambda: ask(one.port, own_picture(arena.pictures[0])).status == 200, 30)
            time.sleep(2)
        admitted = [each for each in log.all() if each.status]
        after = [each for each in log.all() if each.ended_at - each.seconds > freed + BACK_SECONDS]
        return [
            for_the_record("F21 not admitted: connections closed or never taken", str(len(log.all()) - len(admitted))),
            *arena.judged("F21 admitted", admitted),
            within("F21 serves again after the idle clients have left", back, BACK_SECONDS),
            for_the_record("F21 later failures", str(sum(each.status != 200 for each in after))),
        ]
    finally:
        one.stop()


def processor(arena: Arena) -> list[Figure]:
    """F24: the whole service on one core that four others keep busy."""
    slowest = 0.0
    with _one_core(arena.stack.folder), asking([arena.stack.port], arena.pictures, clients=2, per_second=4) as log:
        end = time.monotonic() + STARVED_SECONDS
        while time.monotonic() < end:
            answer = get(arena.stack.port, "/health", timeout_seconds=15)
            slowest = max(slowest, answer.seconds if answer.status else 15.0)
            time.sleep(0.1)
    good = [each.seconds for each in log.ok()]
    return [
        enough("F24 acknowledged", log.all(), 5),
        *arena.judged("F24", log.all()),
        at_most("F24 slowest /health", slowest, HEALTH_SECONDS, "s"),
        for_the_record("F24 slowest good answer", f"{max(good, default=0):.1f} s"),
        at_least("F24 good answers a second afterwards", _afterwards(arena), 1),
    ]


def _afterwards(arena: Arena) -> float:
    with asking([arena.stack.port], arena.pictures, clients=2) as log:
        time.sleep(3)
    return len(log.ok()) / 3


@contextmanager
def _one_core(folder: Path) -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    core = {min(cores)}
    spin = [sys.executable, "-c", "while True: pass"]
    spinners = [subprocess.Popen(spin, stdin=subprocess.DEVNULL) for _ in range(SPINNERS)]
    try:
        for spinner in spinners:
            os.sched_setaffinity(spinner.pid, core)
        _bind(folder, core)
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
        _bind(folder, cores)


def _bind(folder: Path, cores: set[int]) -> None:
    """All threads of all processes of the service."""
    for process in belonging_to(folder):
        with suppress(psutil.Error, OSError):
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cores)
