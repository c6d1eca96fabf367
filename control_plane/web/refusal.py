"""Refuses predictions at the door while the queue is full: before the body is read, and at little cost.

The log has one line a second for all of them: a line each would cost as much as the refusal, and push all else out.
"""

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.dispatch import Dispatcher
from control_plane.domain.callers import Caller
from control_plane.errors import ERRORS
from control_plane.metrics import PUBLIC_ERROR_TYPES, Metrics
from control_plane.telemetry.logs import request_id
from control_plane.web.problems import problem

log = logging.getLogger(__name__)

PATH = "/predict"
_INFER = re.compile(r"/v2/models/([^/]+)(/versions/[^/]+)?/infer")
TELL_SECONDS = 1.0
_ID = "00000000-0000-0000-0000-000000000000"  # stands where the request id comes


@dataclass(frozen=True)
class _Route:
    """What the log and the metrics call it; FastAPI has not looked for a route yet."""

    path: str


class _Refusal:
    """An answer made once; the request id is put into it where it has one."""

    def __init__(self, route: str) -> None:
        token = request_id.set(_ID)
        answer = problem(ERRORS["overloaded"], path=route)
        request_id.reset(token)
        self.route = _Route(route)
        self.status = answer.status_code
        self.headers = [header for header in answer.raw_headers if header[0] in (b"content-type", b"content-length")]
        self._parts = bytes(answer.body).split(_ID.encode())

    def body(self, number: object) -> bytes:
        return str(number).encode().join(self._parts)


class Tally:
    """Requests refused, told once a second."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._untold = 0

    def count(self) -> None:
        if self._untold == 0:
            asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)
        self._untold += 1

    def _tell(self) -> None:
        log.info("requests refused at the door", extra={"code": self._code, "requests": self._untold})
        self._untold = 0


def _identity(scope: Scope) -> str:
    caller: Caller = scope["state"]["caller"]
    return caller.identity


class RefusalAtTheDoor:
    """Whoever is let in may still be refused later, by its own cost and deadline."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        kind = ERRORS["overloaded"]
        self._requests = metrics.requests_public
        self._errors = metrics.errors.labels(kind.code)
        self._errors_public = metrics.errors_public.labels(PUBLIC_ERROR_TYPES.get(kind.code, "processing_error"))
        self._predict = _Refusal(PATH)
        self._infer = {
            versioned: _Refusal(f"/v2/models/{{name}}{'/versions/{version}' if versioned else ''}/infer")
            for versioned in (False, True)
        }
        self._tally = Tally("overloaded")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send)
            return
        dispatcher: Dispatcher | None = scope["app"].state.parts.dispatcher
        if dispatcher is None or not dispatcher.is_full_for(_identity(scope)):
            await self.app(scope, receive, send)
            return
        scope["route"] = refusal.route
        scope["state"]["quiet"] = True
        self._tally.count()
        self._requests.inc()
        self._errors.inc()
        self._errors_public.inc()
        headers = [*refusal.headers, (b"retry-after", str(dispatcher.retry_after_seconds()).encode())]
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": refusal.body(scope["state"]["request_id"])})

    def _refusal(self, scope: Any) -> _Refusal | None:
        """How this request would be refused; None when it asks for no prediction of the default model."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        if scope["path"] == PATH:
            return self._predict
        asked = _INFER.fullmatch(scope["path"])
        if asked is None or asked[1] != scope["app"].state.parts.settings.model:
            return None
        return self._infer[asked[2] is not None]
