"""Makes the service refuse for a while: its workers are stopped, and others fill its queue again and again."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.processes import frozen
from tests.load import asking
from tests.proofs.stack import Stack
from tests.proofs.wire import predict
from tests.waiting import wait_until

CLIENTS, PER_SECOND = 12, 60.0
WAIT_SECONDS = 60.0
SMALL_QUEUE = {"WEEDWATCH_QUEUE_SIZE": "4"}
"""For the service's environment, so that a few clients fill it."""


@contextmanager
def overloaded(stack: Stack, picture: bytes) -> Iterator[None]:
    """Every prediction within is answered 429, for some ten seconds: then TorchServe replaces its hung workers."""
    with (
        asking([stack.port], [picture], clients=CLIENTS, per_second=PER_SECOND),
        frozen([worker.pid for worker in stack.processes("worker")]),
    ):
        if wait_until(lambda: predict(stack.port, picture, 15).status == 429, WAIT_SECONDS, 0.1) is None:
            raise RuntimeError("The service was not overloaded.")
        yield
