"""Waiting for what comes true by itself."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object], seconds: float, every_seconds: float = 0.05) -> float | None:
    """The seconds until it held; None when it did not in time."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > seconds:
            return None
        time.sleep(every_seconds)
    return time.monotonic() - started


def eventually(holds: Callable[[], object], seconds: float = 180.0, what: str = "it came true") -> None:
    """Wait until it holds.

    Raises:
        AssertionError: It did not in time; says `what`.
    """
    assert wait_until(holds, seconds) is not None, f"Not within {seconds:g} s: {what}."
