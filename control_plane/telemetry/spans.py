"""Spans as OpenTelemetry's SDK makes them, sent by OTLP over HTTP. Imported only where traces are sent."""

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from time import monotonic, monotonic_ns, time_ns
from typing import Any
from uuid import UUID

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.span import SpanContext, TraceFlags, format_span_id, format_trace_id

from control_plane.telemetry.logs import trace_id
from control_plane.telemetry.tracing import NOTHING, Attributes, Kind, Sent, falls_within
from control_plane.version import VERSION

log = logging.getLogger(__name__)

MOST_WAITING = 4096  # spans; when the collector is away, the oldest go
MOST_TOGETHER = 512
SEND_AFTER_MS = 1000
SEND_SECONDS = 5.0
CLOSE_SECONDS = 3.0
COMPLAIN_SECONDS = 60.0
LONGEST_TEXT = 500
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}


class Spans:
    """Makes the spans of requests, and sends them."""

    def __init__(self, url: str, *, headers: Mapping[str, str], share: float, replica: str) -> None:
        self._share = share
        session = requests.Session()
        session.max_redirects = 0  # the headers are for this collector alone
        self._sender = _Sender(
            OTLPSpanExporter(
                url, headers=dict(headers), timeout=SEND_SECONDS, compression=Compression.Gzip, session=session
            )
        )
        self._queue = BatchSpanProcessor(
            self._sender,
            max_queue_size=MOST_WAITING,
            schedule_delay_millis=SEND_AFTER_MS,
            max_export_batch_size=MOST_TOGETHER,
        )
        self._own = self._tracer("weedwatch-control-plane", replica)
        self._handler = self._tracer("weedwatch-handler", replica)

    def request(self, request_id: UUID, sent: Sent | None, facts: Attributes) -> "RequestSpan | None":
        if not (sent.is_recorded if sent else falls_within(request_id.hex, self._share)):
            return None
        return RequestSpan(self._own, self._handler, request_id, sent, facts)

    async def close(self) -> None:
        closing = threading.Thread(target=self._queue.shutdown, name="traces-close", daemon=True)
        closing.start()
        deadline = monotonic() + CLOSE_SECONDS
        while closing.is_alive() and monotonic() < deadline:
            await asyncio.sleep(0.02)
        if closing.is_alive():
            self._sender.shutdown()
        self._sender.end()

    def _tracer(self, service: str, replica: str) -> trace.Tracer:
        resource = Resource.create(
            {"service.name": service, "service.version": VERSION, "service.instance.id": replica}
        )
        provider = TracerProvider(
            ALWAYS_ON,  # who is recorded is decided before
            resource,
            shutdown_on_exit=False,
            id_generator=_Ids(),
            span_limits=SpanLimits(max_span_attribute_length=LONGEST_TEXT),
        )
        provider.add_span_processor(self._queue)
        return provider.get_tracer("weedwatch", VERSION)


class _Ids(RandomIdGenerator):
    """A trace that begins here is named as the logs name it."""

    def generate_trace_id(self) -> int:
        known = trace_id.get()
        return int(known, 16) if known else super().generate_trace_id()

    def is_trace_id_random(self) -> bool:
        return False


class _Span:
    """See tracing.Span. `_epoch`: nanoseconds from `monotonic()` to the clock, the same for a whole trace."""

    def __init__(self, own: trace.Tracer, handler: trace.Tracer, span: trace.Span, epoch: int) -> None:
        self._own, self._handler, self._span, self._epoch = own, handler, span, epoch

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}-{context.trace_flags:02x}"

    def begin(self, name: str, kind: Kind = "internal", *, at: float | None = None) -> "_Span":
        return _Span(self._own, self._handler, self._start(self._own, name, at, kind), self._epoch)

    def add(
        self, name: str, began: float, ended: float, attributes: Attributes = NOTHING, kind: Kind = "internal"
    ) -> None:
        self._start(self._own, name, began, kind, attributes).end(self._at(ended))

    def add_handler(self, stages: Mapping[str, float], ended: float) -> None:
        began = ended - sum(stages.values())
        for name, seconds in stages.items():
            self._start(self._handler, name, began).end(self._at(began + seconds))
            began += seconds

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def end(self, *, error: str | None = None, at: float | None = None) -> None:
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR, error)
        self._span.end(self._at(at))

    def _at(self, moment: float | None) -> int:
        return self._epoch + (monotonic_ns() if moment is None else round(moment * 1e9))

    def _start(
        self,
        tracer: trace.Tracer,
        name: str,
        at: float | None,
        kind: Kind = "internal",
        attributes: Attributes = NOTHING,
    ) -> trace.Span:
        below = trace.set_span_in_context(self._span, Context())
        return tracer.start_span(name, below, _KINDS[kind], attributes, start_time=self._at(at))


class RequestSpan(_Span):
    """See tracing.RequestSpan."""

    def __init__(
        self, own: trace.Tracer, handler: trace.Tracer, request_id: UUID, sent: Sent | None, facts: Attributes
    ) -> None:
        now = time_ns()
        attributes = {**facts, "weedwatch.request_id": str(request_id)}
        span = own.start_span("request", _below(sent), SpanKind.SERVER, attributes, start_time=now)
        super().__init__(own, handler, span, now - monotonic_ns())

    def answered(self, method: str, route: str, status: int) -> None:
        self._span.update_name(f"{method} {route}")
        self._span.set_attributes(
            {"http.request.method": method, "http.route": route, "http.response.status_code": status}
        )
        self.end(error=str(status) if status >= 500 else None)


def _below(sent: Sent | None) -> Context:
    if sent is None:
        return Context()
    flags = TraceFlags(int(sent.flags, 16))
    parent = SpanContext(int(sent.trace, 16), int(sent.span, 16), is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())


class _Sender(SpanExporter):
    """Says now and then that nothing can be delivered, in place of OpenTelemetry's line for each try."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self._exporter = exporter
        self._lost = 0
        self._said_at = float("-inf")
        self._heard = _Heard()
        self._logger = logging.getLogger("opentelemetry")
        self._logger.addHandler(self._heard)
        self._logger.propagate = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._lost:
                log.info("traces are delivered again", extra={"lost_spans": self._lost})
            self._lost, self._said_at = 0, float("-inf")
            return result
        self._lost += len(spans)
        if monotonic() - self._said_at >= COMPLAIN_SECONDS:
            self._said_at = monotonic()
            log.warning("traces cannot be delivered", extra={"lost_spans": self._lost, "cause": self._heard.last})
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def end(self) -> None:
        self._logger.removeHandler(self._heard)
        self._logger.propagate = True

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Heard(logging.Handler):
    """Keeps the last thing that was said."""

    last: Any = None

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
