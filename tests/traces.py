"""What a collector got: the spans in the OTLP requests of a sink."""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.monitoring import Received, Sink


@dataclass(frozen=True)
class Seen:
    """One span; ids in hexadecimal, times in nanoseconds."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    attributes: Mapping[str, Any]
    failed: bool


def spans(sink: Sink, trace: str | None = None) -> list[Seen]:
    """All that arrived, or those of one trace; in the order of their begin."""
    found = [span for each in list(sink.received) for span in _spans(each) if trace in {None, span.trace}]
    return sorted(found, key=lambda span: span.start)


def _spans(received: Received) -> Iterator[Seen]:
    body = gzip.decompress(received.body) if received.headers.get("content-encoding") == "gzip" else received.body
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    service=str(service),
                    name=span.name,
                    kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    attributes=_values(span.attributes),
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes}
