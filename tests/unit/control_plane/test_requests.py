"""Every request has a line in the log and a trace: the caller's if it is well-formed, else its own."""

import logging
from typing import Any
from uuid import UUID

import pytest
from starlette.types import Message, Receive, Scope, Send

from control_plane.metrics import Metrics
from control_plane.telemetry import logs
from control_plane.web.requests import RequestContext

TRACE, SPAN = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"


async def seen(*headers: tuple[bytes, bytes]) -> tuple[str | None, UUID]:
    """The trace id within a request with these headers, and the request's id."""
    found: list[Any] = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        found.extend((logs.trace_id.get(), scope["state"]["request_id"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(_: Message) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": "/", "headers": list(headers)}
    await RequestContext(app, metrics=Metrics())(scope, receive, send)
    return found[0], found[1]


async def test_a_request_is_of_the_trace_that_its_caller_names() -> None:
    trace, _ = await seen((b"traceparent", b"00-%s-%s-01" % (TRACE, SPAN)))
    assert trace == TRACE.decode()


async def test_a_request_without_a_trace_is_named_by_its_own_id() -> None:
    trace, request_id = await seen()
    assert trace == request_id.hex
    assert logs.trace_id.get() is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00-%s-%s" % (TRACE, SPAN),
        b"00-%s-%s-01-more" % (TRACE, SPAN),
        b"ff-%s-%s-01" % (TRACE, SPAN),
        b"00-%s-%s-01" % (b"0" * 32, SPAN),
        b"00-%s-%s-01" % (TRACE, b"0" * 16),
        b"00-%s-%s-01" % (TRACE.upper(), SPAN),
        b"00-%s-%s-01" % (TRACE[:-1], SPAN),
        b"00-%s-%s-01\n" % (TRACE, SPAN),
        b"00-" + b"f" * 5000,
    ],
)
async def test_what_is_no_traceparent_names_no_trace(value: bytes) -> None:
    trace, request_id = await seen((b"traceparent", value))
    assert trace == request_id.hex


async def test_the_line_of_a_request_says_where_in_the_code_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await seen()
    (record,) = caplog.records
    assert (record.name, record.module, record.funcName) == ("control_plane.web.requests", "requests", "_tell")
    assert (record.levelname, record.getMessage()) == ("INFO", "request")
    told = vars(record)
    assert {name: told[name] for name in ("method", "path", "status", "correlation_id", "caller")} == {
        "method": "GET", "path": "/", "status": 200, "correlation_id": None, "caller": None,
    }  # fmt: skip
