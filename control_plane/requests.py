"""Around every request: its id, log line and metrics, what protects its answer, and one also when the code fails."""

import asyncio
import logging
import re
from time import monotonic

import uuid_utils.compat as uuid
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.errors import ERRORS, ClientLeft
from control_plane.logs import address, request_id, trace_id, without_credentials
from control_plane.metrics import Metrics
from control_plane.presence import Presence
from control_plane.problems import problem
from control_plane.protection import protect

log = logging.getLogger(__name__)

STOPPED_SECONDS = 5  # until another one may be there
CLIENT_LEFT = 499  # never sent; the log and the metrics know it
_CORRELATION_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
# W3C: version 00 ends here, later ones may say more; ff and an id of zeros alone mean nothing.
_TRACEPARENT = re.compile(
    rb"(?!ff)(?:00(?=.{53}$)|[1-9a-f][0-9a-f]|0[1-9a-f])"
    rb"-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)
_QUIET = frozenset({"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestContext:
    """Mints the request id; keeps a well-formed inbound X-Request-ID as the client's correlation id.

    The trace is the client's where it sends one, else the request's own, named by its id.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        minted = uuid.uuid7()
        correlation, trace = _ids(scope)
        trace = trace or minted.hex
        scope.setdefault("state", {}).update(
            request_id=minted, correlation_id=correlation, trace_id=trace, presence=Presence()
        )
        token = request_id.set(str(minted))
        traced = trace_id.set(trace)
        came_from = address.set(scope["client"][0] if scope.get("client") else None)
        status = 0
        started = monotonic()

        async def send_with_ids(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].extend(scope["state"].get("limits", ()))
                protect(message["headers"], https=scope.get("scheme") == "https")
                message["headers"].append((b"x-request-id", str(minted).encode()))
                if correlation:
                    message["headers"].append((b"x-correlation-id", correlation.encode()))
            await send(message)

        try:
            await self.app(scope, receive, send_with_ids)
        except (ClientDisconnect, ClientLeft):
            status = status or CLIENT_LEFT
        except asyncio.CancelledError:  # by the server alone, when it stops and has waited long enough
            self._metrics.errors.labels("model_not_loaded").inc()
            if status == 0:
                stopping = problem(
                    ERRORS["model_not_loaded"],
                    detail="The service is being stopped. Send it again in a moment.",
                    retry_after_seconds=STOPPED_SECONDS,
                    path=scope["path"],
                )
                await stopping(scope, receive, send_with_ids)
        except Exception:
            log.exception("request failed unexpectedly")
            self._metrics.errors.labels("internal_error").inc()
            if status == 0:
                await problem(ERRORS["internal_error"], path=scope["path"])(scope, receive, send_with_ids)
        finally:
            self._note(scope, status, monotonic() - started, correlation)
            request_id.reset(token)
            trace_id.reset(traced)
            address.reset(came_from)

    def _note(self, scope: Scope, status: int, seconds: float, correlation: str | None) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.http_requests.labels(method, route, str(status)).inc()
        self._metrics.http_seconds.labels(method, route).observe(seconds)
        quiet = (route in _QUIET and status < 500) or "quiet" in scope["state"]
        level = logging.DEBUG if quiet else logging.INFO
        if not log.isEnabledFor(level):
            return
        log.log(
            level,
            "the client left" if status == CLIENT_LEFT else "request",
            extra={
                "method": method,
                "path": without_credentials(scope["path"]),
                "status": status,
                "milliseconds": round(1000 * seconds, 1),
                "correlation_id": correlation,
                "caller": caller.name if (caller := scope["state"].get("caller")) else None,
            },
        )


def _ids(scope: Scope) -> tuple[str | None, str | None]:
    """The client's correlation id and trace id, of headers that are well-formed."""
    correlation = trace = None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and correlation is None and is_correlation_id(value):
            correlation = str(value.decode())
        elif name == b"traceparent" and trace is None:
            trace = trace_of(value)
    return correlation, trace


def trace_of(traceparent: bytes) -> str | None:
    """The trace id in a W3C `traceparent`; None when it is not well-formed."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found["trace"].decode() if found else None


def is_correlation_id(value: bytes) -> bool:
    return _CORRELATION_ID.fullmatch(value) is not None
