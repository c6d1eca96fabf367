"""Refuses requests for names that are not ours: a page elsewhere may let its own name point to this machine."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.errors import ERRORS
from control_plane.metrics import Metrics
from control_plane.settings import is_loopback
from control_plane.web.problems import problem

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def allowed(listed: tuple[str, ...], listens_on: str) -> tuple[str, ...] | None:
    """The names that are answered; None: any. On a loopback address only its own names, unless others are listed.

    This machine's own names are always among them: no page elsewhere can have one, and `make run` asks by one.
    """
    if listed:
        return None if "*" in listed else (*LOOPBACK_NAMES, *(_bracketed(each.lower()) for each in listed))
    return (*LOOPBACK_NAMES, _bracketed(listens_on.lower())) if is_loopback(listens_on) else None


def _bracketed(name: str) -> str:
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


class AllowedHosts:
    """`*.example.org` allows each name below it."""

    def __init__(self, app: ASGIApp, *, names: tuple[str, ...] | None, metrics: Metrics) -> None:
        self.app = app
        self._names = None if names is None else frozenset(names)
        self._endings = tuple(each[1:] for each in names or () if each.startswith("*."))
        self._errors = metrics.errors.labels("unknown_host")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._knows(next((v for n, v in scope["headers"] if n == b"host"), b"")):
            await self.app(scope, receive, send)
            return
        self._errors.inc()
        await problem(ERRORS["unknown_host"], path=scope["path"])(scope, receive, send)

    def _knows(self, value: bytes) -> bool:
        given = _HOST.fullmatch(value.decode("latin-1"))
        if given is None:
            return not value and self._names is None  # an HTTP/1.0 client need not say it
        name = given[1].lower().rstrip(".")
        return self._names is None or name in self._names or name.endswith(self._endings)
