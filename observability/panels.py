"""One panel as Grafana's builders make it: what it shows by its kind, its queries by their data source."""

import warnings
from collections.abc import Callable, Mapping

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import (
        common as build,
    )
    from grafana_foundation_sdk.builders import (
        dashboard,
        gauge,
        geomap,
        heatmap,
        logs,
        loki,
        piechart,
        prometheus,
        stat,
        statetimeline,
        table,
        timeseries,
    )

from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models import (
    common,
)
from grafana_foundation_sdk.models import (
    dashboard as models,
)
from grafana_foundation_sdk.models import (
    heatmap as heatmap_models,
)
from grafana_foundation_sdk.models import (
    piechart as piechart_models,
)
from grafana_foundation_sdk.models import (
    prometheus as prometheus_models,
)

from observability.parts import Kind, Loki, Panel, Prom, Query, Sql
from observability.variables import LOKI, POSTGRES, POSTGRES_TYPE, PROMETHEUS

AnyPanel = (
    timeseries.Panel
    | stat.Panel
    | gauge.Panel
    | heatmap.Panel
    | table.Panel
    | piechart.Panel
    | logs.Panel
    | statetimeline.Panel
    | geomap.Panel
)
CALCULATIONS = ["lastNotNull", "mean", "max"]
MOST_LINES = 500
_LOGS_NOW = "/d/weedwatch-logs?${__url_time_range}&${datasource:queryparam}&${logs:queryparam}&${database:queryparam}"
_COLUMNS = {
    "confidence": "percentunit",
    "median confidence": "percentunit",
    "accuracy": "percentunit",
    "share": "percentunit",
    "seconds": "s",
    "median seconds": "s",
    "mean seconds": "s",
    "total seconds": "s",
    "bytes": "bytes",
    "predictions": "short",
    "calls": "short",
    "rows": "short",
}
"""Units of the columns of tables, by their names."""


def made(panel: Panel) -> AnyPanel:
    """The panel without id and place."""
    drawn = _BY_KIND[panel.kind](panel).title(panel.title).description(panel.description)
    drawn = drawn.datasource(_source(panel.queries[0]))
    if panel.kind in _LINKED:
        by_version = any(not isinstance(query, Sql) and "{{version}}" in query.legend for query in panel.queries)
        drawn = drawn.data_links([_LOGS_OF_THE_TIME, *([_THIS_VERSION] if by_version else [])])
    if panel.kind != "logs":
        drawn = drawn.unit(panel.unit).thresholds(_thresholds(panel))
    if panel.most is not None:
        drawn = drawn.max(panel.most).min(0)
    if panel.since:
        drawn = drawn.time_from(panel.since)
    if panel.decimals is not None:
        drawn = drawn.decimals(panel.decimals)
    for letter, query in zip("ABCDEFGHIJ", panel.queries, strict=False):
        drawn = drawn.with_target(target(query, panel.kind, letter))
    return drawn


def _source(query: Query) -> common.DataSourceRef:
    return {Prom: PROMETHEUS, Loki: LOKI, Sql: POSTGRES}[type(query)]


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = panel.steps or ((None, "green"),)
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=color) for value, color in steps])
    )


class SqlQuery(variants.Dataquery):
    """A query of PostgreSQL, for which the builders have none."""

    def __init__(self, query: Sql, letter: str) -> None:
        self._query, self._letter = query, letter

    def to_json(self) -> dict[str, object]:
        return {
            "datasource": {"type": POSTGRES_TYPE, "uid": POSTGRES.uid},
            "editorMode": "code",
            "format": "time_series" if self._query.series else "table",
            "rawQuery": True,
            "rawSql": self._query.sql,
            "refId": self._letter,
        }


class _SqlBuilder(builder.Builder[variants.Dataquery]):
    def __init__(self, query: Sql, letter: str) -> None:
        self._built = SqlQuery(query, letter)

    def build(self) -> variants.Dataquery:
        return self._built


def target(query: Query, kind: Kind, letter: str) -> builder.Builder[variants.Dataquery]:
    """A query of a panel of this kind, by its letter."""
    if isinstance(query, Sql):
        return _SqlBuilder(query, letter)
    if isinstance(query, Loki):
        asked = loki.Dataquery().datasource(LOKI).ref_id(letter).expr(query.expr).max_lines(MOST_LINES)
        return asked.query_type("instant" if query.instant else "range").legend_format(query.legend)
    made = prometheus.Dataquery().datasource(PROMETHEUS).ref_id(letter).expr(query.expr)
    made = made.legend_format(query.legend or "__auto").exemplar(query.exemplars)
    made = made.instant() if query.instant else made.range()
    if kind == "heatmap":
        return made.format(prometheus_models.PromQueryFormat.HEATMAP).legend_format("{{le}}")
    return made.format(prometheus_models.PromQueryFormat.TABLE) if kind == "table" else made


def _legend() -> build.VizLegendOptions:
    return (
        build.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs(CALCULATIONS)
    )


