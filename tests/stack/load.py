"""Clients of the edge, each asking again at once, with pictures that nobody sent before."""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2

from tests.checker.client import own_picture
from tests.stack.project import Project

CLIENTS = 4
PER_SECOND = 10.0
"""Of each client at most; a proof on two cores wants room for what it breaks."""


@dataclass(frozen=True)
class Asked:
    """One request; status 0 when no answer came. Times of `time.monotonic()`."""

    began: float
    ended: float
    status: int
    request_id: str = ""
    said: str = ""

    @property
    def is_ok(self) -> bool:
        return self.status == 200

    def __str__(self) -> str:
        return f"{self.status} {self.said[:160]!r} after {self.ended - self.began:.2f} s, at {self.began:.1f}"


@dataclass
class Load:
    """What was asked so far."""

    asked: list[Asked] = field(default_factory=list)

    @property
    def failed(self) -> list[Asked]:
        return [each for each in self.asked if not each.is_ok]

    @property
    def p95(self) -> float:
        """Seconds, of good answers."""
        return statistics.quantiles([each.ended - each.began for each in self.asked if each.is_ok], n=20)[-1]


@contextmanager
def loaded(made: Project, pictures: Sequence[bytes], clients: int = CLIENTS) -> Iterator[Load]:
    """While it is open they ask; at its end the last answers have come."""
    load, over = Load(), threading.Event()
    threads = [
        threading.Thread(target=_ask, args=(made, pictures, load, over, number), daemon=True)
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join(120)


def _ask(made: Project, pictures: Sequence[bytes], load: Load, over: threading.Event, number: int) -> None:
    with made.client() as http:
        while not over.is_set():
            began = time.monotonic()
            load.asked.append(_one(http, own_picture(pictures[number % len(pictures)]), began))
            over.wait(max(0.0, 1 / PER_SECOND - (time.monotonic() - began)))


def _one(http: httpx2.Client, picture: bytes, began: float) -> Asked:
    try:
        answer = http.post("/predict", content=picture, headers={"Content-Type": "image/jpeg"})
    except httpx2.HTTPError as error:
        return Asked(began, time.monotonic(), 0, said=repr(error))
    request_id = answer.json().get("request_id", "") if answer.status_code == 200 else ""
    return Asked(began, time.monotonic(), answer.status_code, request_id, answer.text)


def lost(made: Project, load: Load) -> list[str]:
    """Those that were acknowledged and are not in the history."""
    ids = {each.request_id for each in load.asked if each.is_ok}
    quoted = ",".join(f"'{each}'" for each in sorted(ids))
    sql = f"SELECT request_id FROM predictions WHERE request_id IN ({quoted})"  # noqa: S608 - ids that we were told
    return sorted(ids - set(query(made, sql))) if ids else []


def query(made: Project, sql: str) -> list[str]:
    """Rows of one column, by PostgreSQL's own program in its container."""
    text = made.compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-d", "weedwatch", "-Atc", sql)
    return text.split()
