"""What Grafana fills in before it sends a query, so that queries can be run and checked without it."""

import re
from datetime import datetime

_CHOICES = re.compile(r"\$\{(?:model|version):regex\}")
_WORDS = {"$replica": ".*", "$model": ".*", "$version": ".*"}
_TIMES = {"$__rate_interval": "1m", "$__interval": "1m", "$__range": "1h", "$__auto": "1m"}


def _replaced(query: str, values: dict[str, str]) -> str:
    for name in sorted(values, key=len, reverse=True):
        query = query.replace(name, values[name])
    return query


def promql(expr: str, window: str = "1m", choices: dict[str, str] | None = None) -> str:
    """With everything chosen, unless `choices` names a variable's value."""
    times = dict.fromkeys(_TIMES, window) | {"$__range": "1h"}
    return _replaced(expr, times | _WORDS | {f"${name}": value for name, value in (choices or {}).items()})


def logql(expr: str, window: str = "5m", choices: dict[str, str] | None = None) -> str:
    """The same for Loki; nothing is searched, and no request is chosen."""
    times = dict.fromkeys(_TIMES, window)
    words = {"$service": ".+", "$level": ".*", "$search": "", "$request_id": ""}
    return _replaced(expr, times | words | {f"${name}": value for name, value in (choices or {}).items()})


def sql(text: str, since: datetime, until: datetime, interval: str = "1m") -> str:
    """The same for PostgreSQL; both moments have a time zone."""
    moments = {"$__timeFrom()": f"'{since.isoformat()}'", "$__timeTo()": f"'{until.isoformat()}'"}
    return _replaced(_CHOICES.sub(".*", text), {**moments, "$__interval": interval})
