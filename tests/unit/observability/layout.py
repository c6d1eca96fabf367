"""What must hold of every dashboard's JSON; each rule says what is wrong in a sentence."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

COLUMNS = 24
MOST_UID = 40
LEGENDS = {"timeseries", "piechart", "state-timeline", "heatmap"}
WITHOUT_UNIT = {"row", "logs"}


def problems(board: dict[str, Any]) -> list[str]:
    """All that is wrong with a dashboard; none when it may be shipped."""
    return [*_itself(board), *_ids(board), *_grid(board), *(each for panel in _shown(board) for each in _panel(panel))]


def _shown(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def _itself(board: dict[str, Any]) -> Iterator[str]:
    uid = board.get("uid") or ""
    if not 0 < len(uid) <= MOST_UID:
        yield f"uid {uid!r} is not of 1 to {MOST_UID} characters"
    if not board.get("description"):
        yield "the dashboard has no description"
    if board.get("timezone") != "browser":
        yield "times are not those of the reader's browser"
    if not board.get("refresh"):
        yield "it does not refresh itself"
    known = {each["name"] for each in board["templating"]["list"]}
    for missing in {"datasource", "logs", "database"} - known:
        yield f"there is no variable {missing}"


def _ids(board: dict[str, Any]) -> Iterator[str]:
    seen: dict[int, str] = {}
    for panel in board["panels"]:
        number = panel.get("id") or 0
        if number <= 0:
            yield f"“{panel['title']}” has no id"
        elif number in seen:
            yield f"“{panel['title']}” has the id of “{seen[number]}”"
        seen[number] = panel["title"]


def _grid(board: dict[str, Any]) -> Iterator[str]:
    for panel in board["panels"]:
        place = panel["gridPos"]
        if place["x"] < 0 or place["w"] < 1 or place["x"] + place["w"] > COLUMNS:
            yield f"“{panel['title']}” reaches beyond {COLUMNS} columns"
    for one, other in combinations(board["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        if not beside and not above:
            yield f"“{one['title']}” and “{other['title']}” overlap"


def _panel(panel: dict[str, Any]) -> Iterator[str]:
    title = f"“{panel['title']}”"
    if not panel.get("description"):
        yield f"{title} has no description"
    if not panel.get("targets"):
        yield f"{title} asks nothing"
    letters = [each.get("refId") for each in panel.get("targets", [])]
    if len(letters) != len(set(letters)) or not all(letters):
        yield f"{title} has queries of one letter"
    for target in panel.get("targets", []):
        source = target.get("datasource") or {}
        if not source.get("uid") or not source.get("type"):
            yield f"a query of {title} has no data source"
    if panel["type"] not in WITHOUT_UNIT and not panel["fieldConfig"]["defaults"].get("unit"):
        yield f"{title} has no unit"
    legend = (panel.get("options") or {}).get("legend") or {}
    if panel["type"] in LEGENDS and not (legend.get("showLegend") or legend.get("show")):
        yield f"{title} has no legend"
