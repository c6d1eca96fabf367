"""Metrics of older systems under their names, by recording rules: their dashboards and queries go on working."""

from collections.abc import Iterator
from dataclasses import dataclass

from observability.parts import Recording, Topic

_HISTOGRAM = ("_bucket", "_sum", "_count")
_FAILED = 'outcome!~"species|one_of|cant_tell|not_a_target|client_left"'


@dataclass(frozen=True)
class Older:
    """`expr` has `{part}` where it is a histogram: one rule each for its buckets, sum and count."""

    name: str
    expr: str
    means: str
    unlike: str = ""
    """What is not as it was there."""

    @property
    def recordings(self) -> Iterator[Recording]:
        if "{part}" not in self.expr:
            yield Recording(self.name, self.expr)
            return
        for part in _HISTOGRAM:
            yield Recording(f"{self.name}{part}", self.expr.replace("{part}", part))


_INFERENCE = 'sum without (stage) (weedwatch_stage_seconds{part}{stage="inference"})'

OLDER = (
    Older(
        "cv_predictions_total",
        'label_replace(weedwatch_predicted_labels_total, "result", "$1", "label", "(.+)")',
        "Answers by class, in the label `result`.",
        "It has the labels `model`, `version` and `label` too.",
    ),
    Older("cv_inference_time_seconds", _INFERENCE, "Seconds in the network alone."),
    Older(
        "cv_model_confidence",
        "sum without (model, version) (weedwatch_prediction_confidence{part})",
        "Confidence of the best label, 0 to 1.",
    ),
    Older("cv_database_connected", "weedwatch_database_up", "1 when PostgreSQL answers."),
    Older(
        "http_requests_total",
        "sum without (route) (weedwatch_http_requests_total)",
        "HTTP requests by `method` and `status`.",
    ),
    Older(
        "http_request_duration_seconds",
        "sum without (route) (weedwatch_http_request_seconds{part})",
        "HTTP requests, first byte to last.",
    ),
    Older(
        "http_request_size_bytes",
        "sum without (route) (weedwatch_http_request_bytes{part})",
        "Bodies of requests.",
    ),
    Older(
        "http_response_size_bytes",
        "sum without (route) (weedwatch_http_response_bytes{part})",
        "Bodies of answers.",
    ),
    Older(
        "model_predictions_total",
        "sum without (role, outcome) (weedwatch_predictions_total)",
        "Predictions by `model` and `version`, whatever became of them.",
    ),
    Older("model_inference_duration_seconds", _INFERENCE, "Seconds in the network alone."),
    Older(
        "model_errors_total",
        f"sum without (role, outcome) (weedwatch_predictions_total{{{_FAILED}}})",
        "Predictions that failed, by `model` and `version`.",
    ),
    Older(
        "pppq_new_data_rows",
        "sum(increase(weedwatch_commit_records_sum[1d]))",
        "Rows of new data: records that were committed within a day.",
        "It grows with the pictures that are classified; nothing is imported in batches.",
    ),
    Older("pppq_model_f1_score", "weedwatch_model_f1_ratio", "Macro F1 on held-out pictures, from the model card."),
    Older(
        "pppq_model_accuracy", "weedwatch_model_accuracy_ratio", "Accuracy on held-out pictures, from the model card."
    ),
)

SAME = (
    ("prediction_requests_total", "Requests for a prediction."),
    ("prediction_processing_time_ms", "Histogram, from a request's last byte to its answer, in milliseconds."),
    ("prediction_errors_total", "By `error_type`, with the same five values."),
    ("process_cpu_seconds_total", "Of the control plane's process."),
    ("process_resident_memory_bytes", "Of the control plane's process."),
    ("python_gc_collections_total", "By `generation`."),
)
"""Told by the control plane itself, under the same name."""

LATER = (("cv_user_feedback_total", "`satisfaction`: comes with feedback on answers, which is not there yet."),)

TOPIC = Topic("older_names", recordings=tuple(rule for older in OLDER for rule in older.recordings))
