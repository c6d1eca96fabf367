"""What the items of line 4 share: one closed service, who asks it, and all that it said while it refused."""

import asyncio
import contextlib
import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.closed import Closed
from tests.faults.postgres import OwnPostgres
from tests.proofs.harness import Context

T = TypeVar("T")
SECONDS = 60.0
UNKNOWN = "01890000-0000-7000-8000-00000000%04x"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def said(self) -> Any:
        """The body without what differs from request to request."""
        if "json" not in self.headers.get("content-type", ""):
            return self.text
        body = self.json()
        return {**body, "request_id": None} if isinstance(body, dict) else body


@dataclass
class Ground:
    """`ask` comes from another address each time, so that no item locks the next one out."""

    context: Context
    place: Closed
    postgres: OwnPostgres
    photo: bytes
    owner: dict[str, str]
    """The header of who owns `record`; `other` is somebody else, who may read and predict too."""
    other: dict[str, str]
    record: str
    refused: list[tuple[str, Reply]] = field(default_factory=list)
    answered: list[tuple[str, str, Reply]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _connection: http.client.HTTPConnection | None = None

    @property
    def admin(self) -> dict[str, str]:
        return self.place.admin

    @cached_property
    def document(self) -> dict[str, Any]:
        """What the service says of itself."""
        document: dict[str, Any] = self.ask("GET", "/openapi.json").json()
        return document

    @cached_property
    def operations(self) -> list[tuple[str, str]]:
        return [(method.upper(), path) for path, methods in self.document["paths"].items() for method in methods]

    def operation(self, method: str, target: str) -> tuple[str, dict[str, Any]] | None:
        """Of the document: the path's template and what is said of it."""
        path = urlsplit(target).path
        for template, methods in self.document["paths"].items():
            if method.lower() in methods and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
                return template, methods[method.lower()]
        return None

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        data: Any = None,
        address: str | None = None,
    ) -> Reply:
        """The target is sent as it is written; `data` goes as JSON."""
        number = next(self._numbers)
        sent = {"X-Forwarded-For": address or f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}
        if data is not None:
            body = json.dumps(data).encode()
            sent["Content-Type"] = "application/json"
        reply = self._exchange(method, target, {**sent, **(headers or {})}, body)
        if reply.status >= 400:
            self.refused.append((f"{method} {target[:120]}", reply))
        else:
            self.answered.append((method, target, reply))
        return reply

    def _exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        for attempt in range(2):
            connection = self._connection or http.client.HTTPConnection(
                "127.0.0.1", self.place.stack.port, timeout=SECONDS
            )
            self._connection = connection
            try:
                connection.putrequest(method, target, skip_accept_encoding=True)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    connection.putheader(name, value)
                # It may answer before it has read everything.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.endheaders(body)
                answer = connection.getresponse()
                reply = Reply(answer.status, answer.msg, answer.read())
            except (OSError, http.client.HTTPException):
                self.close()
                if attempt:
                    return Reply(0, http.client.HTTPMessage(), b"")
                continue
            if answer.will_close:
                self.close()
            return reply
        raise AssertionError("unreachable")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def predict(self, headers: Mapping[str, str], target: str = "/predict", **more: str) -> Reply:
        return self.ask("POST", target, {"Content-Type": "image/jpeg", **headers, **more}, self.photo)


@contextmanager
def in_a_thread(make: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """What an asynchronous context gives, kept up by a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = make()
    try:
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(SECONDS)
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(SECONDS)
    finally:
        asyncio.run_coroutine_threadsafe(_end_tasks(), loop).result(SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()


async def _end_tasks() -> None:
    """What still answers somebody who has left."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


@dataclass
class Trap:
    """A port that nobody has a reason to connect to."""

    port: int
    caught: list[Any] = field(default_factory=list)


@contextmanager
def trap() -> Iterator[Trap]:
    """Listens on every address of loopback, old and new."""
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    made = Trap(listener.getsockname()[1])

    def listen() -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            made.caught.append(address)
            connection.close()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(SECONDS)
