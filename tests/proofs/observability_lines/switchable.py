"""A control plane that can stop counting and logging while it runs: two of them would differ by more than that costs.

SIGUSR1: no metric of the process is updated and nothing is logged, as with WEEDWATCH_METRICS=off and
WEEDWATCH_LOG_LEVEL=OFF. SIGUSR2: all of it again.
"""

import logging
import signal
from collections.abc import Callable
from typing import Any

from prometheus_client import Counter, Gauge

from control_plane.__main__ import main
from control_plane.metrics import Histogram

UPDATES: tuple[tuple[type, str], ...] = (
    (Counter, "inc"), (Gauge, "inc"), (Gauge, "dec"), (Gauge, "set"), (Histogram, "observe"),
)  # fmt: skip
REAL: dict[tuple[type, str], Callable[..., Any]] = {(kind, name): getattr(kind, name) for kind, name in UPDATES}


def nothing(*_: object, **__: object) -> None:
    """In the place of each of them."""


def off(*_: object) -> None:
    logging.disable(logging.CRITICAL)
    for kind, name in UPDATES:
        setattr(kind, name, nothing)


def on(*_: object) -> None:
    logging.disable(logging.NOTSET)
    for (kind, name), real in REAL.items():
        setattr(kind, name, real)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, off)
    signal.signal(signal.SIGUSR2, on)
    raise SystemExit(main())
