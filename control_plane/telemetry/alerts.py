"""What Prometheus says is firing: asked when somebody looks, with a deadline, and never more than we understand."""

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal, get_args

import aiohttp

ASK_SECONDS = 3.0
FRESH_SECONDS = 3.0  # for all who look
MAX_BYTES = 4 * 2**20
MOST_ALERTS = 200
LONGEST_TEXT = 500
LONGEST_ADDRESS = 2000
WATCHDOG = "Watchdog"
"""Always fires, which shows that rules are evaluated."""

Severity = Literal["critical", "warning", "info"]
_ORDER: tuple[Severity, ...] = get_args(Severity)


@dataclass(frozen=True)
class Firing:
    name: str
    severity: Severity
    since: datetime
    summary: str
    value: str
    dashboard_url: str | None


@dataclass(frozen=True)
class Told:
    """`problem`: why nothing is known; None when Prometheus answered."""

    firing: tuple[Firing, ...] = ()
    problem: str | None = None
    watched: bool = True
    """Whether the watchdog fires, or is about to."""


class PrometheusAlerts:
    """Those that fire, the most severe first."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1/alerts"
        self._asking = asyncio.Lock()
        self._told: Told | None = None
        self._told_at = float("-inf")

    async def look(self) -> Told:
        async with self._asking:
            if self._told is None or monotonic() - self._told_at > FRESH_SECONDS:
                self._told = await self._ask()
                self._told_at = monotonic()
            return self._told

    async def _ask(self) -> Told:
        try:
            async with (
                asyncio.timeout(ASK_SECONDS),
                aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(self._url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as answer,
            ):
                if answer.status != 200:
                    return Told(problem=f"It answers with status {answer.status}.")
                body = bytearray()
                async for block in answer.content.iter_any():
                    body += block
                    if len(body) > MAX_BYTES:
                        return Told(problem="It answers more than anybody could read.")
        except TimeoutError:
            return Told(problem=f"It does not answer within {ASK_SECONDS:g} s.")
        except (aiohttp.ClientError, OSError, ValueError):
            return Told(problem="It cannot be reached.")
        return read(bytes(body))


def read(body: bytes) -> Told:
    """What an answer of `/api/v1/alerts` says; alerts that are not like ours are left out."""
    try:
        alerts = json.loads(body)["data"]["alerts"]
        firing = [each for each in alerts if each["state"] == "firing"]
        names = {each["labels"]["alertname"] for each in alerts}  # a minute after a start the watchdog is pending
    except (ValueError, KeyError, TypeError, RecursionError):
        return Told(problem="It answers something else than alerts.")
    known = [made for each in firing if (made := _firing(each)) and made.name != WATCHDOG]
    known.sort(key=lambda each: (_ORDER.index(each.severity), each.since, each.name, each.summary))
    return Told(tuple(known[:MOST_ALERTS]), watched=WATCHDOG in names)


def _firing(alert: Any) -> Firing | None:
    try:
        labels, said = alert["labels"], alert.get("annotations", {})
        if labels["severity"] not in _ORDER:
            return None
        address = _text(said.get("dashboard_url", ""), LONGEST_ADDRESS)
        return Firing(
            name=_text(labels["alertname"]),
            severity=labels["severity"],
            since=_moment(alert["activeAt"]),
            summary=_text(said.get("summary", "")),
            value=_text(said.get("value", "")),
            dashboard_url=address if address.startswith(("http://", "https://")) else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _text(given: object, longest: int = LONGEST_TEXT) -> str:
    """Half a surrogate pair is no text that an answer can hold."""
    return str(given)[:longest].encode(errors="replace").decode()


def _moment(text: str) -> datetime:
    """Nanoseconds are more than Python reads."""
    moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
