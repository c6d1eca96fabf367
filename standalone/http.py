"""Just enough HTTP to watch our own services, without a thread and without a library."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as an object; empty when it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


async def request(
    url_path: str,
    *,
    at: str,
    body: bytes | None = None,
    content_type: str = "application/octet-stream",
    token: str = "",
    timeout_seconds: float = 5.0,
) -> Answer | None:
    """GET, or POST when there is a body. None when there is no answer in time.

    Args:
        url_path: What is asked for.
        at: Of whom: `http://host:port`, or `unix:///path` of a socket.
        body: What is sent.
        content_type: Of the body.
        token: The credential; none when empty.
        timeout_seconds: For all of it.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await exchange(url_path, at, body, content_type, token)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None


async def exchange(url_path: str, at: str, body: bytes | None, content_type: str, token: str) -> Answer:
    address = urlsplit(at)
    if address.scheme == "unix":
        reader, writer = await asyncio.open_unix_connection(address.path)
    else:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        # HTTP/1.0, so that the answer comes unchunked. TorchServe leaves the connection open nevertheless.
        head = [f"{'GET' if body is None else 'POST'} {url_path} HTTP/1.0", f"Host: {address.netloc or 'localhost'}"]
        if token:
            head.append(f"Authorization: Bearer {token}")
        if body is not None:
            head += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
        writer.write("\r\n".join([*head, "", ""]).encode("ascii") + (body or b""))
        await writer.drain()
        status_line, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        named = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in headers)}
        length = named.get("content-length")
        content = await (reader.read() if length is None else reader.readexactly(int(length)))
        return Answer(int(status_line.split()[1]), content)
    except IndexError as problem:
        raise ValueError("no HTTP answer") from problem
    finally:
        writer.close()
