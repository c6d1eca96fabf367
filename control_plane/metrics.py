"""Every metric of the control plane: name, labels, buckets and help, declared once.

Labels are bounded: models and versions of the store, roles, stages, verdicts and codes of the error registry.
"""

from bisect import bisect_left
from collections.abc import Iterable
from time import time
from typing import Any

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.samples import Exemplar

from control_plane.errors import ERRORS

ALERT_LIMITS = (0.5, 1.0, 2.0, 3.0, 5.0)  # seconds at which rules compare: bucket edges, so that they are exact
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, *ALERT_LIMITS, 10.0, 30.0)
BYTES = tuple(float(4**power) for power in range(5, 14))  # 1 KiB to 64 MiB
MILLISECONDS = tuple(1000 * edge for edge in SECONDS)
CONFIDENCE = tuple(tenth / 10 for tenth in range(1, 11))
STAGES = (
    *("receive", "check", "queue", "torchserve", "preprocess", "inference", "postprocess"),
    *("keep", "record"),
)

PUBLIC_ERROR_TYPES = {
    "model_not_loaded": "model_not_loaded",
    "no_image_provided": "no_image_provided",
    "empty_filename": "empty_filename",
    "file_too_large": "file_too_large",
    "too_many_pixels": "file_too_large",
}
"""Our codes in the five values of `prediction_errors_total`; every other code counts as processing_error."""


disable_created_metrics()  # type: ignore[no-untyped-call] # scrapers would take every *_created for one more series


class Histogram(prometheus_client.Histogram):
    """That of the library, told the same way; an observation costs a quarter of it, and a prediction makes sixteen.

    It takes no locks: all that is observed is observed by the thread of the event loop. Nor does it check exemplars.
    """

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        bucket = self._buckets[bisect_left(self._upper_bounds, amount)]
        bucket._value += 1
        self._sum._value += amount
        if exemplar:
            bucket._exemplar = Exemplar(exemplar, amount, time())


class _Nothing:
    """In the place of a metric that is switched off."""

    def labels(self, *_: object, **__: object) -> "_Nothing":
        return self

    def _ignore(self, *_: object, **__: object) -> None:
        """Nobody counts."""

    inc = dec = set = observe = set_function = clear = remove = remove_by_labels = _ignore

    def collect(self) -> Iterable[Any]:
        return ()


