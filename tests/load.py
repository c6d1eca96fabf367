"""Load: clients that ask again and again while a block runs, and what they were told."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import httpx2

from tests.checker.client import ask, ask_over, own_picture
from tests.checker.record import Operation

REFUSED_PAUSE_SECONDS = 0.05
T = TypeVar("T")


@contextmanager
def repeating(one: Callable[[int], T], *, clients: int = 1, per_second: float = 0.0) -> Iterator[list[T]]:
    """Keep clients asking while the block runs; what `one` gave, in order, and complete afterwards.

    Args:
        one: Asks once; gets a number that goes up with each client's turns.
        clients: How many ask at once.
        per_second: Of all together; 0: as fast as answers come. Who is late catches up by one turn at most.

    Raises:
        Exception: What `one` raised, once the block is over; that client asked no more.
    """
    told: list[T] = []
    over = threading.Event()
    interval = clients / per_second if per_second else 0.0

    def run(turn: int) -> None:
        due = time.monotonic() + turn * interval / clients
        for number in count(turn):
            if over.wait(max(0.0, due - time.monotonic())):
                return
            due = max(due + interval, time.monotonic() - interval)
            told.append(one(number))

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(run, turn) for turn in range(clients)]
        try:
            yield told
        finally:
            over.set()
    for each in running:
        each.result()


@dataclass(frozen=True)
class Log:
    """Operations so far."""

    operations: list[Operation]

    def all(self) -> list[Operation]:
        return list(self.operations)

    def ok(self) -> list[Operation]:
        return [each for each in self.all() if each.status == 200]

    def failed(self) -> list[Operation]:
        return [each for each in self.all() if each.status != 200]


@contextmanager
def asking(
    at: Sequence[int] | httpx2.Client,
    pictures: Sequence[bytes],
    *,
    clients: int = 4,
    per_second: float = 0.0,
    headers: Mapping[str, str] | None = None,
    own: bool = True,
) -> Iterator[Log]:
    """Keep clients asking for predictions while the block runs; complete afterwards.

    Args:
        at: Ports of this machine in turns, with a connection for each request; or a client, which keeps connections.
        pictures: Asked about in turns.
        clients: How many ask at once.
        per_second: Of all together; 0: as fast as answers come.
        headers: More than the content type.
        own: Whether each request has a picture of its own; otherwise the same bytes come again.
    """

    def one(number: int) -> Operation:
        picture = pictures[number % len(pictures)]
        picture = own_picture(picture) if own else picture
        if isinstance(at, httpx2.Client):
            operation = ask_over(at, picture, headers=headers)
        else:
            operation = ask(at[number % len(at)], picture, headers=headers)
        if operation.status != 200:  # whoever asks again at once only keeps the machine busy
            time.sleep(REFUSED_PAUSE_SECONDS)
        return operation

    with repeating(one, clients=clients, per_second=per_second) as operations:
        yield Log(operations)
