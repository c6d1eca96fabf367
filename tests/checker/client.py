"""A client that sends a picture of its own each time and notes what became of it."""

import hashlib
import http.client
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import count

import httpx2

from tests.checker.record import Operation
from tests.hostile.contract import OK

PATIENCE_SECONDS = 25.0
_number = count()
_run = f"{time.time_ns():x}"


def own_picture(jpeg: bytes) -> bytes:
    """The same JPEG with a comment that no other has."""
    note = f"{_run}-{next(_number)}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + jpeg[2:]


def ask(
    port: int,
    picture: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    target: str = "/predict",
    patience_seconds: float = PATIENCE_SECONDS,
) -> Operation:
    """One request on a connection of its own; `seconds` counts from the last byte sent.

    Args:
        port: Of the service.
        picture: What is asked about.
        headers: More than the content type.
        body: What is sent when it is more than the picture, such as a form.
        target: Path and query.
        patience_seconds: Then the request counts as silent.
    """
    digest = hashlib.sha256(picture).hexdigest()
    given = {"Content-Type": "image/jpeg", "Connection": "close", **(headers or {})}
    key = given.get("Idempotency-Key", "")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience_seconds)
    started = time.monotonic()
    try:
        connection.connect()
        # A server may refuse and close before it has read the body; its answer can still be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", target, body or picture, given)
        started = time.monotonic()
        with connection.getresponse() as response:
            raw, status = response.read(), response.status
            heads = {name.lower(): value for name, value in response.getheaders()}
    except TimeoutError:
        return _without_answer(digest, "silent", started, key)
    except ConnectionRefusedError:
        return _without_answer(digest, "refused", started, key)
    except (OSError, http.client.HTTPException):
        return _without_answer(digest, "closed", started, key)
    finally:
        connection.close()
    return _with_answer(digest, status, raw, heads, started, key)


def ask_over(http: httpx2.Client, picture: bytes, *, headers: Mapping[str, str] | None = None) -> Operation:
    """The same over connections that are kept; `seconds` counts from before the first byte was sent."""
    digest, started = hashlib.sha256(picture).hexdigest(), time.monotonic()
    given = {"Content-Type": "image/jpeg", **(headers or {})}
    key = given.get("Idempotency-Key", "")
    try:
        answer = http.post("/predict", content=picture, headers=given)
    except httpx2.TimeoutException:
        return _without_answer(digest, "silent", started, key)
    except httpx2.ConnectError:
        return _without_answer(digest, "refused", started, key)
    except httpx2.TransportError:
        return _without_answer(digest, "closed", started, key)
    return _with_answer(digest, answer.status_code, answer.content, answer.headers, started, key)


def _without_answer(digest: str, code: str, started: float, key: str) -> Operation:
    now = time.monotonic()
    return Operation(digest, 0, code, now - started, key=key, ended_at=now)


def _with_answer(digest: str, status: int, raw: bytes, heads: Mapping[str, str], started: float, key: str) -> Operation:
    now, problem = time.monotonic(), ""
    try:
        body = json.loads(raw)
    except ValueError:
        body, problem = {}, "the answer is no JSON"
    if status != 200 and not heads.get("content-type", "").startswith("application/problem+json"):
        problem = "the refusal is no problem+json"
    return Operation(
        digest,
        status,
        OK if status == 200 else str(body.get("code", "without code")),
        now - started,
        request_id=str(body.get("request_id", "")),
        label=str(body.get("label", "")),
        version=str(body.get("version", "")),
        key=key,
        replayed=heads.get("idempotency-replayed") == "true",
        ended_at=now,
        problem=problem or ("" if body.get("request_id") else "the answer has no request_id"),
    )
