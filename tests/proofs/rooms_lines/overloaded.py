"""Makes the service refuse for a while: its workers are stopped, and others fill its queue again and again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.processes import frozen, wait_until
from tests.proofs.stack import Stack
from tests.proofs.wire import predict

CLIENTS = 12
WAIT_SECONDS = 60.0
SMALL_QUEUE = {"WEEDWATCH_QUEUE_SIZE": "4"}
"""For the service's environment, so that a few clients fill it."""


@contextmanager
def overloaded(stack: Stack, picture: bytes) -> Iterator[None]:
    """Every prediction within is answered 429, for some ten seconds: then TorchServe replaces its hung workers."""
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            predict(stack.port, picture, 15)
            stop.wait(0.2)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(CLIENTS)]
    try:
        with frozen([worker.pid for worker in stack.processes("worker")]):
            for thread in threads:
                thread.start()
            if wait_until(lambda: predict(stack.port, picture, 15).status == 429, WAIT_SECONDS, 0.1) is None:
                raise RuntimeError("The service was not overloaded.")
            yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
