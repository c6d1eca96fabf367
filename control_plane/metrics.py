"""Every metric of the control plane: name, labels, buckets and help, declared once.

Labels are bounded: models and versions of the store, roles, stages, verdicts and codes of the error registry.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector

ALERT_LIMITS = (0.5, 1.0, 2.0, 3.0, 5.0)  # seconds at which rules compare: bucket edges, so that they are exact
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, *ALERT_LIMITS, 10.0, 30.0)
MILLISECONDS = tuple(1000 * edge for edge in SECONDS)
CONFIDENCE = tuple(tenth / 10 for tenth in range(1, 11))

PUBLIC_ERROR_TYPES = {
    "model_not_loaded": "model_not_loaded",
    "no_image_provided": "no_image_provided",
    "empty_filename": "empty_filename",
    "file_too_large": "file_too_large",
    "too_many_pixels": "file_too_large",
}
"""Our codes in the five values of `prediction_errors_total`; every other code counts as processing_error."""


disable_created_metrics()  # type: ignore[no-untyped-call] # scrapers would take every *_created for one more series


class Metrics:
    """On a registry of its own, so that two services in one process do not meet."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        served = ("model", "version", "role")
        self.predictions = Counter(
            "weedwatch_predictions", "Predictions by outcome: a verdict or an error code.", (*served, "outcome"),
            registry=registry,
        )  # fmt: skip
        self.prediction_seconds = Histogram(
            "weedwatch_prediction_seconds", "From a request's last byte to its answer.", served,
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.stage_seconds = Histogram(
            "weedwatch_stage_seconds",
            "Time by stage: receive, check, queue, torchserve, preprocess, inference, postprocess, keep, record.",
            ("stage",), buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.confidence = Histogram(
            "weedwatch_prediction_confidence", "Confidence of the best label.", ("model", "version"),
            buckets=CONFIDENCE, registry=registry,
        )  # fmt: skip
        self.errors = Counter("weedwatch_errors", "Error answers by code.", ("code",), registry=registry)
        self.http_requests = Counter(
            "weedwatch_http_requests", "HTTP requests by route.", ("method", "route", "status"), registry=registry
        )
        self.http_seconds = Histogram(
            "weedwatch_http_request_seconds", "HTTP requests, first byte to last.", ("method", "route"),
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.idempotency = Counter(
            "weedwatch_idempotency", "Requests with an Idempotency-Key: first, replayed, unknown or conflict.",
            ("outcome",), registry=registry,
        )  # fmt: skip
        self.queue_depth = Gauge("weedwatch_queue_depth", "Requests that wait for a worker.", registry=registry)
        self.batch_size = Histogram(
            "weedwatch_batch_pictures", "Pictures in a call to TorchServe.", buckets=(1, 2, 4, 8, 16), registry=registry
        )
        self.group_size = Histogram(
            "weedwatch_commit_records",
            "Records in a commit.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=registry,
        )
        self.spooled = Counter("weedwatch_spooled_records", "Records that went to the spool.", registry=registry)
        self.replayed = Counter(
            "weedwatch_replayed_records", "Records that came home from the spool.", registry=registry
        )
        self.quarantined = Counter(
            "weedwatch_quarantined_records",
            "Spooled records that were put aside: rotten, or refused.",
            registry=registry,
        )
        self.spool_bytes = Gauge("weedwatch_spool_bytes", "Bytes in this replica's spool.", registry=registry)
        self.in_flight = Gauge("weedwatch_in_flight", "Calls that TorchServe is working on.", registry=registry)
        self.ready_workers = Gauge("weedwatch_ready_workers", "TorchServe workers that are READY.", registry=registry)
        self.ready = Gauge("weedwatch_ready", "1 when a reference picture proves that it serves.", registry=registry)
        self.database_up = Gauge("weedwatch_database_up", "1 when PostgreSQL answers.", registry=registry)
        self.probes = Counter("weedwatch_probes", "Reference predictions by result.", ("result",), registry=registry)
        self.shadows = Counter(
            "weedwatch_shadow_copies",
            "Copies of requests for another version: agrees, disagrees, shed, or what they failed with.",
            ("model", "version", "outcome"), registry=registry,
        )  # fmt: skip
        self.guard_rollbacks = Counter(
            "weedwatch_guard_rollbacks", "Canaries that the guard took away.", ("model", "version", "reason"),
            registry=registry,
        )  # fmt: skip
        self.requests_public = Counter("prediction_requests", "Requests for a prediction.", registry=registry)
        self.milliseconds_public = Histogram(
            "prediction_processing_time_ms", "Milliseconds from a request's last byte to its answer.",
            buckets=MILLISECONDS, registry=registry,
        )  # fmt: skip
        self.errors_public = Counter(
            "prediction_errors", "Failed requests for a prediction.", ("error_type",), registry=registry
        )
        for error_type in (*sorted(set(PUBLIC_ERROR_TYPES.values())), "processing_error"):
            self.errors_public.labels(error_type)
