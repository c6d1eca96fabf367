"""The values that topics are made of: queries, panels, recordings and alerts with the cases that test them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["critical", "warning", "info"]
Kind = Literal["timeseries", "stat", "gauge", "heatmap", "table", "piechart", "logs", "state", "bars", "map"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WINDOW = re.compile(r"\[(\d+)([smhd])(?::(\d+)([smhd]))?\]")
_OFFSET = re.compile(r"\boffset (\d+)([smhd])")
_OFFSET = re.compile(r"\boffset (\d+)([smhd])\b")
LEAST_WINDOW_SECONDS = 4
"""A rate needs a few samples; no window gets shorter, however much faster rules are made."""


@dataclass(frozen=True)
class Prom:
    """A PromQL query. Panels use `$__rate_interval` and the dashboard's variables; rules have fixed windows."""

    expr: str
    legend: str = ""
    instant: bool = False
    exemplars: bool = False


@dataclass(frozen=True)
class Loki:
    """A LogQL query."""

    expr: str
    legend: str = ""
    instant: bool = False


@dataclass(frozen=True)
class Sql:
    """A query of PostgreSQL, by the role that may only read. A time series has columns time, metric, value."""

    sql: str
    series: bool = False


Query = Prom | Loki | Sql


@dataclass(frozen=True)
class Panel:
    """One panel; `key` is stable (its number on the dashboard is made from it), `steps` colour from a value on.

    `unit` is one of Grafana's: s, ms, bytes, percentunit, reqps, short, none, dateTimeAsIso, …
    """

    key: str
    title: str
    description: str
    kind: Kind
    unit: str
    queries: tuple[Query, ...]
    width: int = 8
    height: int = 8
    steps: tuple[tuple[float | None, str], ...] = ()
    stacked: bool = False
    most: float | None = None
    decimals: int | None = None
    since: str = ""
    """A time range of its own, such as `30d`, for what says nothing in that of the dashboard."""


@dataclass(frozen=True)
class Row:
    """Panels of a topic on one dashboard."""

    dashboard: str
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Recording:
    """A recording rule."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Series in promtool's notation, one sample a minute (or each `interval`), and what is seen at `at`.

    `labels`: those of the alert beside its own severity and topic. `value`: what its annotation `value` says.
    """

    series: Mapping[str, str]
    at: str = "20m"
    labels: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    interval: str = "1m"


@dataclass(frozen=True)
class Alert:
    """An alert, what it means, what to do, and the two cases that test it.

    `summary` may name labels (`{{ $labels.model }}`), no values; `value` is a template of the number.
    """

    name: str
    expr: str
    severity: Severity
    summary: str
    meaning: str
    steps: tuple[str, ...]
    panel: str
    """Key of the panel that shows it."""
    fires: Case
    quiet: Case
    for_seconds: int = 60
    value: str = "{{ $value | humanize }}"
    keep_seconds: int = 0
    """How long it goes on firing after the cause is gone: for what flaps."""
    covers: tuple[str, ...] = ()
    """Alerts that follow from this one and are held back while it fires: `Name`, or `Name{label="value"}`."""


@dataclass(frozen=True)
class Topic:
    """All that is watched of one thing. A new thing to watch is a new topic: one module, one edit."""

    name: str
    rows: tuple[Row, ...] = ()
    recordings: tuple[Recording, ...] = ()
    alerts: tuple[Alert, ...] = ()


def seconds(duration: str) -> int:
    """Seconds of `90s`, `5m`, `1h`, `3d`."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def faster(expr: str, factor: float) -> str:
    """The expression with all windows and offsets divided by a factor, for a proof that cannot wait for hours."""
    if factor == 1:
        return expr

    def shorter(found: re.Match[str]) -> str:
        window = max(LEAST_WINDOW_SECONDS, round(int(found[1]) * _SECONDS[found[2]] / factor))
        step = f":{max(1, round(int(found[3]) * _SECONDS[found[4]] / factor))}s" if found[3] else ""
        return f"[{window}s{step}]"

    def nearer(found: re.Match[str]) -> str:
        return f"offset {max(LEAST_WINDOW_SECONDS, round(int(found[1]) * _SECONDS[found[2]] / factor))}s"

    return _OFFSET.sub(nearer, _WINDOW.sub(shorter, expr))
