"""Every query of every dashboard, as Grafana would ask it, of the real Prometheus and the real PostgreSQL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from observability import filled, generate
from tests.monitoring import Prometheus, Refused

DASHBOARDS = generate.GENERATED / "grafana" / "dashboards"


@dataclass(frozen=True)
class Asked:
    """A query of a panel, as it stands in the generated dashboard."""

    dashboard: str
    panel: str
    source: str
    """prometheus, loki or grafana-postgresql-datasource."""
    query: str

    @property
    def where(self) -> str:
        return f"{self.dashboard} / {self.panel}"


def all_queries() -> list[Asked]:
    return [
        asked
        for path in sorted(DASHBOARDS.glob("*.json"))
        for asked in _of(path.stem, json.loads(path.read_text())["panels"])
    ]


def _of(dashboard: str, panels: list[dict[str, Any]]) -> Iterator[Asked]:
    for panel in panels:
        yield from _of(dashboard, panel.get("panels", []))
        for target in panel.get("targets", []):
            query = target.get("expr") or target.get("rawSql")
            yield Asked(dashboard, str(panel.get("title")), target["datasource"]["type"], query)


def without_data(prometheus: Prometheus, queries: list[Asked]) -> list[str]:
    """Who of the PromQL queries has no data now, or is refused."""
    empty = []
    for each in queries:
        try:
            if not prometheus.query(filled.promql(each.query, choices={"__range": "10m"})):
                empty.append(f"{each.where}: no data for {each.query}")
        except Refused as refusal:
            empty.append(f"{each.where}: {refusal}")
    return empty


def without_rows(url: str, queries: list[Asked]) -> list[str]:
    """Who of the SQL queries gives no row to this role, or fails."""
    empty = []
    for each in queries:
        now = datetime.now(UTC)
        sql = filled.sql(each.query, now - timedelta(days=1), now)
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                if not connection.execute(sql.encode()).fetchall():
                    empty.append(f"{each.where}: no row for {each.query}")
        except psycopg.Error as error:
            empty.append(f"{each.where}: {str(error).splitlines()[0]}")
    return empty
