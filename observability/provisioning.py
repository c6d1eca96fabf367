"""What Grafana reads when it starts: data sources, where the dashboards lie, and the alerts that only it can see.

Grafana expands `$NAME` and `$__file{PATH}` in these files, and reads `$$` as `$`.
"""

from dataclasses import dataclass
from typing import Any, Literal

from observability import limits
from observability.dashboards import place_of
from observability.places import Places
from observability.reader import CONNECTIONS, ROLE
from observability.topics.logs import BAD
from observability.variables import LOKI_TYPE, POSTGRES_TYPE, PROMETHEUS_TYPE, UIDS

DASHBOARDS_FOLDER = "/var/lib/grafana/dashboards"
FOLDER = "Weedwatch"
ORGANISATION = 1
RECEIVER = "alertmanager"
INTERVAL = "1m"


@dataclass(frozen=True)
class OwnAlert:
    """An alert that Grafana itself evaluates; `panel` is the key of the one that shows it."""

    name: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    meaning: str
    steps: tuple[str, ...]
    panel: str


AWAY = OwnAlert(
    "GrafanaReachesNoDatabase",
    "warning",
    "Grafana does not reach PostgreSQL.",
    "Panels that show records are empty. The service itself has its own alert, DatabaseDown.",
    (
        "DatabaseDown fires too: begin there.",
        f"Else it is Grafana's own way: the role {ROLE}, its password, its limit of connections, the network.",
    ),
    "database-size",
)
BURST = OwnAlert(
    "ErrorLinesBurst",
    "warning",
    "Many lines of level ERROR were written.",
    "More in five minutes than a calm service writes in a day, of any part, also of those without metrics.",
    (
        "See which service on the logs dashboard, and its newest errors.",
        "The first of them explains the others: sort by time.",
    ),
    "logs-errors",
)
OWN_ALERTS = (AWAY, BURST)


@dataclass(frozen=True)
class Sources:
    """Where Grafana reaches what it shows; the defaults are the names of containers."""

    prometheus: str = "http://prometheus:9090"
    alertmanager: str = "http://alertmanager:9093"
    loki: str = "http://loki:3100"
    postgres: str = "postgres:5432"
    database: str = "weedwatch"
    sslmode: str = "disable"
    password: str = "$__file{/run/secrets/grafana_reader_password}"  # noqa: S105 - where it stands
    """As Grafana expands it: `$NAME` of its environment, or `$__file{PATH}`."""
    traces: str | None = None
    """Address of a trace in whatever shows traces, with `{trace_id}`; None: a trace's log lines are shown instead."""


def datasources(sources: Sources) -> dict[str, Any]:
    lines = "/d/weedwatch-logs?var-request_id=$${__value.raw}"
    words = "/d/weedwatch-logs?var-search=$${__value.raw}"
    trace = sources.traces.format(trace_id="$${__value.raw}") if sources.traces else words
    shows_trace = "Its trace" if sources.traces else "Log lines of its trace"
    return {
        "apiVersion": 1,
        "datasources": [
            _source(
                "Prometheus", PROMETHEUS_TYPE, sources.prometheus,
                isDefault=True,
                jsonData={
                    "httpMethod": "POST",
                    "prometheusType": "Prometheus",
                    "timeInterval": "10s",
                    "exemplarTraceIdDestinations": [
                        {"name": "request_id", "url": lines, "urlDisplayLabel": "Its log lines"},
                        {"name": "trace_id", "url": trace, "urlDisplayLabel": shows_trace},
                    ],
                },
            ),
            _source(
                "Loki", LOKI_TYPE, sources.loki,
                jsonData={
                    "maxLines": 1000,
                    "derivedFields": [
                        {
                            "name": "request_id",
                            "matcherType": "label",
                            "matcherRegex": "request_id",
                            "url": lines,
                            "urlDisplayLabel": "All lines of this request",
                        },
                        {
                            "name": "trace_id",
                            "matcherType": "label",
                            "matcherRegex": "trace_id",
                            "url": trace,
                            "urlDisplayLabel": shows_trace,
                        },
                    ],
                },
            ),
            _source(
                "PostgreSQL", POSTGRES_TYPE, sources.postgres,
                user=ROLE,
                jsonData={
                    "database": sources.database,
                    "sslmode": sources.sslmode,
                    "postgresVersion": 1600,
                    "maxOpenConns": CONNECTIONS // 2,
                    "maxIdleConns": 2,
                    "connMaxLifetime": 14400,
                },
                secureJsonData={"password": sources.password},
            ),
        ],
    }  # fmt: skip


