"""A second port of the same process for the metrics alone, so that the first one need not show them."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qs

import uvicorn
from starlette.types import Receive, Scope, Send

from control_plane.errors import ServingError
from control_plane.metrics import Metrics
from control_plane.web import connections
from control_plane.web.figures import Page, Pages
from control_plane.web.protection import Header, protect


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # they belong to the server of the main port


@contextlib.asynccontextmanager
async def serving(metrics: Metrics, pages: Pages, host: str, port: int) -> AsyncIterator[None]:
    """While it is open the metrics are at `/metrics` there, for whoever can reach it.

    Raises:
        OSError: The port cannot be had.
    """
    with _listener(host, port) as listener:
        config = uvicorn.Config(
            _Metrics(pages),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            http=connections.protocol(metrics),
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await task


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = f"The metrics cannot be served at {host} port {port} ({error.strerror})."
        print(f"{reason} Set WEEDWATCH_METRICS_PORT to a free port.", file=sys.stderr)
        raise


class _Metrics:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        status, (body, media_type) = await self._answer(scope)
        headers: list[Header] = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        protect(headers)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, scope: Scope) -> tuple[int, Page]:
        try:
            if scope["method"] in ("GET", "HEAD") and scope["path"] == "/metrics":
                accept = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"accept"), "")
                return 200, await self._pages.page(accept)
            if scope["method"] in ("GET", "HEAD") and scope["path"] == "/metrics/torchserve":
                asked = parse_qs(scope["query_string"].decode("latin-1"))
                return 200, await self._pages.torchserve_page(asked.get("number", ["1"])[-1])
        except ServingError as error:
            return error.kind.status, (f"{error.detail}\n".encode(), "text/plain")
        return 404, (b"The metrics are at /metrics and /metrics/torchserve.\n", "text/plain")
