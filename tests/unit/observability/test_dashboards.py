"""Dashboards keep Grafana's rules and ours; every rule is seen to refuse what breaks it."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as models

from observability import dashboards, declared
from observability.dashboards import ANNOTATIONS, DASHBOARDS, placed
from observability.parts import Panel, Prom, Row
from observability.topics import PANELS
from tests.unit.observability.layout import problems

Board = dict[str, Any]


def _board(key: str) -> Board:
    read: Board = json.loads(dashboards.encoded(next(each for each in DASHBOARDS if each.key == key)))
    return read


@pytest.mark.parametrize("key", [each.key for each in DASHBOARDS])
def test_every_dashboard_keeps_the_rules(key: str) -> None:
    assert problems(_board(key)) == []


@pytest.mark.parametrize("each", DASHBOARDS, ids=lambda each: each.key)
def test_the_same_topics_give_the_same_bytes(each: dashboards.Dashboard) -> None:
    assert dashboards.encoded(each) == dashboards.encoded(each)


def _first(board: Board, kind: str = "") -> Board:
    found: Board = next(each for each in board["panels"] if each["type"] != "row" and kind in ("", each["type"]))
    return found


def _overlap(board: Board) -> None:
    shown = [each for each in board["panels"] if each["type"] != "row"]
    shown[0]["gridPos"] = dict(board["panels"][0]["gridPos"])


def _second_id(board: Board) -> None:
    _first(board)["id"] = board["panels"][-1]["id"]
    if board["panels"][-1] is _first(board):
        board["panels"][0]["id"] = board["panels"][-1]["id"]


BROKEN: dict[str, tuple[Callable[[Board], object], str]] = {
    "a panel without an id": (lambda board: _first(board).update(id=0), "has no id"),
    "two panels of one id": (_second_id, "has the id of"),
    "a panel that is too wide": (lambda board: _first(board)["gridPos"].update(x=13, w=12), "reaches beyond 24"),
    "panels on each other": (_overlap, "overlap"),
    "a query without a data source": (lambda board: _first(board)["targets"][0].pop("datasource"), "no data source"),
    "a value without a unit": (
        lambda board: _first(board, "timeseries")["fieldConfig"]["defaults"].pop("unit"),
        "has no unit",
    ),
    "a hidden legend": (
        lambda board: _first(board, "timeseries")["options"]["legend"].update(showLegend=False),
        "has no legend",
    ),
    "a panel that explains nothing": (lambda board: _first(board).update(description=""), "has no description"),
    "a panel without a query": (lambda board: _first(board).update(targets=[]), "asks nothing"),
    "two queries of one letter": (
        lambda board: _first(board)["targets"].append(_first(board)["targets"][0]),
        "of one letter",
    ),
    "a uid that Grafana cuts": (lambda board: board.update(uid="w" * 41), "is not of 1 to 40 characters"),
    "a dashboard that explains nothing": (lambda board: board.update(description=""), "no description"),
    "a fixed time zone": (lambda board: board.update(timezone="utc"), "reader's browser"),
    "no refresh": (lambda board: board.update(refresh=""), "does not refresh"),
    "a missing variable": (lambda board: board["templating"].update(list=[]), "there is no variable logs"),
}


@pytest.mark.parametrize(("breaks", "said"), BROKEN.values(), ids=list(BROKEN))
def test_what_breaks_a_rule_is_found(breaks: Callable[[Board], object], said: str) -> None:
    board = copy.deepcopy(_board("service"))
    breaks(board)
    assert any(said in problem for problem in problems(board))


def _panel(key: str, width: int, height: int = 8) -> Panel:
    return Panel(key, key, "Shows it.", "timeseries", "short", (Prom("up"),), width=width, height=height)


def test_a_line_that_is_full_goes_on_below_and_reaches_the_end() -> None:
    row = Row("service", "A row", (_panel("a", 10, 6), _panel("b", 10), _panel("c", 10), _panel("d", 24)))
    places = {panel.key: (at.x, at.y, at.w, at.h) for panel, at in placed(row, 1)}
    assert places == {"a": (0, 1, 10, 8), "b": (10, 1, 14, 8), "c": (0, 9, 24, 8), "d": (0, 17, 24, 8)}


def test_keys_of_panels_are_unique_and_so_are_their_numbers() -> None:
    assert len({panel.key for panel in PANELS}) == len(PANELS)
    assert len({dashboards.number_of(panel) for panel in PANELS}) == len(PANELS)


def test_a_panel_keeps_its_number() -> None:
    assert dashboards.place_of("latency-percentiles") == ("service", 667381)


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=lambda each: each.name)
def test_annotations_use_metrics_that_exist(annotation: dashboards.Annotation) -> None:
    assert declared.unknown(annotation.query.expr) == []


@pytest.mark.parametrize("key", [each.key for each in DASHBOARDS])
def test_grafanas_own_types_read_every_key(key: str) -> None:
    """A key that they do not know is dropped by them without a word."""
    register_default_plugins()
    written = _board(key)
    read = json.loads(JSONEncoder().encode(models.Dashboard.from_json(written)))
    for each in (*read["links"], *read["annotations"]["list"]):
        del each["placement"]
    assert read == written


def test_marks_and_links_are_not_hidden_in_a_menu() -> None:
    board = _board("service")
    assert not [each for each in (*board["links"], *board["annotations"]["list"]) if "placement" in each]


def test_a_graph_by_version_links_to_the_logs_and_to_that_version() -> None:
    panel = next(each for each in _board("quality")["panels"] if each["title"] == "Median confidence")
    urls = [link["url"] for link in panel["fieldConfig"]["defaults"]["links"]]
    assert [url.split("?")[0] for url in urls] == ["/d/weedwatch-logs", "/d/weedwatch-quality"]
    assert urls[1].endswith("&var-version=${__field.labels.version}")


def test_a_panel_with_an_alert_links_to_its_runbook() -> None:
    links = [link for panel in _board("service")["panels"] for link in panel.get("links") or []]
    assert any(link["url"].endswith("/#/runbooks/LatencyAverageHigh") for link in links)
