"""Asks for /health again and again while others overload the service."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.load import repeating
from tests.proofs.wire import get

PER_SECOND = 5.0


@dataclass
class Health:
    """How often it was asked, how long the slowest answer took (seconds), and what was no good answer."""

    asked: int = 0
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)


@contextmanager
def asking_for_health(port: int) -> Iterator[Health]:
    health = Health()

    def ask(_: int) -> None:
        began = time.monotonic()
        answer = get(port, "/health", timeout_seconds=10)
        health.asked += 1
        health.slowest = max(health.slowest, time.monotonic() - began)
        if not answer.is_ok:
            health.faults.append(f"{answer.status} {answer.code}")

    with repeating(ask, per_second=PER_SECOND):
        yield health
