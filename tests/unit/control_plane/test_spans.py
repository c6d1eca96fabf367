"""Spans by the real SDK, sent by OTLP to a real HTTP server that reads them."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat as uuid
from starlette.types import Message, Receive, Scope, Send

from control_plane.errors import ProcessingError
from control_plane.exchange import Exchange
from control_plane.metrics import Metrics
from control_plane.telemetry import spans as module
from control_plane.telemetry import tracing
from control_plane.telemetry.logs import trace_id
from control_plane.telemetry.spans import Spans
from control_plane.torchserve import Inference, Item, TorchServe
from control_plane.web.requests import RequestContext
from handlers import frame
from tests.monitoring import Sink, running_sink
from tests.proofs.stack import free_port
from tests.traces import Seen, spans

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REPLICA = "replica-1"


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    with running_sink() as running:
        yield running


def traced(sink: Sink, share: float = 1) -> Spans:
    return Spans(f"{sink.url}/v1/traces", headers={"authorization": "Bearer secret"}, share=share, replica=REPLICA)


async def ask(
    tracer: Spans, *headers: tuple[bytes, bytes], path: str = "/predict", status: int = 200, work: Any = None
) -> dict[str, Any]:
    """One request through the middleware; gives what the application saw of it."""
    saw: dict[str, Any] = {}

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        saw.update(scope["state"], span=tracing.current.get())
        if work:
            work()
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(_: Message) -> None:
        pass

    scope = {
        "type": "http", "method": "POST", "path": path, "headers": list(headers), "scheme": "http",
        "query_string": b"key=secret",
    }  # fmt: skip
    await RequestContext(app, metrics=Metrics(), tracer=tracer)(scope, receive, send)
    assert tracing.current.get() is None
    return saw


def by_name(found: list[Seen]) -> dict[str, Seen]:
    return {span.name: span for span in found}


async def test_a_request_is_a_server_span_named_by_its_id_with_what_it_did_below(sink: Sink) -> None:
    tracer = traced(sink)

    def work() -> None:
        span = tracing.current.get()
        assert span is not None
        span.add("queue", monotonic() - 0.2, monotonic() - 0.1)
        call = span.begin("call", "client")
        call.add_handler({"preprocess": 0.03, "inference": 0.02, "postprocess": 0.01}, ended := monotonic())
        call.end(at=ended)

    saw = await ask(tracer, (b"x-request-id", b"client-1"), (b"authorization", b"Bearer ww_secret"), work=work)
    await tracer.close()
    minted: UUID = saw["request_id"]
    found = spans(sink, minted.hex)
    server, queue, call = (by_name(found)[name] for name in ("POST unmatched", "queue", "call"))
    assert (server.kind, queue.kind, call.kind) == ("server", "internal", "client")
    assert server.parent == ""
    assert queue.parent == call.parent == server.id
    assert saw["traceparent"] == f"00-{minted.hex}-{server.id}-01"
    assert server.attributes["weedwatch.request_id"] == str(minted)
    assert server.attributes["weedwatch.correlation_id"] == "client-1"
    assert server.attributes["http.response.status_code"] == 200
    assert not server.failed
    stages = [span for span in found if span.service == "weedwatch-handler"]
    assert [span.name for span in stages] == ["preprocess", "inference", "postprocess"]
    assert {span.parent for span in stages} == {call.id}
    assert [span.end for span in stages] == [stages[1].start, stages[2].start, call.end]
    assert [round((span.end - span.start) / 1e6) for span in stages] == [30, 20, 10]
    assert abs(server.start - queue.start) < 1e9
    assert not any("secret" in str(span) for span in found)
    assert {each.headers["authorization"] for each in sink.received} == {"Bearer secret"}


async def test_a_callers_trace_goes_on_and_its_flag_decides(sink: Sink) -> None:
    tracer = traced(sink, share=0)
    recorded = await ask(tracer, (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode()))
    left_out = await ask(tracer, (b"traceparent", f"00-{'a' * 32}-{SPAN}-00".encode()))
    alone = await ask(tracer)
    await tracer.close()
    (span,) = spans(sink)
    assert (span.trace, span.parent) == (TRACE, SPAN)
    assert recorded["traceparent"] == f"00-{TRACE}-{span.id}-01"
    assert left_out["span"] is None
    assert left_out["traceparent"] == f"00-{'a' * 32}-{SPAN}-00"
    assert alone["span"] is None
    assert alone["traceparent"] == tracing.own(alone["request_id"])


async def test_probes_of_health_are_recorded_only_for_who_traces_them(sink: Sink) -> None:
    tracer = traced(sink)
    assert (await ask(tracer, path="/health/ready"))["span"] is None
    assert (await ask(tracer, path="/metrics"))["span"] is None
    assert (await ask(tracer, (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode()), path="/metrics"))["span"]
    await tracer.close()


async def test_a_failure_of_ours_is_marked_and_a_refusal_is_not(sink: Sink) -> None:
    tracer = traced(sink)
    failed, refused = await ask(tracer, status=503), await ask(tracer, status=429)
    await tracer.close()
    assert [span.failed for span in spans(sink, failed["request_id"].hex)] == [True]
    assert [span.failed for span in spans(sink, refused["request_id"].hex)] == [False]
    assert spans(sink, failed["request_id"].hex)[0].attributes["error.type"] == "503"


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


async def test_a_collector_that_is_away_costs_one_line_and_no_time(heard: pytest.LogCaptureFixture) -> None:
    tracer = Spans(f"http://127.0.0.1:{free_port()}/v1/traces", headers={}, share=1, replica=REPLICA)
    for _ in range(3 * module.MOST_WAITING):
        span = tracer.request(uuid.uuid7(), None, {})
        assert span is not None
        span.answered("GET", "/", 200)
    await tracer.close()
    lines = [
        record
        for record in heard.records
        if record.name.startswith(("opentelemetry", "control_plane.telemetry.spans", "urllib3"))
    ]
    assert [record.getMessage() for record in lines] == ["traces cannot be delivered"]
    assert tracer._queue._batch_processor._queue.maxlen == module.MOST_WAITING


async def test_a_collector_that_never_answers_does_not_hold_up_the_stop(sink: Sink) -> None:
    sink.delay_seconds = 120
    tracer = traced(sink)
    await ask(tracer)
    began = monotonic()
    await tracer.close()
    assert monotonic() - began < 10 * module.CLOSE_SECONDS


async def test_a_collector_cannot_send_the_credential_elsewhere(sink: Sink) -> None:
    with running_sink() as other:
        sink.status, sink.location = 307, other.url
        tracer = traced(sink)
        await ask(tracer)
        await tracer.close()
        assert sink.received
        assert other.received == []


ANSWER = b'{"predictions": [{"label": "a", "confidence": 0.5}], "seconds": {"preprocess": 0.1, "inference": 0.2}}'


@asynccontextmanager
async def handling(*parts: tuple[int, bytes]) -> AsyncIterator[tuple[TorchServe, list[str]]]:
    """TorchServe with a handler that answers so to the pictures of each call, and the traceparents that it was told."""
    told: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert length is not None
        told.extend(part.header["traceparent"] for part in frame.unpack(await reader.readexactly(int(length[1]))))
        body = frame.pack([frame.Part({"status": status}, said) for status, said in parts])
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = TorchServe(
        inference_url=url, management_url=url, metrics_url=url, max_answer_seconds=5, exchange=Exchange(None)
    )
    await client.open()
    async with server:
        yield client, told
    await client.close()


async def test_pictures_of_one_call_have_it_in_their_own_traces_and_the_handler_is_told_so(sink: Sink) -> None:
    tracer = traced(sink)
    requests = [tracer.request(minted := uuid.uuid7(), tracing.read(sent_of(minted)), {}) for _ in range(2)]
    unrecorded = tracing.own(uuid.uuid7())
    items = [Item(b"p", {"traceparent": "wrong"}, monotonic() + 5, span=request) for request in requests]
    items.append(Item(b"p", {"traceparent": unrecorded}, monotonic() + 5))
    async with handling((200, ANSWER), (422, b'{"code":"invalid_image","message":"x"}'), (200, ANSWER)) as (
        client,
        told,
    ):
        await client.infer("plants", "7", items)
    for request in requests:
        assert request is not None
        request.answered("POST", "/predict", 200)
    await tracer.close()
    calls = [span for span in spans(sink) if span.kind == "client"]
    assert sorted(told) == sorted([*(f"00-{call.trace}-{call.id}-01" for call in calls), unrecorded])
    assert len({call.trace for call in calls}) == 2
    assert {call.attributes["weedwatch.batch_pictures"] for call in calls} == {3}
    assert {call.attributes["weedwatch.version"] for call in calls} == {"7"}
    assert sorted(call.failed for call in calls) == [False, True]
    good = next(call for call in calls if not call.failed)
    stages = [span for span in spans(sink, good.trace) if span.service == "weedwatch-handler"]
    assert [(span.name, span.parent) for span in stages] == [("preprocess", good.id), ("inference", good.id)]
    assert stages[-1].end == good.end


async def test_a_call_that_fails_as_a_whole_is_marked_in_every_trace(sink: Sink) -> None:
    tracer = traced(sink)
    request = tracer.request(minted := uuid.uuid7(), tracing.read(sent_of(minted)), {})
    async with handling((200, b"nonsense"), (200, b"more than was asked")) as (client, _):
        with pytest.raises(ProcessingError):
            await client.infer("plants", "7", [Item(b"p", {}, monotonic() + 5, span=request)])
    await tracer.close()
    (call,) = [span for span in spans(sink) if span.kind == "client"]
    assert call.failed
    assert call.attributes["error.type"] == "processing_error"


async def test_a_handler_that_tells_nonsense_of_its_stages_is_traced_without_them(sink: Sink) -> None:
    tracer = traced(sink)
    request = tracer.request(minted := uuid.uuid7(), tracing.read(sent_of(minted)), {})
    odd = ANSWER.replace(b"0.1", b"NaN").replace(b"0.2", b"1e200")
    async with handling((200, odd)) as (client, _):
        (answer,) = await client.infer("plants", "7", [Item(b"p", {}, monotonic() + 5, span=request)])
    await tracer.close()
    assert isinstance(answer, Inference)
    assert [span.name for span in spans(sink)] == ["POST /predictions/{model}/{version}"]


def sent_of(minted: UUID) -> bytes:
    return f"00-{minted.hex}-{SPAN}-01".encode()


async def test_it_says_when_traces_are_delivered_again(heard: pytest.LogCaptureFixture, sink: Sink) -> None:
    sink.status = 400
    tracer = traced(sink)
    await ask(tracer)
    tracer._queue.force_flush()
    sink.status = 200
    await ask(tracer)
    await tracer.close()
    said = [record for record in heard.records if record.name == "control_plane.telemetry.spans"]
    assert [record.getMessage() for record in said] == ["traces cannot be delivered", "traces are delivered again"]
    assert vars(said[0])["lost_spans"] == 1
    assert "400" in str(vars(said[0])["cause"])


async def test_a_span_of_no_request_has_an_id_of_its_own() -> None:
    assert trace_id.get() is None
    assert module._Ids().generate_trace_id() > 0
