"""Pieces of SQL that panels use. They read views made for them (migration 0010), never the tables."""

CHOSEN = "model ~ '^(${model:regex})$' AND version ~ '^(${version:regex})$'"
"""What the variables of a dashboard choose; `All` is the expression `.*`."""

DURING = "request_id BETWEEN request_id_at($__timeFrom()) AND request_id_at($__timeTo())"
"""The time range of the dashboard. Ids are ordered by time, so that the cost does not grow with the table."""


def sightings(columns: str, then: str = "") -> str:
    """Of the records that are chosen; `then` goes on after the conditions."""
    return f"SELECT {columns}\nFROM sightings_for_dashboards\nWHERE {DURING}\n  AND {CHOSEN}\n{then}".rstrip()
