"""A replica that is not ready does not listen."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from time import monotonic

import uvicorn
from starlette.responses import PlainTextResponse

from control_plane.draining import Ending
from control_plane.web.serving import Server

SECONDS = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def until_it_listens(port: int) -> None:
    deadline = monotonic() + SECONDS
    while not await listens(port):
        assert monotonic() < deadline
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def started(ready: asyncio.Event, patience: float) -> AsyncIterator[tuple[Server, int]]:
    port = free_port()
    config = uvicorn.Config(PlainTextResponse("hello"), port=port, log_config=None, lifespan="off")
    server = Server(config, is_ready=ready.is_set, patience_seconds=patience, ending=Ending())
    task = asyncio.create_task(server._serve())  # without its handlers of signals, which are the test's own
    try:
        yield server, port
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, SECONDS)


async def test_it_listens_once_it_is_ready() -> None:
    ready = asyncio.Event()
    async with started(ready, SECONDS) as (_, port):
        await asyncio.sleep(0.3)
        assert not await listens(port)
        ready.set()
        await until_it_listens(port)


async def test_it_listens_in_the_end_so_that_it_can_be_asked_why() -> None:
    async with started(asyncio.Event(), 0.3) as (_, port):
        await until_it_listens(port)


async def test_it_ends_while_it_waits() -> None:
    async with started(asyncio.Event(), SECONDS) as (server, _):
        await asyncio.sleep(0.1)
        began = monotonic()
        server.should_exit = True
    assert monotonic() - began < SECONDS / 2
