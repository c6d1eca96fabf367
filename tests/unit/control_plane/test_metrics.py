"""Histograms of ours are told as those of the library, whose fields they set themselves."""

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from control_plane import metrics
from control_plane.metrics import SECONDS, Histogram

IDS = {"trace_id": "a" * 32, "request_id": "b"}


def told(kind: type[prometheus_client.Histogram]) -> str:
    registry = CollectorRegistry()
    plain = kind("plain", "Of all.", buckets=SECONDS, registry=registry)
    by_route = kind("by_route", "By route.", ("route",), buckets=(1, 2), registry=registry)
    for amount in (-1, 0, SECONDS[0], 0.0011, 0.3, 1, SECONDS[-1], 31, float("inf")):
        plain.observe(amount)
        by_route.labels("/predict").observe(amount, IDS)
        by_route.labels("/history").observe(amount, {})
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode()


def test_a_histogram_tells_the_same_as_the_librarys_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "time", lambda: 1.5)
    monkeypatch.setattr("prometheus_client.metrics.time.time", lambda: 1.5)
    assert told(Histogram) == told(prometheus_client.Histogram)
    assert told(Histogram).count("# {") == 2


def test_an_observation_without_labels_is_an_error_where_there_are_some() -> None:
    with pytest.raises(AttributeError):
        Histogram("by_route", "By route.", ("route",), registry=None).observe(1)
