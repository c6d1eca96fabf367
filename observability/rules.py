"""Topics as Prometheus's rules, and their cases as tests for promtool."""

import re
from collections.abc import Mapping
from typing import Any

from observability.dashboards import place_of
from observability.parts import Alert, Case, Topic, faster
from observability.places import Places
from observability.topics import TOPICS

INTERVAL_SECONDS = 15
RULES_FILE = "weedwatch.rules.yml"
_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


def rules(places: Places, factor: float = 1, windows: float | None = None) -> dict[str, Any]:
    """The rule file; with a factor every window, `for` and interval is that much shorter.

    `windows`: another factor for the windows alone.
    """
    shorter = factor if windows is None else windows
    return {"groups": [_group(topic, places, factor, shorter) for topic in TOPICS if topic.recordings or topic.alerts]}


def _group(topic: Topic, places: Places, factor: float, windows: float) -> dict[str, Any]:
    recordings = [
        {
            "record": each.name,
            "expr": faster(each.expr, windows),
            **({"labels": dict(each.labels)} if each.labels else {}),
        }
        for each in topic.recordings
    ]
    return {
        "name": topic.name,
        "interval": f"{max(1, round(INTERVAL_SECONDS / factor))}s",
        "rules": [*recordings, *(_rule(alert, topic, places, factor, windows) for alert in topic.alerts)],
    }


def _rule(alert: Alert, topic: Topic, places: Places, factor: float, windows: float) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "alert": alert.name,
        "expr": faster(alert.expr, windows),
        "for": f"{round(alert.for_seconds / factor)}s",
        "labels": labels(alert, topic),
        "annotations": annotations(alert, places),
    }
    if alert.keep_seconds:
        rule["keep_firing_for"] = f"{round(alert.keep_seconds / factor)}s"
    return rule


def labels(alert: Alert, topic: Topic) -> dict[str, str]:
    return {"severity": alert.severity, "topic": topic.name}


def annotations(alert: Alert, places: Places) -> dict[str, str]:
    panel = places.panel(*place_of(alert.panel))
    graphs = {"dashboard_url": panel, "logs_url": places.logs()} if places.grafana else {}
    return {
        "summary": alert.summary,
        "description": alert.meaning,
        "value": alert.value,
        "what_to_do": "\n".join(f"{number}. {step}" for number, step in enumerate(alert.steps, 1)),
        "runbook_url": places.runbook(alert.name),
        **graphs,
    }


def tests(places: Places) -> dict[str, Any]:
    """Promtool's test file: each alert once firing and once quiet."""
    return {
        "rule_files": [RULES_FILE],
        "evaluation_interval": "1m",
        "tests": [test for topic in TOPICS for alert in topic.alerts for test in _tests(alert, topic, places)],
    }


def _tests(alert: Alert, topic: Topic, places: Places) -> list[dict[str, Any]]:
    expected = {**alert.fires.labels, **labels(alert, topic)}
    said = {
        name: _LABEL.sub(lambda found: alert.fires.labels.get(found[1], ""), text)
        for name, text in annotations(alert, places).items()
    }
    return [
        _test(
            alert,
            "fires",
            alert.fires,
            [{"exp_labels": expected, "exp_annotations": {**said, "value": alert.fires.value}}],
        ),
        _test(alert, "is quiet", alert.quiet, []),
    ]


def _test(alert: Alert, name: str, case: Case, expected: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"{alert.name} {name}",
        "interval": case.interval,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": alert.name, "exp_alerts": expected}],
    }
