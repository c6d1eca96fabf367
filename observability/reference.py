"""Every metric as a page to read: what it is, who tells it, and which panels and alerts use it."""

import re
from collections.abc import Iterable
from itertools import chain

from observability import declared
from observability.declared import Metric
from observability.topics import older_names

_HEAD = """\
# Metrics

Made from `control_plane/metrics.py`, `handlers/torchserve-metrics.yaml` and `observability/topics/` by
`python -m observability write`.

The control plane tells its metrics at `/metrics`, and passes on those of TorchServe and the handler at
`/metrics/torchserve`.
A histogram's series end in `_bucket`, `_sum` and `_count`. Where OpenMetrics is asked for, the
latencies of predictions and of HTTP requests carry exemplars with `trace_id` and `request_id`.
[Panels](../observability/generated/panels.md) lists the dashboards.
"""
_SOURCES = {
    "control plane": ("Of the control plane", "Each replica tells its own."),
    "handler": ("Of the handler", "Told by each worker to TorchServe's frontend."),
    "TorchServe": ("Of TorchServe", "As TorchServe itself counts; its latencies are counters of microseconds."),
}
_PANEL = re.compile("panel (“.+?”) of dashboard (\\w+)")
_UNITS = (
    ("_timestamp_seconds", "seconds since 1970"),
    ("_seconds", "seconds"),
    ("_bytes", "bytes"),
    ("_ratio", "0 to 1"),
    ("_ms", "milliseconds"),
)
EXAMPLES = {
    "Requests a second, by route": "sum by (route) (rate(weedwatch_http_requests_total[5m]))",
    "The same by its older name": "rate(http_requests_total[5m])",
    "95 % of the predictions are faster than": (
        "histogram_quantile(0.95, sum by (le) (rate(weedwatch_prediction_seconds_bucket[5m])))"
    ),
    "The same of HTTP requests, by its older name": (
        "histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))"
    ),
    "Predictions since the start": "sum(weedwatch_predictions_total)",
    "Predictions of each version within a day": ("sum by (model, version) (increase(weedwatch_predictions_total[1d]))"),
    "Share of the predictions that failed": (
        "sum(rate(prediction_errors_total[5m])) / sum(rate(prediction_requests_total[5m]))"
    ),
    "Memory of the control plane": 'process_resident_memory_bytes{job="control_plane"}',
    "Memory of the machine in use": "weedwatch_machine_memory_used_bytes / weedwatch_machine_memory_total_bytes",
    "Why it cannot serve": "weedwatch_not_ready == 1",
}
"""What people ask, and the PromQL that answers it."""


def page() -> str:
    users = _users()
    parts = [_HEAD]
    for source, (title, sentence) in _SOURCES.items():
        parts.append(f"\n## {title}\n\n{sentence}\n\n| Metric | Type | Unit | Labels | What it says | Used by |\n")
        parts.append("|---|---|---|---|---|---|\n")
        parts += [_line(each, users) for each in declared.metrics() if each.source == source]
    parts.append("\n## Questions in PromQL\n\n| Question | PromQL |\n|---|---|\n")
    parts += [f"| {question} | `{expr}` |\n" for question, expr in EXAMPLES.items()]
    return "".join([*parts, *_older()])


def _users() -> dict[str, list[str]]:
    """Who uses each series."""
    users: dict[str, list[str]] = {}
    for who, expr in declared.expressions():
        for name, _ in declared.used(expr):
            users.setdefault(name, []).append(who)
    return users


def _line(metric: Metric, users: dict[str, list[str]]) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    used = "; ".join(dict.fromkeys(chain.from_iterable(users.get(name, ()) for name in metric.samples)))
    said = "" if metric.help.startswith("In ") else metric.help
    used = _PANEL.sub(r"\2: \1", used)
    name = metric.samples[0] if metric.kind == "counter" else metric.name
    cells = (f"`{name}`", metric.kind, unit(metric), labels, said, used)
    return f"| {' | '.join(cells)} |\n"


def unit(metric: Metric) -> str:
    """By its name; TorchServe's by what its configuration says."""
    if metric.help.startswith("In "):
        return metric.help.removeprefix("In ").removesuffix(".").replace("ms", "milliseconds").lower()
    return next((unit for ending, unit in _UNITS if metric.name.endswith(ending)), "")


def _older() -> Iterable[str]:
    yield "\n## Names of older systems\n\nRecording rules keep them, so that older queries go on working.\n\n"
    yield "| Name | What it says | Unlike there |\n|---|---|---|\n"
    for older in older_names.OLDER:
        yield f"| `{older.name}` | {older.means} | {older.unlike} |\n"
    for name, means in older_names.SAME:
        yield f"| `{name}` | {means} | Told under this name itself. |\n"
    for name, means in older_names.LATER:
        yield f"| `{name}` | {means} | Not there yet. |\n"
