"""Every PromQL expression of panels, rules and annotations is read, with its types, by the real promtool."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from observability import filled
from observability.dashboards import ANNOTATIONS
from observability.parts import Prom
from observability.programs import program
from observability.topics import TOPICS

SECONDS = 120


def expressions() -> dict[str, str]:
    found = {f"annotation {each.name}": each.query.expr for each in ANNOTATIONS}
    for topic in TOPICS:
        for row in topic.rows:
            for panel in row.panels:
                for number, query in enumerate(panel.queries):
                    if isinstance(query, Prom):
                        found[f"panel {panel.key} {number}"] = query.expr
        found |= {f"recording {topic.name} {n} {each.name}": each.expr for n, each in enumerate(topic.recordings)}
        found |= {f"alert {each.name}": each.expr for each in topic.alerts}
    return found


def refused(folder: Path, expressions: Mapping[str, str]) -> str:
    """What promtool says of them, nothing when it takes all; each is a rule with its name as a label."""
    rules = [
        {"record": "checked", "expr": filled.promql(expr), "labels": {"who": who}} for who, expr in expressions.items()
    ]
    file = folder / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "checked", "rules": rules}]}))
    done = subprocess.run(
        [str(program("promtool")), "check", "rules", "--lint=none", str(file)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_every_expression_is_promql_of_the_right_types(tmp_path: Path) -> None:
    found = expressions()
    assert len(found) > 100
    assert refused(tmp_path, found) == ""


def test_no_variable_of_grafana_is_left() -> None:
    left = [who for who, expr in expressions().items() if re.search(r"\$\D", filled.promql(expr))]
    assert left == []


def test_rollouts_and_rollbacks_are_marked_when_they_happen_and_not_after(tmp_path: Path) -> None:
    rollouts, rollbacks = (each.query.expr for each in ANNOTATIONS[:2])
    labels = '{model="plants", reason="errors", version="2"}'
    plants = '{model="plants"}'
    file = tmp_path / "tests.yml"
    cases = [
        (rollouts, "4m", []),
        (rollouts, "5m15s", [{"labels": plants, "value": 1}]),
        (rollouts, "7m", []),
        (rollbacks, "4m", []),
        # The counter begins with the first rollback: before, there is no series.
        (rollbacks, "5m15s", [{"labels": labels, "value": 1}]),
        (rollbacks, "7m", []),
        (rollbacks, "8m15s", [{"labels": labels, "value": 1}]),
    ]
    series = {
        'weedwatch_rollout_revision{instance="one", model="plants"}': "1x20 2x20",
        f"weedwatch_guard_rollbacks_total{labels}": "_x20 1x12 2x10",
    }
    test = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": expr, "eval_time": at, "exp_samples": seen} for expr, at, seen in cases],
    }
    file.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [test]}))
    done = subprocess.run(
        [str(program("promtool")), "test", "rules", str(file)],
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


BAD = {
    "a rate of a number of now": "rate(weedwatch_queue_depth)",
    "a range that is summed": "sum(weedwatch_errors_total[5m])",
    "a rate of a sum": "rate(sum(weedwatch_errors_total)[5m])",
    "a bracket too few": "sum(rate(weedwatch_errors_total[5m])",
    "an unknown function": "percentile(weedwatch_queue_depth)",
    "a quantile of a word": 'histogram_quantile("0.5", weedwatch_prediction_seconds_bucket)',
    "a variable that nobody fills in": "rate(weedwatch_errors_total[$__rates])",
}


@pytest.mark.parametrize("expr", BAD.values(), ids=list(BAD))
def test_what_is_no_promql_is_refused_by_name(tmp_path: Path, expr: str) -> None:
    said = refused(tmp_path, {"good": "up", "the bad one": expr})
    assert "could not parse expression" in said
