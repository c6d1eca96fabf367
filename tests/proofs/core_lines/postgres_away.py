"""F02, F03, F04: PostgreSQL is killed, hangs, vanishes, or its reply to COMMIT is lost."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.checker.record import Operation
from tests.faults.processes import frozen, instants, send
from tests.faults.proxy import Cut
from tests.load import Log, asking
from tests.proofs.core_lines.arena import (
    DATABASE_TIMEOUT_SECONDS,
    Arena,
    enough,
    none_failed,
    waiting_records,
    within,
)
from tests.proofs.results import Figure, at_most, for_the_record, none_of

SEED = 202
AWAY_SECONDS = 60.0
SLOW_SECONDS = 1.5  # what a request may take while somebody else finds out that the database is away
BACK_SECONDS = 5.0


def killed(arena: Arena) -> list[Figure]:
    """F02: its postmaster, its sessions, or all of it at once; and once for a minute."""
    times = arena.context.count(20, 2)
    gone = instants(SEED, times, 3.0)
    figures = _rounds(arena, "F02 postmaster killed", gone, lambda wait: _down(arena, signal.SIGKILL, wait))
    figures += _rounds(arena, "F02 stopped at once", gone, lambda wait: _down(arena, signal.SIGQUIT, wait))
    figures += _rounds(arena, "F02 session killed", gone, lambda _: send(arena.postgres.sessions()[:1], signal.SIGKILL))
    away = f"F02 killed for {AWAY_SECONDS:g} s"
    return figures + _rounds(arena, away, [AWAY_SECONDS], lambda wait: _down(arena, signal.SIGKILL, wait))


def _down(arena: Arena, number: signal.Signals, seconds: float) -> None:
    arena.postgres.end(number)
    time.sleep(seconds)
    arena.postgres.start()


def _rounds(arena: Arena, name: str, waits: list[float], fault: Callable[[float], None]) -> list[Figure]:
    back: list[float | None] = []
    with _half_load(arena) as log:
        for wait in waits:
            time.sleep(1)
            fault(wait)
            back.append(arena.writes_again(arena.stack.port))
    slowest = None if None in back else max(each for each in back if each is not None)
    return [
        enough(f"{name}: acknowledged", log.all(), 10),
        none_failed(arena, f"{name} {len(waits)} times", log.all()),
        *arena.judged(name, log.all()),
        within(f"{name}: written to PostgreSQL again after it is up", slowest, BACK_SECONDS),
    ]


@contextmanager
def _half_load(arena: Arena) -> Iterator[Log]:
    with asking([arena.stack.port], arena.pictures, clients=6, per_second=max(2.0, arena.peak / 2)) as log:
        yield log


def hangs(arena: Arena) -> list[Figure]:
    """F03: stopped by a signal, silent on the network, or refused; for long, and by turns of a second."""
    figures: list[Figure] = []
    for _ in range(arena.context.count(10, 1)):
        figures += _hang(arena, "F03 stopped for 30 s", lambda: _stand_still(arena, 30))
    silent = max(10.0, 60 * arena.context.share)
    figures += _hang(arena, f"F03 silent for {silent:g} s", lambda: _silent(arena, silent))
    figures += _hang(arena, f"F03 refused for {silent:g} s", lambda: _refused(arena, silent))
    turns = arena.context.count(60, 5)
    return figures + _hang(arena, f"F03 on and off {turns} times", lambda: _by_turns(arena, turns))


def _stand_still(arena: Arena, seconds: float) -> None:
    with frozen(arena.postgres.pids()):
        time.sleep(seconds)


def _silent(arena: Arena, seconds: float) -> None:
    arena.proxy.freeze()
    time.sleep(seconds)
    arena.proxy.forward()


def _refused(arena: Arena, seconds: float) -> None:
    arena.proxy.refuse()
    time.sleep(seconds)
    arena.proxy.forward()


def _by_turns(arena: Arena, turns: int) -> None:
    for turn in range(turns):
        (_refused if turn % 2 else _silent)(arena, 1)
        time.sleep(1)


def _hang(arena: Arena, name: str, fault: Callable[[], None]) -> list[Figure]:
    with _half_load(arena) as log:
        time.sleep(1)
        began = time.monotonic()
        fault()
        ended = time.monotonic()
        waiting = waiting_records(arena.spools)
        drained = arena.settle()
    during = [each for each in log.all() if began <= each.ended_at <= ended]
    slow = _slow_afterwards(during)
    return [
        none_failed(arena, name, log.all()),
        *arena.judged(name, log.all()),
        at_most(f"{name}: slowest answer", _slowest(log.all()), DATABASE_TIMEOUT_SECONDS + SLOW_SECONDS, "s"),
        none_of(f"{name}: slow answers once it is known to be away", slow, len(during), arena.context.say),
        within(f"{name}: the spool came home, {waiting} records", drained, max(BACK_SECONDS, 30 * waiting / 10_000)),
    ]


def _slowest(operations: list[Operation]) -> float:
    return max((each.seconds for each in operations), default=float("inf"))


def _slow_afterwards(operations: list[Operation]) -> list[str]:
    """Requests that waited although an earlier one, sent a second and more before, had found out already."""
    slow = sorted((each for each in operations if each.seconds > SLOW_SECONDS), key=lambda each: each.ended_at)
    if not slow:
        return []
    known = slow[0].ended_at + 0.5
    return [f"{each.seconds:.1f} s" for each in slow if each.ended_at - each.seconds > known]


def commit_unanswered(arena: Arena) -> list[Figure]:
    """F04: the connection is cut after COMMIT was forwarded, before or after PostgreSQL has answered it."""
    wanted = arena.context.count(500, 20)
    before, at = arena.proxy.cuts, list[Cut](("reply", "request"))
    with asking([arena.stack.port], arena.pictures, clients=4) as log:
        deadline = time.monotonic() + 5 * wanted
        for turn in range(wanted):
            arena.proxy.cut_commits(1, at=at[turn % 2])
            while arena.proxy.cuts <= before + turn and time.monotonic() < deadline:
                time.sleep(0.01)
        arena.proxy.cut_commits(0, at="reply")
    cuts = arena.proxy.cuts - before
    return [
        Figure("F04 replies to COMMIT lost", str(cuts), f"≥ {wanted}", cuts >= wanted),
        none_failed(arena, "F04", log.all()),
        *arena.judged("F04", log.all()),
        for_the_record("F04 slowest answer", f"{_slowest(log.all()):.2f} s"),
    ]
