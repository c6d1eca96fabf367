"""Which metrics there are, and which an expression uses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from prometheus_client.metrics import MetricWrapperBase

from control_plane.metrics import Metrics
from observability.parts import Panel, Prom
from observability.topics import TOPICS

ROOT = Path(__file__).resolve().parents[1]
TORCHSERVE_METRICS = ROOT / "handlers" / "torchserve-metrics.yaml"
# Told by Prometheus, Alertmanager, the Python runtime and others: `make prove-observability` asks the real ones.
FOREIGN = (
    "up",
    "ALERTS",
    "ALERTS_FOR_STATE",
    "scrape_",
    "prometheus_",
    "alertmanager_",
    "process_",
    "python_",
    "loki_",
    "pg_",
)
_ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "info": ("_info",)}


@dataclass(frozen=True)
class Metric:
    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    source: str

    @property
    def samples(self) -> tuple[str, ...]:
        """The names of its series."""
        return tuple(f"{self.name}{ending}" for ending in _ENDINGS[self.kind])


def metrics() -> list[Metric]:
    """All that the control plane, TorchServe and the handler tell."""
    return [*_control_plane(), *_torchserve()]


def _control_plane() -> Iterator[Metric]:
    for each in vars(Metrics()).values():
        if isinstance(each, MetricWrapperBase):
            family = next(iter(each.describe()))
            yield Metric(family.name, family.type, family.documentation, tuple(each._labelnames), "control plane")


def _torchserve() -> Iterator[Metric]:
    declared: dict[str, Any] = yaml.safe_load(TORCHSERVE_METRICS.read_text("utf-8"))
    for part, source in (("ts_metrics", "TorchServe"), ("model_metrics", "handler")):
        for kind, found in declared[part].items():
            for each in found:
                # Its frontend takes names as they stand, `_total` included, and adds where it ran.
                name = each["name"].removesuffix("_total") if kind == "counter" else each["name"]
                labels = tuple(each["dimensions"]) if source == "TorchServe" else (*each["dimensions"], "Hostname")
                yield Metric(
                    name,
                    kind if name != each["name"] or kind != "counter" else "gauge",
                    f"In {each['unit']}.",
                    labels,
                    source,
                )


def known_series() -> dict[str, Metric | None]:
    """Every name that a query may use; None where the labels are not ours to say."""
    names: dict[str, Metric | None] = {sample: metric for metric in metrics() for sample in metric.samples}
    return names | {each.name: None for topic in TOPICS for each in topic.recordings}


def used(expr: str) -> set[tuple[str, tuple[str, ...]]]:
    """Names of series in an expression, each with the labels that it is chosen by.

    Raises:
        ValueError: It is no PromQL.
    """
    plain = expr
    for variable, value in SUBSTITUTES.items():
        plain = plain.replace(variable, value)
    found: set[tuple[str, tuple[str, ...]]] = set()
    _walk(promql_parser.parse(plain), found)
    return found


SUBSTITUTES = {"$__rate_interval": "1m", "$__interval": "1m", "$__range": "1h"}
"""What Grafana fills in; its variables are words within quotes and do no harm."""


def _walk(node: Any, found: set[tuple[str, tuple[str, ...]]]) -> None:
    if isinstance(node, promql_parser.VectorSelector):
        matchers = [each.name for each in node.matchers.matchers]
        if node.name:
            found.add((node.name, tuple(name for name in matchers if name != "__name__")))
    for part in ("expr", "lhs", "rhs", "args", "vector_selector", "param"):
        below = getattr(node, part, None)
        for each in below if isinstance(below, list | tuple) else [below]:
            if each is not None:
                _walk(each, found)


def unknown(expr: str) -> list[str]:
    """What an expression names that nobody tells: metrics, or labels of them."""
    known, problems = known_series(), []
    for name, labels in sorted(used(expr)):
        if name.startswith(FOREIGN):
            continue
        if name not in known:
            problems.append(f"no metric {name}")
        elif (metric := known[name]) is not None:
            ours = {*metric.labels, "le", "job", "instance"}
            problems += [f"{name} has no label {label}" for label in labels if label not in ours]
    return problems


def expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression with the name of who uses it."""
    for topic in TOPICS:
        for row in topic.rows:
            for panel in row.panels:
                yield from ((f"panel “{panel.title}” of dashboard {row.dashboard}", expr) for expr in _of(panel))
        yield from ((f"recording {each.name}", each.expr) for each in topic.recordings)
        yield from ((f"alert {each.name}", each.expr) for each in topic.alerts)


def _of(panel: Panel) -> list[str]:
    return [query.expr for query in panel.queries if isinstance(query, Prom)]


def check() -> list[str]:
    """Who uses what nobody tells: one sentence each, none when all is well."""
    return [f"{who}: {problem}." for who, expr in expressions() for problem in unknown(expr)]
