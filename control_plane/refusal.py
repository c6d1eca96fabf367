"""Refuses predictions at the door while the queue is full: before the body is read, and at little cost.

The log has one line a second for all of them: a line each would cost as much as the refusal, and push all else out.
"""

import asyncio
import json
import logging
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.dispatch import Dispatcher
from control_plane.errors import ERRORS
from control_plane.logs import request_id
from control_plane.metrics import PUBLIC_ERROR_TYPES, Metrics
from control_plane.problems import MEDIA_TYPE, problem

log = logging.getLogger(__name__)

PATH = "/predict"
TELL_SECONDS = 1.0
_ID = "00000000-0000-0000-0000-000000000000"  # stands where the request id comes


@dataclass(frozen=True)
class _Route:
    """What the log and the metrics call it; FastAPI has not looked for a route yet."""

    path: str = PATH


class RefusalAtTheDoor:
    """Whoever is let in may still be refused later, by its own cost and deadline."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        kind = ERRORS["overloaded"]
        self._requests = metrics.requests_public
        self._errors = metrics.errors.labels(kind.code)
        self._errors_public = metrics.errors_public.labels(PUBLIC_ERROR_TYPES.get(kind.code, "processing_error"))
        token = request_id.set(_ID)
        body = bytes(problem(kind).body)
        request_id.reset(token)
        assert json.loads(body)["request_id"] == _ID  # noqa: S101 - the answer would carry a wrong id
        self._before, self._after = body.split(_ID.encode())
        self._length = str(len(body)).encode()
        self._status = kind.status
        self._route = _Route()
        self._untold = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        dispatcher: Dispatcher | None = scope["app"].state.parts.dispatcher
        if dispatcher is None or not dispatcher.is_full:
            await self.app(scope, receive, send)
            return
        scope["route"] = self._route
        scope["state"]["quiet"] = True
        self._tell_later()
        self._requests.inc()
        self._errors.inc()
        self._errors_public.inc()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", self._length),
            (b"retry-after", str(dispatcher.retry_after_seconds()).encode()),
        ]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        body = self._before + str(scope["state"]["request_id"]).encode() + self._after
        await send({"type": "http.response.body", "body": body})

    def _tell_later(self) -> None:
        if self._untold == 0:
            asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)
        self._untold += 1

    def _tell(self) -> None:
        log.info("requests refused at the door", extra={"code": "overloaded", "requests": self._untold})
        self._untold = 0
