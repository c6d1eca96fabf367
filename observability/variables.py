"""What a reader of the dashboards chooses: data sources, model, version, replica; on logs service, level, words."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard

from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

PROMETHEUS_TYPE, LOKI_TYPE, POSTGRES_TYPE = "prometheus", "loki", "grafana-postgresql-datasource"
UIDS = {PROMETHEUS_TYPE: "prometheus", LOKI_TYPE: "loki", POSTGRES_TYPE: "postgres"}
"""Of the data sources that are provisioned; another one may be chosen on the dashboard."""
PROMETHEUS = common.DataSourceRef(type_val=PROMETHEUS_TYPE, uid="${datasource}")
LOKI = common.DataSourceRef(type_val=LOKI_TYPE, uid="${logs}")
POSTGRES = common.DataSourceRef(type_val=POSTGRES_TYPE, uid="${database}")

_SOURCES = {
    "datasource": ("Metrics", PROMETHEUS_TYPE),
    "logs": ("Logs", LOKI_TYPE),
    "database": ("Database", POSTGRES_TYPE),
}
_CHOICES = {
    "model": ("Model", "label_values(weedwatch_rollout_revision, model)", PROMETHEUS),
    "version": ("Version", 'label_values(weedwatch_version_workers{model=~"$model"}, version)', PROMETHEUS),
    "replica": ("Replica", 'label_values(up{job="control_plane"}, instance)', PROMETHEUS),
    "service": ("Service", "label_values(service)", LOKI),
    "level": ("Level", "label_values(level)", LOKI),
}
_WORDS = {
    "search": ("Search", "Words that a line holds"),
    "request_id": ("Request", "A request id, as an answer's X-Request-ID says it"),
}
NAMES = (*_SOURCES, *_CHOICES, *_WORDS)

Variable = dashboard.DatasourceVariable | dashboard.QueryVariable | dashboard.TextBoxVariable


def queries() -> dict[str, str]:
    """The metrics that choices are read from, by the name of the variable."""
    return {name: query for name, (_, query, source) in _CHOICES.items() if source is PROMETHEUS}


def variable(name: str) -> Variable:
    if name in _SOURCES:
        label, kind = _SOURCES[name]
        provisioned = models.VariableOption(text=UIDS[kind], value=UIDS[kind], selected=True)
        return dashboard.DatasourceVariable(name).label(label).type(kind).current(provisioned)
    if name in _WORDS:
        label, description = _WORDS[name]
        return dashboard.TextBoxVariable(name).label(label).description(description).default_value("")
    label, query, source = _CHOICES[name]
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(source)
        .query(query)
        .definition(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
        .multi(True)
        .include_all(True)
        # A log stream without the label still belongs to "all"; Loki refuses a query of nothing but `.*`.
        .all_value(".*" if source is PROMETHEUS or name == "level" else ".+")
        .current(models.VariableOption(text=["All"], value=["$__all"], selected=True))
    )
