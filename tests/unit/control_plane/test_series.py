"""The last hour by minutes: what is counted where, and how long answers took."""

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.metrics import Metrics
from control_plane.telemetry.series import MINUTES, Minute, Series

NOON = datetime(2026, 5, 1, 12, 0, 7, tzinfo=UTC)


def predicted(metrics: Metrics, outcome: str, seconds: float) -> None:
    metrics.predictions.labels("plants", "1", "stable", outcome).inc()
    metrics.prediction_seconds.labels("plants", "1", "stable").observe(seconds)


def test_what_happened_stands_in_its_minute() -> None:
    metrics = Metrics()
    predicted(metrics, "species", 0.02)  # before anybody looked: not of this hour
    series = Series(metrics)
    metrics.ready.set(1)
    predicted(metrics, "species", 0.02)
    predicted(metrics, "cant_tell", 0.2)
    metrics.errors.labels("overloaded").inc(3)
    metrics.errors.labels("deadline_exceeded").inc()
    metrics.errors.labels("invalid_image").inc()  # the client's own
    metrics.queue_depth.set(5)
    series.look(NOON)
    metrics.queue_depth.set(2)
    predicted(metrics, "species", 0.02)
    series.look(NOON + timedelta(seconds=20))
    series.look(NOON + timedelta(seconds=60))

    first, second = series.minutes
    assert first.at == NOON.replace(second=0)
    assert first.verdicts == {"species": 2, "cant_tell": 1}
    assert (first.refused, first.failed, first.queue_depth, first.ready) == (3, 1, 5, True)
    assert second.verdicts.total() == 0
    assert second.seconds(0.95) is None


def test_a_minute_is_ready_only_when_it_was_at_every_look() -> None:
    metrics = Metrics()
    series = Series(metrics)
    metrics.ready.set(1)
    series.look(NOON)
    metrics.ready.set(0)
    series.look(NOON + timedelta(seconds=5))
    metrics.ready.set(1)
    series.look(NOON + timedelta(seconds=10))

    assert [minute.ready for minute in series.minutes] == [False]


def test_no_more_than_an_hour_is_kept() -> None:
    series = Series(Metrics())
    for minute in range(MINUTES + 5):
        series.look(NOON + timedelta(minutes=minute))

    assert len(series.minutes) == MINUTES
    assert series.minutes[0].at == NOON.replace(second=0) + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("buckets", "quantile", "seconds"),
    [
        ({0.1: 10}, 0.5, 0.075),
        ({0.1: 10}, 1.0, 0.1),
        ({0.1: 9, 0.5: 1}, 0.95, 0.375),
        ({0.1: 1, float("inf"): 9}, 0.95, 30.0),
        ({}, 0.5, None),
    ],
)
def test_a_quantile_lies_within_its_bucket(buckets: dict[float, int], quantile: float, seconds: float | None) -> None:
    minute = Minute(NOON)
    minute.buckets.update(buckets)

    assert minute.seconds(quantile) == (seconds if seconds is None else pytest.approx(seconds))
