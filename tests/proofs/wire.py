"""Sends one request as bytes and reads what comes back, also while it is still sending.

A server may answer and close before it has read the whole body. So both directions are watched at once.
"""

import http.client
import json
import select
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.hostile.contract import OK


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 when nothing did."""

    status: int
    code: str
    seconds: float
    body: dict[str, Any] = field(default_factory=dict)
    content_type: str = ""

    @property
    def is_ok(self) -> bool:
        return self.status == 200


def exchange(port: int, pieces: Iterable[bytes], timeout_seconds: float) -> Answer:
    """Send the pieces to a port of this machine and read one HTTP answer.

    Returns:
        The answer. `seconds` counts from the last byte sent, as deadlines do.
        Without an answer: status 0 and a code that says why (refused, closed, silent, garbage).
    """
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds)
    except OSError:
        return Answer(0, "refused", 0.0)
    with connection:
        sent_at = time.monotonic()
        try:
            _send(connection, pieces, timeout_seconds)
            sent_at = time.monotonic()
            return _read(connection, sent_at)
        except TimeoutError:
            return Answer(0, "silent", time.monotonic() - sent_at)
        except (http.client.RemoteDisconnected, OSError):
            return Answer(0, "closed", time.monotonic() - sent_at)
        except (http.client.HTTPException, ValueError):
            return Answer(0, "garbage", time.monotonic() - sent_at)


def _send(connection: socket.socket, pieces: Iterable[bytes], timeout_seconds: float) -> None:
    connection.setblocking(False)
    deadline = time.monotonic() + timeout_seconds
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            left = deadline - time.monotonic()
            readable, writable, _ = select.select([connection], [connection], [], max(left, 0))
            if readable:
                break
            if not writable:
                raise TimeoutError
            rest = rest[_some(connection, rest) :]
        if rest:
            break
    connection.settimeout(max(deadline - time.monotonic(), 0.1))


def _some(connection: socket.socket, rest: memoryview) -> int:
    """Send what fits; a peer that closed may still have left us an answer to read."""
    try:
        return connection.send(rest)
    except BlockingIOError:
        return 0
    except (BrokenPipeError, ConnectionResetError):
        return len(rest)


def _read(connection: socket.socket, sent_at: float) -> Answer:
    with http.client.HTTPResponse(connection) as response:
        response.begin()
        raw = response.read()
        content_type = response.getheader("Content-Type", "")
    body = _json(raw) if "json" in content_type else {}
    code = OK if response.status == 200 else str(body.get("code", "without code"))
    return Answer(response.status, code, time.monotonic() - sent_at, body, content_type)


def _json(raw: bytes) -> dict[str, Any]:
    parsed = json.loads(raw)
    return parsed if isinstance(parsed, dict) else {"items": parsed}


def get(port: int, target: str, timeout_seconds: float = 10) -> Answer:
    head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return exchange(port, [head.encode()], timeout_seconds)


def predict(port: int, picture: bytes, timeout_seconds: float = 15, target: str = "/predict") -> Answer:
    """Ask for one picture as a raw JPEG body."""
    return exchange(port, _predict_pieces(picture, target), timeout_seconds)


def _predict_pieces(picture: bytes, target: str) -> Iterator[bytes]:
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    yield f"{head}Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n".encode() + picture
