"""Queries of older systems, asked of a real Prometheus that scrapes this service's metrics."""

from collections.abc import Callable
from pathlib import Path

import prometheus_client

from control_plane.metrics import Metrics
from observability.generate import Setup
from observability.topics.older_names import OLDER, SAME
from tests.monitoring import running_prometheus, targets
from tests.waiting import wait_until

SECONDS = 60.0
QUERIES = (
    "sum(rate(http_requests_total[30s]))",
    "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[30s])))",
    'sum(cv_predictions_total{result="oak"})',
    "sum(model_predictions_total)",
    "sum(rate(model_errors_total[30s]))",
    "histogram_quantile(0.99, sum by (le) (rate(prediction_processing_time_ms_bucket[30s])))",
    'cv_database_connected{job="control_plane"}',
    "pppq_model_f1_score + pppq_model_accuracy",
    "process_resident_memory_bytes",
)


def _count(metrics: Metrics) -> None:
    served = ("plants", "1", "stable")
    metrics.predictions.labels(*served, "species").inc()
    metrics.predictions.labels(*served, "processing_error").inc()
    metrics.stage_seconds.labels("inference").observe(0.02)
    metrics.confidence.labels("plants", "1").observe(0.9)
    metrics.labels.labels("plants", "1", "oak").inc()
    metrics.http_requests.labels("POST", "/predict", "200").inc()
    metrics.http_seconds.labels("POST", "/predict").observe(0.1)
    metrics.http_request_bytes.labels("POST", "/predict").observe(90_000)
    metrics.http_response_bytes.labels("POST", "/predict").observe(600)
    metrics.database_up.set(1)
    metrics.group_size.observe(3)
    metrics.model_f1.labels("plants", "1").set(0.91)
    metrics.model_accuracy.labels("plants", "1").set(0.94)
    metrics.requests_public.inc()
    metrics.milliseconds_public.observe(100)
    metrics.errors_public.labels("processing_error").inc()


def test_every_name_and_query_of_older_systems_answers(tmp_path: Path) -> None:
    metrics = Metrics()
    _count(metrics)
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1", metrics.registry)
    try:
        setup = Setup(targets=targets(f"127.0.0.1:{server.server_address[1]}"), factor=15)
        with running_prometheus(tmp_path, setup) as prometheus:
            names = [f"{older.name}{'_bucket' if '{part}' in older.expr else ''}" for older in OLDER] + [
                f"{name}{'_bucket' if name.endswith('_ms') else ''}" for name, _ in SAME
            ]

            def answers(query: str) -> Callable[[], bool]:
                def ask() -> bool:
                    _count(metrics)
                    return bool(prometheus.query(query))

                return ask

            silent = [query for query in (*names, *QUERIES) if wait_until(answers(query), SECONDS) is None]
            assert silent == []
            assert {each["metric"]["status"] for each in prometheus.query("http_requests_total")} == {"200"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
