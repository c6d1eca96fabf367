"""One kept-alive HTTP connection that sends prepared bytes. It costs little CPU: what it takes, the servers lack."""

import asyncio
import socket
from dataclasses import dataclass

SEND_BUFFER_BYTES = 4 * 2**20  # a whole photo, so that the kernel takes it in one piece


@dataclass(frozen=True)
class Reply:
    """Status 0: the connection ended without an answer. `retry_after`: seconds; 0 when the server named none."""

    status: int
    retry_after: float = 0.0


class Connection(asyncio.Protocol):
    """Asks one thing at a time; `is_open` tells whether it may be asked again."""

    def __init__(self) -> None:
        self.is_open = False
        self._received = bytearray()
        self._waiter: asyncio.Future[Reply] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - tells mypy what TCP gives
        self._transport = transport
        self.is_open = True

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_open = False
        self._end(Reply(0))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._received[:head_end]).lower()
        if len(self._received) < head_end + 4 + int(header(head, b"content-length") or 0):
            return
        self._received.clear()
        if header(head, b"connection") == b"close":
            self.close()
        self._end(Reply(int(head[9:12]), float(header(head, b"retry-after") or 0)))

    async def ask(self, request: bytes) -> Reply:
        """Send a request and read the answer's status; the answer must have a Content-Length."""
        if not self.is_open or self._transport is None:
            return Reply(0)
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def _end(self, reply: Reply) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(reply)


def header(head: bytes, name: bytes) -> bytes:
    """The value of a header in a lower-case head; empty when it is absent."""
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    end = head.find(b"\r\n", start + 2)
    return head[start + len(name) + 3 : end if end >= 0 else len(head)].strip()


async def connect(port: int) -> Connection:
    """Raises OSError when nobody listens."""
    loop = asyncio.get_running_loop()
    end = socket.socket()
    end.setblocking(False)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await loop.sock_connect(end, ("127.0.0.1", port))
        _, connection = await loop.create_connection(Connection, sock=end)
    except OSError:
        end.close()
        raise
    return connection
