"""A tiny HTTP server whose answers are known, to show what the load generators see."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from benchmarks.contestants.contestant import request_bytes

REQUEST = request_bytes("/predict", "image/jpeg", b"x" * 1000)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
FAREWELL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def serving(answer: Callable[[int], bytes], delay: float = 0.0) -> AsyncIterator[int]:
    """Answer the n-th request (from 1) with `answer(n)` after a delay; gives the port."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while True:
                await reader.readexactly(len(REQUEST))
                count += 1
                reply = answer(count)
                await asyncio.sleep(delay)
                writer.write(reply)
                await writer.drain()
                if b"close" in reply or not reply:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
