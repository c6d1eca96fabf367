"""What is counted of predictions: bounded, and gone when its version is."""

from control_plane.metrics import Metrics
from control_plane.telemetry.counts import MOST_LABELS, OTHER, Counts

PLANTS, HEARS = ("plants", "1"), ("plants", "2")
IDS = {"trace_id": "a" * 32, "request_id": "b"}


def series(metrics: Metrics, name: str) -> dict[str, float]:
    """Those of a version, by their last label."""
    found = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name == name and sample.labels.get("model") == "plants":
                found[list(sample.labels.values())[-1]] = sample.value
    return found


def test_a_version_with_a_thousand_labels_has_so_many_series_and_no_more() -> None:
    metrics = Metrics()
    counts = Counts(metrics)
    for number in range(1000):
        counts.answered(PLANTS, f"label {number}", 0.5)
    counts.answered(PLANTS, "label 0", 0.5)
    counts.answered(PLANTS, "label 999", 0.5)
    found = series(metrics, "weedwatch_predicted_labels_total")
    assert len(found) == MOST_LABELS
    assert found["label 0"] == 2
    assert found[OTHER] == 1000 - (MOST_LABELS - 1) + 1
    assert sum(found.values()) == 1002


def test_what_a_version_may_do_is_told_before_it_does_it() -> None:
    metrics = Metrics()
    counts = Counts(metrics)
    counts.announce(PLANTS, "stable")
    before = series(metrics, "weedwatch_predictions_total")
    assert before["species"] == before["processing_error"] == 0
    counts.ended(PLANTS, "stable", "species", 0.1, IDS)
    counts.announce(PLANTS, "stable")
    assert series(metrics, "weedwatch_predictions_total") == {**before, "species": 1}


def test_a_version_that_is_forgotten_leaves_no_series() -> None:
    metrics = Metrics()
    counts = Counts(metrics)
    counts.answered(PLANTS, "a", 0.5)
    counts.ended(PLANTS, "canary", "species", 0.1, IDS)
    counts.announce_guarded(PLANTS)
    counts.announce_listener(HEARS)
    assert series(metrics, "weedwatch_guard_rollbacks_total")["slow"] == 0
    assert series(metrics, "weedwatch_shadow_copies_total")["agrees"] == 0
    assert counts.versions == {PLANTS, HEARS}
    metrics.shadows.labels(*HEARS, "processing_error").inc()
    counts.forget([PLANTS, HEARS, ("plants", "7")])
    assert counts.versions == set()
    assert not [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.labels.get("model") == "plants"
    ]


def test_metrics_that_are_switched_off_count_nothing() -> None:
    metrics = Metrics(on=False)
    counts = Counts(metrics)
    counts.ended(PLANTS, "stable", "species", 0.1, IDS)
    counts.answered(PLANTS, "a", 0.5)
    counts.announce_listener(PLANTS)
    counts.forget([PLANTS])
    metrics.errors.labels("internal_error").inc()
    metrics.stages["queue"].observe(1)
    metrics.queue_depth.set_function(lambda: 1)
    assert list(metrics.predictions.collect()) == []
    assert metrics.registry.get_sample_value("weedwatch_errors_total", {"code": "internal_error"}) is None
