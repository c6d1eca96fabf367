"""What LogQL panels name stands in the lines that the running service writes."""

import json
from typing import Any

import pytest

from observability import filled
from observability.alloy import LABELS, METADATA
from observability.parts import Loki
from observability.topics.logs import QUERIES, TOPIC
from tests.acceptance.conftest import Service
from tests.logql.parsing import parsed
from tests.waiting import eventually

LOKIS_OWN = {"__error__"}
PANELS = {
    panel.key: filled.logql(query.expr)
    for row in TOPIC.rows
    for panel in row.panels
    for query in panel.queries
    if isinstance(query, Loki)
}


@pytest.fixture(scope="module")
def lines(service: Service) -> list[dict[str, Any]]:
    """Of the control plane and of the handler, after a prediction and an error."""
    photo = service.http.get("/info/example").content
    answer = service.http.post("/predict", files={"image": ("a.jpg", photo, "image/jpeg")})
    assert answer.status_code == 200
    refused = service.http.post("/predict").headers["X-Request-ID"]
    eventually(lambda: refused in service.log("control_plane.jsonl"), what="the newest line is written")
    return [json.loads(line) for line in service.log("control_plane.jsonl").splitlines()]


def test_fields_of_panels_are_fields_of_real_lines(lines: list[dict[str, Any]]) -> None:
    written = {name for line in lines for name in line}
    missing = {
        key: unknown
        for key, read in zip(PANELS, parsed([*PANELS.values()]), strict=True)
        if (unknown := read.fields - written - LOKIS_OWN - {*LABELS} - {*METADATA})
    }
    assert missing == {}


def test_a_field_that_no_line_has_is_found(lines: list[dict[str, Any]]) -> None:
    written = {name for line in lines for name in line}
    (read,) = parsed(["{service=`x`} | json | duration_of_it > 3"])
    assert read.fields - written == {"duration_of_it"}


def test_levels_and_ids_are_where_alloy_looks_for_them(lines: list[dict[str, Any]]) -> None:
    assert {line["level"] for line in lines} <= {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
    requests = [line for line in lines if "status" in line]
    assert requests
    assert all(name in line for line in requests for name in METADATA)


def test_documented_queries_find_the_prediction(lines: list[dict[str, Any]]) -> None:
    found = [line for line in lines if "Prediction successful" in json.dumps(line)]
    assert found
    assert all(isinstance(line["confidence"], float) for line in found)
    assert any("Prediction successful" in query for query in QUERIES.values())
    (sure,) = (query for query in QUERIES.values() if "confidence > 0.9" in query)
    assert parsed([sure])[0].fields <= {*found[0]}