def _source(name: str, kind: str, url: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "uid": UIDS[kind],
        "type": kind,
        "access": "proxy",
        "orgId": ORGANISATION,
        "url": url,
        "editable": False,
        **more,
    }


def dashboards() -> dict[str, Any]:
    """Where the dashboards lie. They are changed in the repository, so not in Grafana."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "weedwatch",
                "orgId": ORGANISATION,
                "folder": FOLDER,
                "folderUid": "weedwatch",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": DASHBOARDS_FOLDER},
            }
        ],
    }


def alerting(sources: Sources, places: Places) -> dict[str, Any]:
    """Alerts of what Prometheus cannot see, handed to Alertmanager, which knows whom to tell and how often.

    They are handed on each minute, since Alertmanager takes an alert that is not repeated for resolved.
    """
    return {
        "apiVersion": 1,
        "contactPoints": [
            {
                "orgId": ORGANISATION,
                "name": RECEIVER,
                "receivers": [
                    {
                        "uid": "weedwatch-alertmanager",
                        "type": "prometheus-alertmanager",
                        "disableResolveMessage": False,
                        "settings": {"url": sources.alertmanager},
                    }
                ],
            }
        ],
        "policies": [
            {
                "orgId": ORGANISATION,
                "receiver": RECEIVER,
                "group_by": ["alertname"],
                "group_wait": "10s",
                "group_interval": INTERVAL,
                "repeat_interval": INTERVAL,
            }
        ],
        "groups": [
            {
                "orgId": ORGANISATION,
                "name": "weedwatch",
                "folder": FOLDER,
                "interval": INTERVAL,
                "rules": [_database_away(places), _error_burst(places)],
            }
        ],
    }


def _database_away(places: Places) -> dict[str, Any]:
    return _rule(
        "weedwatch-database-away",
        AWAY,
        {"rawSql": "SELECT 1 AS value", "format": "table", "rawQuery": True, "editorMode": "code"},
        POSTGRES_TYPE,
        below=1,
        wait="5m",
        # No answer is what it is about.
        without_data="Alerting",
        places=places,
    )


def _error_burst(places: Places) -> dict[str, Any]:
    return _rule(
        "weedwatch-error-burst",
        BURST,
        {"expr": f'sum(count_over_time({{level=~"{BAD}"}}[5m]))', "queryType": "instant", "editorMode": "code"},
        LOKI_TYPE,
        above=limits.ERROR_LINES,
        wait="1m",
        # No such line is what is hoped for.
        without_data="OK",
        places=places,
    )


def _rule(
    uid: str,
    alert: OwnAlert,
    query: dict[str, Any],
    kind: str,
    *,
    wait: str,
    without_data: str,
    places: Places,
    below: float | None = None,
    above: float | None = None,
) -> dict[str, Any]:
    """A query A of a data source, and a condition C on its newest value."""
    dashboard, number = place_of(alert.panel)
    evaluator = {"type": "lt", "params": [below]} if below is not None else {"type": "gt", "params": [above]}
    return {
        "uid": uid,
        "title": alert.name,
        "condition": "C",
        "data": [
            {
                "refId": "A",
                "relativeTimeRange": {"from": 300, "to": 0},
                "datasourceUid": UIDS[kind],
                "model": {"refId": "A", "datasource": {"type": kind, "uid": UIDS[kind]}, **query},
            },
            {
                "refId": "C",
                "relativeTimeRange": {"from": 0, "to": 0},
                "datasourceUid": "__expr__",
                "model": {
                    "refId": "C",
                    "type": "threshold",
                    "datasource": {"type": "__expr__", "uid": "__expr__"},
                    "expression": "A",
                    "conditions": [{"evaluator": evaluator}],
                },
            },
        ],
        "noDataState": without_data,
        "execErrState": "Alerting",
        "for": wait,
        "dashboardUid": f"weedwatch-{dashboard}",
        "panelId": number,
        "labels": {"severity": alert.severity, "topic": "grafana", "origin": "grafana"},
        "annotations": {
            "summary": alert.summary,
            "description": alert.meaning,
            "what_to_do": "\n".join(f"{number}. {step}" for number, step in enumerate(alert.steps, 1)),
            "dashboard_url": places.panel(dashboard, number),
            "runbook_url": places.runbook(alert.name),
        },
    }
