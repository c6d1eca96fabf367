"""Signals to processes: at instants that a seed decides, and frozen for a while."""

import os
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


def instants(seed: int, count: int, longest_seconds: float) -> list[float]:
    """Seconds to wait before each of `count` faults; the same for the same seed."""
    chance = random.Random(seed)
    return [chance.uniform(0, longest_seconds) for _ in range(count)]


def send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """The processes stand still while the block runs, and go on afterwards whatever happens."""
    send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pids, signal.SIGCONT)