def _newest() -> build.ReduceDataOptions:
    return build.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


_LINKED = {"timeseries", "bars", "heatmap", "state", "stat", "gauge"}
_LOGS_OF_THE_TIME = dashboard.DashboardLink("Logs of this time").url(_LOGS_NOW)
_THIS_VERSION = dashboard.DashboardLink("This version's answers").url(
    f"{_LOGS_NOW.replace('logs', 'quality', 1)}&var-version=${{__field.labels.version}}"
)


def _timeseries(panel: Panel) -> timeseries.Panel:
    drawn = (
        timeseries.Panel()
        .legend(_legend())
        .tooltip(
            build.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING),
        )
        .fill_opacity(40 if panel.stacked else 10)
        .line_width(1)
        .show_points(common.VisibilityMode.AUTO)
        .min(0)
    )
    if panel.stacked:
        drawn = drawn.stacking(build.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if len(panel.steps) > 1:
        drawn = drawn.thresholds_style(
            build.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED),
        )
    return drawn


def _bars(panel: Panel) -> timeseries.Panel:
    return _timeseries(panel).draw_style(common.GraphDrawStyle.BARS).fill_opacity(70)


def _stat(panel: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .reduce_options(_newest())
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(
            common.BigValueGraphMode.NONE
            if any(isinstance(query, Sql) or query.instant for query in panel.queries)
            else common.BigValueGraphMode.AREA
        )
        .text_mode(common.BigValueTextMode.AUTO)
        .no_value("–")
    )


def _gauge(panel: Panel) -> gauge.Panel:  # noqa: ARG001
    return gauge.Panel().reduce_options(_newest()).show_threshold_markers(True).min(0).no_value("–")


def _heatmap(panel: Panel) -> heatmap.Panel:
    colors = heatmap.HeatmapColorOptions().mode(heatmap_models.HeatmapColorMode.SCHEME).scheme("Spectral").steps(64)
    return heatmap.Panel().calculate(False).color(colors).y_axis(heatmap.YAxisConfig().unit(panel.unit)).show_legend()


def _piechart(panel: Panel) -> piechart.Panel:  # noqa: ARG001
    return (
        piechart.Panel()
        .reduce_options(_newest())
        .pie_type(piechart_models.PieChartType.DONUT)
        .legend(
            piechart.PieChartLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .values([piechart_models.PieChartLegendValues.VALUE, piechart_models.PieChartLegendValues.PERCENT])
        )
    )


def _logs(panel: Panel) -> logs.Panel:  # noqa: ARG001
    return (
        logs.Panel()
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .prettify_log_message(False)
        .sort_order(common.LogsSortOrder.DESCENDING)
    )


def _state(panel: Panel) -> statetimeline.Panel:  # noqa: ARG001
    words = {
        "0": models.ValueMappingResult(text="no", color="red", index=0),
        "1": models.ValueMappingResult(text="yes", color="green", index=1),
    }
    return (
        statetimeline.Panel()
        .mappings([models.ValueMap(options=words)])
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .show_value(common.VisibilityMode.AUTO)
        .legend(_legend())
    )


def _table(panel: Panel) -> table.Panel:
    drawn = table.Panel().show_header(True).filterable(True)
    units: Mapping[str, str] = _COLUMNS
    for column, unit in units.items():
        drawn = drawn.override_by_name(column, [models.DynamicConfigValue(id_val="unit", value=unit)])
    link = {"title": "Its log lines", "url": f"{_LOGS_NOW}&var-request_id=${{__value.raw}}"}
    drawn = drawn.override_by_name("request_id", [models.DynamicConfigValue(id_val="links", value=[link])])
    if not any(isinstance(query, Sql) for query in panel.queries):
        if len(panel.queries) > 1:
            drawn = drawn.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        hidden = {"excludeByName": {"Time": True}}
        drawn = drawn.with_transformation(models.DataTransformerConfig(id_val="organize", options=hidden))
    return drawn


def _map(panel: Panel) -> geomap.Panel:  # noqa: ARG001
    markers = (
        build.MapLayerOptions()
        .type("markers")
        .name("Sightings")
        .location(
            build.FrameGeometrySource()
            .mode(common.FrameGeometrySourceMode.COORDS)
            .latitude("latitude")
            .longitude("longitude")
        )
        .config({"showLegend": True, "style": {"size": {"field": "predictions", "min": 4, "max": 18, "fixed": 6}}})
        .tooltip(True)
    )
    return geomap.Panel().view(geomap.MapViewConfig().id("fit").all_layers(True)).layers([markers])


_BY_KIND: Mapping[Kind, Callable[[Panel], AnyPanel]] = {
    "timeseries": _timeseries,
    "bars": _bars,
    "stat": _stat,
    "gauge": _gauge,
    "heatmap": _heatmap,
    "piechart": _piechart,
    "logs": _logs,
    "state": _state,
    "table": _table,
    "map": _map,
}