class Metrics:
    """On a registry of its own, so that two services in one process do not meet."""

    def __init__(self, *, on: bool = True) -> None:  # noqa: PLR0915 - a list
        """Not `on`: all are there, and count nothing."""
        self.on = on
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
            f"Time by stage: {', '.join(STAGES)}.",
            ("stage",), buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.confidence = Histogram(
            "weedwatch_prediction_confidence", "Confidence of the best label.", ("model", "version"),
            buckets=CONFIDENCE, registry=registry,
        )  # fmt: skip
        self.labels = Counter(
            "weedwatch_predicted_labels", "Answers by their best label; rare ones of large models together as other.",
            ("model", "version", "label"), registry=registry,
        )  # fmt: skip
        self.errors = Counter("weedwatch_errors", "Error answers by code.", ("code",), registry=registry)
        self.http_requests = Counter(
            "weedwatch_http_requests", "HTTP requests by route.", ("method", "route", "status"), registry=registry
        )
        self.http_seconds = Histogram(
            "weedwatch_http_request_seconds", "HTTP requests, first byte to last.", ("method", "route"),
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.http_request_bytes = Histogram(
            "weedwatch_http_request_bytes", "Bodies of requests.", ("method", "route"), buckets=BYTES, registry=registry
        )
        self.http_response_bytes = Histogram(
            "weedwatch_http_response_bytes", "Bodies of answers.", ("method", "route"), buckets=BYTES, registry=registry
        )
        self.idempotency = Counter(
            "weedwatch_idempotency", "Requests with an Idempotency-Key: first, replayed, unknown or conflict.",
            ("outcome",), registry=registry,
        )  # fmt: skip
        self.answer_cache = Counter(
            "weedwatch_answer_cache",
            "Predictions by where the answer came from: hit, miss, or bypass (the client wanted a new one).",
            ("outcome",), registry=registry,
        )  # fmt: skip
        self.answer_cache_entries = Gauge(
            "weedwatch_answer_cache_entries", "Answers that are kept to be given again.", registry=registry
        )
        self.answer_cache_evictions = Counter(
            "weedwatch_answer_cache_evictions", "Kept answers that had to go for newer ones.", registry=registry
        )
        self.queue_depth = Gauge("weedwatch_queue_depth", "Requests that wait for a worker.", registry=registry)
        self.queue_limit = Gauge(
            "weedwatch_queue_limit", "Requests that may wait for workers of one version.", registry=registry
        )
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
        self.spool_limit_bytes = Gauge(
            "weedwatch_spool_limit_bytes", "Bytes that the spool may take.", registry=registry
        )
        self.in_flight = Gauge("weedwatch_in_flight", "Calls that TorchServe is working on.", registry=registry)
        self.ready_workers = Gauge("weedwatch_ready_workers", "TorchServe workers that are READY.", registry=registry)
        self.ready = Gauge("weedwatch_ready", "1 when a reference picture proves that it serves.", registry=registry)
        self.not_ready = Gauge(
            "weedwatch_not_ready", "1 for each reason why it cannot serve at present.", ("reason",), registry=registry
        )
        self.database_up = Gauge("weedwatch_database_up", "1 when PostgreSQL answers.", registry=registry)
        self.database_connections = Gauge(
            "weedwatch_database_connections", "Connections of the pool: used, free, and how many it may have: limit.",
            ("state",), registry=registry,
        )  # fmt: skip
        self.database_waiting = Gauge(
            "weedwatch_database_waiting", "Who waits for a connection of the pool.", registry=registry
        )
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
        self.changes = Counter(
            "weedwatch_changes", "Changes of who answers, by what was asked for and how it ended.",
            ("model", "kind", "outcome"), registry=registry,
        )  # fmt: skip
        self.revision = Gauge(
            "weedwatch_rollout_revision", "Number of the rollout that this replica goes by.", ("model",),
            registry=registry,
        )  # fmt: skip
        self.share = Gauge(
            "weedwatch_rollout_share", "The part of the requests that a version answers, or hears as shadow: 0 to 1.",
            ("model", "version", "part"), registry=registry,
        )  # fmt: skip
        self.version_workers = Gauge(
            "weedwatch_version_workers", "Workers of a version: wanted, ready.",
            ("model", "version", "part", "state"), registry=registry,
        )  # fmt: skip
        self.version_proven = Gauge(
            "weedwatch_version_proven", "1 while all of a version's reference pictures answer as pinned.",
            ("model", "version", "part"), registry=registry,
        )  # fmt: skip
        self.version_sick = Gauge(
            "weedwatch_version_sick", "1 for a version that cannot be loaded or answers wrongly.",
            ("model", "version"), registry=registry,
        )  # fmt: skip
        self.model_accuracy = Gauge(
            "weedwatch_model_accuracy_ratio", "Share of right answers on held-out pictures, by the version's card.",
            ("model", "version"), registry=registry,
        )  # fmt: skip
        self.model_f1 = Gauge(
            "weedwatch_model_f1_ratio", "Macro F1 on held-out pictures, by the version's card.",
            ("model", "version"), registry=registry,
        )  # fmt: skip
        self.torchserve_up = Gauge(
            "weedwatch_torchserve_up", "1 when this TorchServe answers; numbered as in the settings.", ("torchserve",),
            registry=registry,
        )  # fmt: skip
        self.reconcile_seconds = Histogram(
            "weedwatch_reconcile_seconds", "A look at TorchServe and what follows from it.", buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        self.reconcile_failures = Counter(
            "weedwatch_reconcile_failures", "Looks at TorchServe that came to nothing.", registry=registry
        )
        self.leader = Gauge("weedwatch_leader", "1 in the replica that leads.", registry=registry)
        self.replicas = Gauge("weedwatch_replicas", "Replicas that live, as this one sees it.", registry=registry)
        self.uploads = Counter(
            "weedwatch_uploads", "Uploaded versions by what became of them: ready or refused.", ("outcome",),
            registry=registry,
        )  # fmt: skip
        self.uploads_waiting = Gauge(
            "weedwatch_uploads_waiting_seconds",
            "How long the oldest upload has waited for the quarantine's verdict.",
            registry=registry,
        )
        self.audit_intact = Gauge(
            "weedwatch_audit_intact", "1 while the audit's chain of digests holds.", registry=registry
        )
        self.newest_backup = Gauge(
            "weedwatch_newest_backup_timestamp_seconds",
            "When the newest backup was made; 0: none yet.",
            registry=registry,
        )
        self.oldest_record = Gauge(
            "weedwatch_oldest_record_timestamp_seconds",
            "When the oldest record that is kept was made; 0: there is none.",
            registry=registry,
        )
        self.certificate_expiry = Gauge(
            "weedwatch_certificate_expiry_timestamp_seconds",
            "When a watched certificate ends; 0: it cannot be read.",
            ("certificate",),
            registry=registry,
        )
        self.cpu_ratio = Gauge("weedwatch_machine_cpu_ratio", "Busy part of the processors, 0 to 1.", registry=registry)
        self.memory_used = Gauge("weedwatch_machine_memory_used_bytes", "Memory in use.", registry=registry)
        self.memory_total = Gauge("weedwatch_machine_memory_total_bytes", "Memory there is.", registry=registry)
        self.disk_free = Gauge(
            "weedwatch_machine_disk_free_bytes", "Free bytes on the disk with the state folder.", registry=registry
        )
        self.disk_total = Gauge(
            "weedwatch_machine_disk_total_bytes", "Size of the disk with the state folder.", registry=registry
        )
        self.log_lines_dropped = Counter(
            "weedwatch_log_lines_dropped", "Log lines that were dropped since nobody took them.", registry=registry
        )
        self.build = Gauge(
            "weedwatch_build", "Always 1; which version of Weedwatch runs.", ("version",), registry=registry
        )
        self.requests_public = Counter("prediction_requests", "Requests for a prediction.", registry=registry)
        self.milliseconds_public = Histogram(
            "prediction_processing_time_ms", "Milliseconds from a request's last byte to its answer.",
            buckets=MILLISECONDS, registry=registry,
        )  # fmt: skip
        self.errors_public = Counter(
            "prediction_errors", "Failed requests for a prediction.", ("error_type",), registry=registry
        )
        if not on:
            for name, value in list(vars(self).items()):
                if isinstance(value, MetricWrapperBase):
                    setattr(self, name, _Nothing())
        self._say_all()

    def _say_all(self) -> None:
        """What can happen is there from the start, as 0: a first event is then seen as an increase."""
        self.stages = {stage: self.stage_seconds.labels(stage) for stage in STAGES}
        for error_type in (*sorted(set(PUBLIC_ERROR_TYPES.values())), "processing_error"):
            self.errors_public.labels(error_type)
        for code in ERRORS:
            self.errors.labels(code)
        for outcome in ("first", "replayed", "unknown", "conflict"):
            self.idempotency.labels(outcome)
        for outcome in ("hit", "miss", "bypass"):
            self.answer_cache.labels(outcome)
        for result in ("passed", "wrong", "error"):
            self.probes.labels(result)
        for outcome in ("ready", "refused"):
            self.uploads.labels(outcome)
