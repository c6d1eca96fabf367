"""F01: the control plane is killed at random instants, and at the Nth write, send or sync; nothing kept is lost."""

import random
import time

from tests.faults.processes import instants
from tests.faults.strace import Injection, traced
from tests.load import asking
from tests.proofs.core_lines.arena import Arena, enough, within
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, for_the_record

SEED = 101
LONGEST_SECONDS = 3.0
FULL_KILLS = 200
FULL_ACKNOWLEDGED = 20_000
STRACE_PATIENCE_SECONDS = 20.0
# What is counted, how far, and whether PostgreSQL must be away for it to happen.
POINTS = (("sendto,sendmsg", 200, False), ("write,writev", 200, False), ("fsync,fdatasync", 20, True))


def run(arena: Arena) -> list[Figure]:
    return _at_random_instants(arena) + _at_system_calls(arena)


def _at_random_instants(arena: Arena) -> list[Figure]:
    context, victim = arena.context, arena.replica("victim")
    waits = instants(SEED, context.count(FULL_KILLS, 5), LONGEST_SECONDS)
    starts = []
    with asking([victim.port], arena.pictures) as log:
        for turn, wait in enumerate(waits):
            starts.append(_start(victim))
            if turn % 3 == 2:
                arena.proxy.refuse()  # so that it dies while it spools, too
            time.sleep(wait)
            victim.kill()
            arena.proxy.forward()
        starts.append(_start(victim))
        wanted = context.count(FULL_ACKNOWLEDGED, 500)
        deadline = time.monotonic() + wanted / 5
        while len(log.ok()) < wanted and time.monotonic() < deadline:
            time.sleep(0.2)
    orderly = victim.stop()
    return [
        enough("F01 acknowledged", log.all(), wanted),
        *arena.judged(f"F01 {len(waits)} kills at random instants", log.all(), may_break=True),
        within("F01 slowest start after a kill (2 C)", max(starts[1:]), 2 * starts[0]),
        for_the_record("F01 C, the first start", f"{starts[0]:.1f} s"),
        within("F01 orderly end afterwards", orderly, 20),
    ]


def _start(victim: Replica) -> float:
    victim.start()
    return victim.wait_until_ready()


def _at_system_calls(arena: Arena) -> list[Figure]:
    context, victim, chance = arena.context, arena.replica("victim"), random.Random(SEED)
    turns = context.count(FULL_KILLS, 6)
    killed = 0
    with asking([victim.port], arena.pictures) as log:
        for turn in range(turns):
            calls, furthest, away = POINTS[turn % len(POINTS)]
            _start(victim)
            if away:
                arena.proxy.refuse()
            injection = Injection(calls, "signal=SIGKILL", str(chance.randint(1, furthest)))
            with traced(victim.pid, context.folder / "trace", injections=[injection]):
                killed += victim.wait(STRACE_PATIENCE_SECONDS) is not None
            victim.kill()
            arena.proxy.forward()
        _start(victim)
    victim.stop()
    return [
        for_the_record("F01 killed at a counted send, write or sync", f"{killed} of {turns} times"),
        *arena.judged("F01 kills at counted system calls", log.all(), may_break=True),
    ]
