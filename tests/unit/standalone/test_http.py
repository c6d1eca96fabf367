"""The small HTTP client takes what servers send and gives None for all that is no answer in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from standalone.http import request
from standalone.ports import free_ports


@asynccontextmanager
async def server(answer: bytes, *, closes: bool) -> AsyncIterator[int]:
    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if not closes:
            await reader.read()  # until the client leaves
        writer.close()
        await writer.wait_closed()
        served.set()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
        await served.wait()
    finally:
        listening.close()


async def test_a_server_that_keeps_the_connection_open_is_read_by_length() -> None:
    async with server(b'HTTP/1.1 200 \r\nContent-Length: 8\r\n\r\n{"a": 1}', closes=False) as port:
        answer = await request("/ping", at=f"http://127.0.0.1:{port}")

    assert answer is not None
    assert (answer.status, answer.json()) == (200, {"a": 1})


async def test_without_a_length_the_answer_ends_with_the_connection() -> None:
    async with server(b"HTTP/1.1 503 Busy\r\n\r\nno", closes=True) as port:
        answer = await request("/", at=f"http://127.0.0.1:{port}")

    assert answer is not None
    assert (answer.status, answer.body, answer.json()) == (503, b"no", {})


async def test_no_server_a_silent_one_and_one_that_speaks_otherwise_give_none() -> None:
    assert await request("/", at=f"http://127.0.0.1:{free_ports(1)[0]}") is None
    async with server(b"", closes=False) as port:
        assert await request("/", at=f"http://127.0.0.1:{port}", timeout_seconds=0.2) is None
    async with server(b"SSH-2.0\r\n\r\n", closes=True) as port:
        assert await request("/", at=f"http://127.0.0.1:{port}") is None
