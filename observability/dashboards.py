"""Topics as Grafana's dashboards (classic schema: files of the newer one are not taken by its provisioning)."""

import json
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

with warnings.catch_warnings():
    # Every builder says that the newer schema is to be preferred.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard

from grafana_foundation_sdk.cog import builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from observability import panels
from observability.parts import Panel, Prom, Row
from observability.places import Places
from observability.topics import ALERTS, TOPICS
from observability.variables import PROMETHEUS, variable

COLUMNS = 24
TAG = "weedwatch"


@dataclass(frozen=True)
class Dashboard:
    key: str
    title: str
    description: str
    since: str = "now-1h"
    refresh: str = "30s"
    variables: tuple[str, ...] = ("model", "version", "replica")
    """Beside the three data sources, which each has, so that links carry them along."""


DASHBOARDS = (
    Dashboard("service", "Service and objectives", "What broke, since when, in which version."),
    Dashboard(
        "quality",
        "Model quality and rollouts",
        "What the versions answer, how sure they are, how they differ.",
        since="now-24h",
        refresh="1m",
    ),
    Dashboard(
        "logs",
        "Logs",
        "What every part of the service wrote.",
        variables=("service", "level", "search", "request_id"),
    ),
    Dashboard(
        "infrastructure",
        "Infrastructure",
        "Machine, database, TorchServe, and the monitoring itself.",
        variables=("replica",),
    ),
)


@dataclass(frozen=True)
class Annotation:
    """Marks on every graph of the dashboards that read Prometheus."""

    name: str
    query: Prom
    color: str
    text: str
    tags: tuple[str, ...] = ()


_STEP = "15s"
ANNOTATIONS = (
    Annotation(
        "Rollouts",
        # The window is longer than the step, so that no change falls between two of them.
        Prom("max by (model) (changes(weedwatch_rollout_revision[1m])) > 0", "Rollout of {{model}} changed"),
        "blue",
        "Another version answers, or another share of the requests. The quality dashboard says which.",
        ("model",),
    ),
    Annotation(
        "Rollbacks",
        # A counter that appears has risen too, which `increase` does not see.
        Prom(
            "(sum by (model, version, reason) (weedwatch_guard_rollbacks_total)"
            " - (sum by (model, version, reason) (weedwatch_guard_rollbacks_total offset 1m)"
            " or 0 * sum by (model, version, reason) (weedwatch_guard_rollbacks_total))) > 0",
            "The guard took {{version}} away",
        ),
        "orange",
        "The canary did worse than stable: {{reason}}.",
        ("model", "version", "reason"),
    ),
    Annotation(
        "Critical alerts",
        Prom('ALERTS{alertstate="firing", severity="critical"}', "{{alertname}}"),
        "red",
        "Fires; its runbook is linked on the panel that shows it.",
        ("alertname", "topic"),
    ),
)


def number_of(panel: Panel) -> int:
    """Its id on the dashboard: stable, so that links and annotations keep pointing at it."""
    return _number(panel.key)


def _number(key: str) -> int:
    return zlib.crc32(key.encode()) % 1_000_000 + 1


def place_of(key: str) -> tuple[str, int]:
    """Dashboard and id of the panel with this key."""
    for topic in TOPICS:
        for row in topic.rows:
            for panel in row.panels:
                if panel.key == key:
                    return row.dashboard, number_of(panel)
    raise LookupError(f"There is no panel {key!r}.")


def rows_of(key: str) -> list[Row]:
    """A dashboard's rows in the order of the topics; rows of one title are one row."""
    found: dict[str, Row] = {}
    for topic in TOPICS:
        for row in topic.rows:
            if row.dashboard == key:
                above = found.get(row.title)
                found[row.title] = Row(key, row.title, (*above.panels, *row.panels)) if above else row
    return list(found.values())


def placed(row: Row, top: int) -> Iterator[tuple[Panel, models.GridPos]]:
    """Each panel with its place: from left to right, a new line where one does not fit any more.

    Panels of a line get the height of the highest, and the last one of a line reaches its end.
    """
    lines: list[list[Panel]] = []
    for panel in row.panels:
        if not lines or sum(each.width for each in lines[-1]) + panel.width > COLUMNS:
            lines.append([])
        lines[-1].append(panel)
    for line in lines:
        height, left = max(each.height for each in line), 0
        for number, panel in enumerate(line, 1):
            width = COLUMNS - left if number == len(line) else panel.width
            yield panel, models.GridPos(h=height, w=width, x=left, y=top)
            left += width
        top += height


def encoded(each: Dashboard, places: Places | None = None) -> str:
    """The dashboard as JSON."""
    at = places or Places()
    made = (
        dashboard.Dashboard(each.title)
        .uid(f"weedwatch-{each.key}")
        .description(each.description)
        .tags([TAG])
        .timezone("browser")
        .editable()
        .time(each.since, "now")
        .refresh(each.refresh)
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(_other_dashboards())
        .link(_link("Service", f"{at.service}/#/status", "The Status room: the same figures without Grafana."))
    )
    for name in ("datasource", "logs", "database", *each.variables):
        made = made.with_variable(variable(name))
    for annotation in ANNOTATIONS:
        made = made.annotation(_annotation(annotation))
    built = made.build()
    # Not by the builder, which wraps lines after they are too long and numbers nothing.
    built.panels = [*_panels(each.key, at)]
    made_json = json.loads(JSONEncoder().encode(built))
    for each_link in (*made_json["links"], *made_json["annotations"]["list"]):
        del each_link["placement"]  # it would hide them in a menu
    return json.dumps(made_json, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _panels(key: str, at: Places) -> Iterator[models.Panel | models.RowPanel]:
    top = 0
    for row in rows_of(key):
        place = models.GridPos(h=1, w=COLUMNS, x=0, y=top)
        yield dashboard.Row(row.title).id(_number(f"row {key} {row.title}")).grid_pos(place).build()
        top += 1
        for panel, place in placed(row, top):
            runbooks: list[builder.Builder[models.DashboardLink]] = [
                _link(f"{alert.name}: what to do", at.runbook(alert.name), alert.summary)
                for alert in ALERTS
                if alert.panel == panel.key
            ]
            yield panels.made(panel).id(number_of(panel)).grid_pos(place).links(runbooks).build()
            top = max(top, place.y + place.h)


def _annotation(each: Annotation) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(each.name)
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(each.color)
        .expr(each.query.expr)
        .step(_STEP)
        .title_format(each.query.legend)
        .text_format(each.text)
        .tag_keys(",".join(each.tags))
    )


def _other_dashboards() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .keep_time(True)
        .include_vars(True)
        .tooltip("The other dashboards, at the same time and with the same choices")
    )


def _link(title: str, url: str, tooltip: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(url)
        .tooltip(tooltip)
        .target_blank(True)
        .icon("external link")
    )
