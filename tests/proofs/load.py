"""A gentle load: a few clients that ask, look at the answer, pause and ask again."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from tests.proofs.ledger import Entry, Ledger
from tests.proofs.wire import predict

PATIENCE_SECONDS = 30.0


def ask_until(
    stop: threading.Event, port: int, pictures: Sequence[bytes], ledger: Ledger, pause_seconds: float
) -> None:
    for turn in count():
        if stop.is_set():
            return
        answer = predict(port, pictures[turn % len(pictures)], PATIENCE_SECONDS)
        ledger.add(Entry(time.monotonic(), answer))
        stop.wait(pause_seconds)


@contextmanager
def load(port: int, pictures: Sequence[bytes], *, clients: int = 4, pause_seconds: float = 0.2) -> Iterator[Ledger]:
    """Keep the clients asking while the block runs; its ledger is complete after the block."""
    ledger, stop = Ledger(), threading.Event()
    threads = [
        threading.Thread(target=ask_until, args=(stop, port, pictures, ledger, pause_seconds), daemon=True)
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield ledger
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS + 5)
