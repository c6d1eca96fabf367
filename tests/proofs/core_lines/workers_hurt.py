"""F12, F13: TorchServe's workers and TorchServe itself are killed, frozen or starved of memory."""

import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import psutil

from tests.checker.record import Operation
from tests.faults.processes import frozen
from tests.load import Log, asking
from tests.proofs.core_lines.arena import Arena, enough, within
from tests.proofs.readiness import Outage, Sample, false_hopes, sampling
from tests.proofs.results import Figure, at_least, for_the_record, none_of
from tests.proofs.wire import get
from tests.waiting import wait_until

BACK_SECONDS = 20.0
PATIENCE_SECONDS = 120.0
FROZEN_SECONDS = 20.0
STEADY_SECONDS = 2.0


def workers(arena: Arena) -> list[Figure]:
    """F12: one of the workers at a time."""
    count = arena.context.count
    figures = _rounds(arena, "F12 worker killed", count(50, 3), _kill_worker, BACK_SECONDS, share_of_peak=0.4)
    figures += _rounds(arena, "F12 worker frozen", count(20, 1), _freeze_worker, BACK_SECONDS)
    return figures + _rounds(arena, "F12 worker out of memory", count(10, 1), _starve_worker, BACK_SECONDS)


def torchserve(arena: Arena) -> list[Figure]:
    """F13: Java is killed (and comes back empty), or stands still."""
    count, limit = arena.context.count, 2 * arena.cold_start_seconds
    figures = [for_the_record("F13 C, the service's cold start", f"{arena.cold_start_seconds:.1f} s")]
    figures += _rounds(arena, "F13 Java killed", count(20, 2), _kill_java, limit)
    return figures + _rounds(arena, "F13 Java frozen for 20 s", count(10, 1), _freeze_java, limit + FROZEN_SECONDS)


def _kill_worker(arena: Arena) -> None:
    arena.stack.process("worker").kill()


def _freeze_worker(arena: Arena) -> None:
    """For good: whoever serves must notice and replace it."""
    arena.stack.process("worker").send_signal(signal.SIGSTOP)


def _starve_worker(arena: Arena) -> None:
    """It gets no more memory for a while."""
    worker = arena.stack.process("worker")
    before = worker.rlimit(psutil.RLIMIT_AS)
    worker.rlimit(psutil.RLIMIT_AS, (worker.memory_info().vms // 2, resource.RLIM_INFINITY))
    time.sleep(10)
    with suppress(psutil.Error):  # it may have died of it
        worker.rlimit(psutil.RLIMIT_AS, before)


def _kill_java(arena: Arena) -> None:
    arena.stack.process("java").kill()


def _freeze_java(arena: Arena) -> None:
    with frozen([arena.stack.process("java").pid]):
        time.sleep(FROZEN_SECONDS)


def _rounds(
    arena: Arena,
    name: str,
    times: int,
    fault: Callable[[Arena], None],
    limit: float,
    *,
    share_of_peak: float = 0.0,
) -> list[Figure]:
    back: list[float | None] = []
    rates: list[float] = []
    whole = len(arena.stack.processes("worker"))
    with asking([arena.stack.port], arena.pictures) as log, sampling(arena.stack.port) as said:
        began = time.monotonic()
        for _ in range(times):
            time.sleep(1)
            hurt_at = time.monotonic()
            fault(arena)
            back.append(wait_until(lambda: _is_whole(arena, log, hurt_at, whole), PATIENCE_SECONDS, 0.2))  # noqa: B023
            rates.append(_rate(log.ok(), hurt_at, time.monotonic()))
        ended = time.monotonic()
    slowest = None if None in back else max(each for each in back if each is not None)
    figures = [
        enough(f"{name}: acknowledged", log.all(), 10),
        *arena.judged(f"{name} {times} times", log.all()),
        within(f"{name}: all workers ready and only good answers again", slowest, limit),
        none_of(f"{name}: ready said in an outage", _lies(said, log.ok(), began, ended), len(said), arena.context.say),
        for_the_record(f"{name}: refused meanwhile", str(sum(each.status != 200 for each in log.all()))),
    ]
    if share_of_peak:
        figures.append(at_least(f"{name}: good answers a second meanwhile", min(rates), share_of_peak * arena.peak))
    return figures


def _is_whole(arena: Arena, log: Log, hurt_at: float, whole: int) -> bool:
    """Every worker answers and is ready, and for a while there were good answers only."""
    since = time.monotonic() - STEADY_SECONDS
    late = [each.status == 200 for each in log.all() if each.ended_at > since]
    if since < hurt_at or not late or not all(late):
        return False
    known = get(arena.stack.port, "/health/detailed").body.get("workers", [])
    return len(known) >= whole and all(worker["ready"] and _runs(worker["pid"]) for worker in known)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
    except psutil.Error:
        return False


def _rate(good: list[Operation], began: float, ended: float) -> float:
    return sum(began < each.ended_at <= ended for each in good) / max(ended - began, 0.001)


def _lies(said: list[Sample], good: list[Operation], began: float, ended: float) -> list[str]:
    """Samples that said ready long after the last good answer."""
    times = [began, *sorted(each.ended_at for each in good if each.ended_at > began), ended]
    gaps = [Outage(first, second) for first, second in pairwise(times)]
    return [hope for gap in gaps for hope in false_hopes(said, gap)]
