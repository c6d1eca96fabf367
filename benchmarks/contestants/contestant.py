"""What the benchmark needs to know of a contestant."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from benchmarks.closed_loop import Measured, ask_for

CORES = os.cpu_count() or 1


@dataclass(frozen=True)
class Load:
    """What to measure: which picture, how many clients at once, for how long (seconds)."""

    kind: str
    clients: int
    warm_up: float
    seconds: float


class Contestant(Protocol):
    """`key` is its letter; `roots` are the processes under which all of its own live."""

    key: str
    name: str

    def start(self, folder: Path, pictures: dict[str, Path]) -> None: ...

    def roots(self) -> list[psutil.Process]: ...

    def measure(self, load: Load) -> Measured: ...

    def stop(self) -> None: ...


class Server:
    """One that is asked over HTTP: a picture's request bytes lie ready in a file."""

    def __init__(self, target: str, content_type: str) -> None:
        self._target = target
        self._content_type = content_type
        self._requests: dict[str, Path] = {}
        self.port = 0

    def prepare_requests(self, folder: Path, pictures: dict[str, Path]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, picture in pictures.items():
            self._requests[kind] = folder / f"{kind}.http"
            self._requests[kind].write_bytes(request_bytes(self._target, self._content_type, picture.read_bytes()))

    def measure(self, load: Load) -> Measured:
        return ask_for(
            port=self.port,
            request=self._requests[load.kind],
            clients=load.clients,
            warm_up=load.warm_up,
            seconds=load.seconds,
        )


def request_bytes(target: str, content_type: str, body: bytes) -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
