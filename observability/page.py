"""All panels as a page to read: what each answers, from where, and which alerts lead to it."""

from observability.dashboards import DASHBOARDS, rows_of
from observability.parts import Loki, Panel, Prom
from observability.topics import ALERTS

_HEAD = """\
# Panels

Made from `observability/topics/` by `python -m observability write`.
[docs/dashboards.md](../../docs/dashboards.md) says how the dashboards are used.
"""


def panels() -> str:
    parts = [_HEAD]
    for each in DASHBOARDS:
        parts.append(f"\n## {each.title}\n\n{each.description}\n")
        for row in rows_of(each.key):
            parts.append(f"\n### {row.title}\n\n| Panel | What it answers | From | Alerts |\n|---|---|---|---|\n")
            parts += [_line(panel) for panel in row.panels]
    return "".join(parts)


def _line(panel: Panel) -> str:
    sources = dict.fromkeys(_source(query) for query in panel.queries)
    alerts = [alert.name for alert in ALERTS if alert.panel == panel.key]
    return f"| {panel.title} | {panel.description} | {', '.join(sources)} | {', '.join(alerts)} |\n"


def _source(query: object) -> str:
    return "Prometheus" if isinstance(query, Prom) else "Loki" if isinstance(query, Loki) else "PostgreSQL"
