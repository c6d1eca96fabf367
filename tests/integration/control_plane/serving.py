"""A small service behind the real uvicorn with our connections, in a thread, and raw sockets to it."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from control_plane.metrics import Metrics
from control_plane.photos import uploads
from control_plane.web import connections, problems
from control_plane.web.connections import Patience
from control_plane.web.requests import RequestContext
from tests.waiting import eventually

PATIENCE = 30  # seconds that a test waits for what must come
SLOW = Patience(
    headers_seconds=1, window_seconds=1, least_bytes_per_second=1000, rest_seconds=1, stalled_seconds=1
)  # fmt: skip


@dataclass
class Service:
    """`/predict` says how many bytes came; `/wait` answers when `go` is set; `/long` gives much."""

    port: int = 0
    metrics: Metrics = field(default_factory=Metrics)
    go: threading.Event = field(default_factory=threading.Event)
    dropped: threading.Event = field(default_factory=threading.Event)
    at_work: threading.Event = field(default_factory=threading.Event)
    server: uvicorn.Server | None = None

    def stop(self) -> None:
        assert self.server is not None
        self.server.should_exit = True

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/predict")
        async def predict(request: Request) -> int:
            return len((await uploads.receive(request, max_bytes=10**8, timeout_seconds=3600)).data)

        @app.post("/refuse")
        async def refuse() -> str:
            return "not read"

        @app.post("/wait")
        async def wait(request: Request) -> str:
            await uploads.receive(request, max_bytes=10**8, timeout_seconds=3600)
            self.at_work.set()
            try:
                async with request.state.presence.waiting():
                    await _until(self.go)
            finally:
                self.dropped.set()
            return "done"

        @app.get("/long")
        async def long() -> StreamingResponse:
            return StreamingResponse(self._much())

        problems.add_handlers(app, self.metrics)
        app.add_middleware(RequestContext, metrics=self.metrics)
        return app

    async def _much(self) -> Any:
        try:
            for _ in range(10_000):
                yield bytes(100_000)
        finally:
            self.dropped.set()

    def count(self, status: int) -> float:
        return sum(
            sample.value
            for metric in self.metrics.http_requests.collect()
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["status"] == str(status)
        )


async def _until(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.01)


@contextmanager
def serving(patience: Patience = SLOW, *, graceful_seconds: int = 5) -> Iterator[Service]:
    service = Service()
    config = uvicorn.Config(
        service.app(), port=0, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
        http=connections.protocol(service.metrics, patience), timeout_keep_alive=2,
        timeout_graceful_shutdown=graceful_seconds,
    )  # fmt: skip
    server = service.server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    service.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        service.go.set()
        service.stop()
        thread.join(PATIENCE)


@contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)) as connection:
        yield connection


def head(path: str = "/predict", length: int = 0, *more: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Content-Type: image/jpeg", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: Any


def read_reply(connection: socket.socket) -> Reply:
    """One answer with a length."""
    stream = connection.makefile("rb")
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().decode().strip():
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Reply(status, headers, json.loads(stream.read(int(headers["content-length"]))))


def is_closed(connection: socket.socket) -> bool:
    """Waits until the other side has ended the connection, whatever it sends before."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True
