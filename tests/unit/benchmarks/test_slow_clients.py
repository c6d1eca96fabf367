"""A slow connection counts as closed when the server ends it, and as never closed when it does not."""

import asyncio

import pytest

from tests.proofs.core_lines import line_3_slow_clients
from tests.proofs.core_lines.line_3_slow_clients import until_closed, upload_slowly


async def test_connection_that_the_server_ends_is_closed_after_that_time() -> None:
    async def end_soon(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.close()

    server = await asyncio.start_server(end_soon, "127.0.0.1", 0)
    async with server:
        seconds = await until_closed(server.sockets[0].getsockname()[1], b"POST", b"x")
    assert 0.2 <= seconds < float("inf")


async def test_connection_that_stays_open_is_never_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    over = asyncio.Event()
    ended = asyncio.Event()

    async def stay(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()
        ended.set()

    monkeypatch.setattr(line_3_slow_clients, "WATCH_SECONDS", 0.2)
    server = await asyncio.start_server(stay, "127.0.0.1", 0)
    async with server:
        assert await until_closed(server.sockets[0].getsockname()[1], b"POST", b"x") == float("inf")
        over.set()
        await ended.wait()


async def test_upload_gives_the_status_of_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    monkeypatch.setattr(line_3_slow_clients, "HONEST_BYTES_PER_SECOND", 4000)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        assert await upload_slowly(server.sockets[0].getsockname()[1], b"x" * 1000) == 200
