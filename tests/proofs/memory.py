"""The memory of a running stack, and the growth that repeats cause."""

import time
from collections.abc import Callable

from tests.proofs.stack import Stack

MIB = 1024 * 1024
KINDS = ("control plane", "worker", "java")
ROUNDS = 12
STEADY_ROUNDS = 3
SLOPE_LOOKS = 4

Measure = Callable[[], dict[str, float]]


def resident(stack: Stack) -> dict[str, float]:
    """MiB of each kind of process; the least of three looks, since buffers come and go."""
    looks = []
    for _ in range(3):
        time.sleep(0.2)
        looks.append({kind: sum(p.memory_info().rss for p in stack.processes(kind)) / MIB for kind in KINDS})
    return {kind: min(look[kind] for look in looks) for kind in KINDS}


def growth(measure: Measure, repeat: Callable[[], None], limit_mib: float, kinds: tuple[str, ...]) -> dict[str, float]:
    """MiB that each kind gains a round.

    A leak gains in every round; caches, pools and allocators gain at first, or give back and take again. So rounds
    go on until `kinds` stay within the limit for three rounds in a row: then the most of those. After too many
    rounds it is the slope between the least of the first and the least of the last looks, which only a leak lifts.
    """
    repeat()
    looks, gains = [measure()], list[dict[str, float]]()
    for _ in range(ROUNDS):
        repeat()
        looks.append(measure())
        gains.append({kind: looks[-1][kind] - max(look[kind] for look in looks[-3:-1]) for kind in looks[-1]})
        last = gains[-STEADY_ROUNDS:]
        if len(last) == STEADY_ROUNDS and all(gain[kind] <= limit_mib for gain in last for kind in kinds):
            break
    else:
        first, last_looks = looks[1 : 1 + SLOPE_LOOKS], looks[-SLOPE_LOOKS:]
        apart = len(looks) - 1 - SLOPE_LOOKS
        return {
            kind: max(0.0, min(look[kind] for look in last_looks) - min(look[kind] for look in first)) / apart
            for kind in looks[-1]
        }
    return {kind: max(0.0, *(gain[kind] for gain in gains[-STEADY_ROUNDS:])) for kind in gains[-1]}
