"""Every LogQL query of panels, alerts and documentation is read by Grafana's own grammar. Loki itself is not run."""

import re
from pathlib import Path

import pytest

from observability import filled, provisioning
from observability.alloy import LABELS, METADATA
from observability.parts import Loki
from observability.places import Places
from observability.topics import TOPICS
from observability.topics.logs import QUERIES
from tests.logql.parsing import parsed

ROOT = Path(__file__).parents[3]
PANELS = {
    f"panel {panel.key}": query.expr
    for topic in TOPICS
    for row in topic.rows
    for panel in row.panels
    for query in panel.queries
    if isinstance(query, Loki)
}
ALERTS = {
    f"alert {rule['title']}": query["model"]["expr"]
    for group in provisioning.alerting(provisioning.Sources(), Places())["groups"]
    for rule in group["rules"]
    for query in rule["data"]
    if "expr" in query["model"]
}
DOCUMENTED = {f"documented: {says}": expr for says, expr in QUERIES.items()}
ALL = PANELS | ALERTS | DOCUMENTED
BAD = {
    "a selector that does not end": '{service="x"',
    "a sum over lines without a range": 'sum(count_over_time({service="x"}))',
    "a selector of nothing": "{}",
    "a range of no time": 'rate({service="x"}[5x])',
    "a grouping without brackets": 'sum by level (rate({service="x"}[5m]))',
    "a variable that nobody fills in": 'rate({service="x"}[$__unknown])',
    "a comparison without a value": '{service="x"} | json | confidence >',
    "a word instead of a filter": '{service="x"} contains "y"',
}


def test_every_query_can_be_read() -> None:
    wrong = {
        name: read.errors
        for name, read in zip(ALL, parsed([filled.logql(expr) for expr in ALL.values()]), strict=True)
        if read.errors
    }
    assert wrong == {}


def test_every_query_chooses_streams_by_labels_that_alloy_gives() -> None:
    for name, read in zip(ALL, parsed([filled.logql(expr) for expr in ALL.values()]), strict=True):
        assert read.labels, name
        assert read.labels <= {*LABELS}, name


def test_bad_queries_are_refused() -> None:
    accepted = [name for name, read in zip(BAD, parsed([*BAD.values()]), strict=True) if not read.errors]
    assert accepted == []


def test_labels_and_fields_are_told_apart() -> None:
    query = (
        'sum by (path) (count_over_time({service="x"} | json at=`path`, milliseconds=`ms` | request_id = `1`'
        " | unwrap milliseconds [5m]))"
    )
    read = parsed([query, "{level=`ERROR`} | json | line_format `{{.status}} {{ .label }}`"])
    assert read[0].labels == {"service"}
    assert read[0].fields == {"path", "at", "milliseconds", "ms", "request_id"}
    assert read[1].fields == {"status", "label"}


def test_ids_are_never_labels_of_streams() -> None:
    for read in parsed([filled.logql(expr) for expr in ALL.values()]):
        assert not read.labels & {*METADATA}


@pytest.mark.parametrize(("says", "expr"), QUERIES.items())
def test_documented_queries_stand_in_the_documentation(says: str, expr: str) -> None:
    text = (ROOT / "docs" / "logging.md").read_text("utf-8")
    assert expr in text
    assert says in text


def test_every_query_of_the_documentation_is_one_of_these() -> None:
    text = (ROOT / "docs" / "logging.md").read_text("utf-8")
    shown = re.findall(r"```logql\n(.*?)\n```", text, re.DOTALL)
    assert shown
    assert all(line in QUERIES.values() for block in shown for line in block.splitlines() if line.strip())
