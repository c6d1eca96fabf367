"""Around every request: its id, log line and metrics, what protects its answer, and one also when the code fails."""

import asyncio
import logging
import re
from time import monotonic
from uuid import UUID

import uuid_utils.compat as uuid
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.errors import ERRORS, ClientLeft
from control_plane.metrics import Metrics
from control_plane.predictions.presence import Presence
from control_plane.telemetry import tracing
from control_plane.telemetry.logs import address, request_id, trace_id, without_credentials
from control_plane.telemetry.tracing import RequestSpan, Sent, Tracer
from control_plane.web.problems import problem
from control_plane.web.protection import protect

log = logging.getLogger(__name__)

STOPPED_SECONDS = 5  # until another one may be there
CLIENT_LEFT = 499  # never sent; the log and the metrics know it
_CORRELATION_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_QUIET = frozenset(
    {"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/metrics", "/metrics/torchserve"}
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestContext:
    """Mints the request id; keeps a well-formed inbound X-Request-ID as the client's correlation id.

    The trace is the client's where it sends one, else the request's own, named by its id.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, tracer: Tracer | None = None) -> None:
        self.app = app
        self._tracer = tracer
        self._metrics = metrics
        self._figures: dict[tuple[str, str, int], _Figures] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        minted = uuid.uuid7()
        correlation, above = _ids(scope)
        number = str(minted)
        token, traced = request_id.set(number), trace_id.set(above.trace if above else minted.hex)
        span = self._begin(scope, minted, correlation, above)
        spanned = tracing.current.set(span)
        scope.setdefault("state", {}).update(
            request_id=minted,
            correlation_id=correlation,
            trace_id=trace_id.get(),
            traceparent=span.traceparent if span else str(above or tracing.own(minted)),
            presence=Presence(),
        )
        came_from = address.set(scope["client"][0] if scope.get("client") else None)
        status = received = sent = 0
        started = monotonic()

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
            return message

        async def send_with_ids(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            elif message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].extend(scope["state"].get("limits", ()))
                protect(message["headers"], https=scope.get("scheme") == "https")
                message["headers"].append((b"x-request-id", number.encode()))
                if correlation:
                    message["headers"].append((b"x-correlation-id", correlation.encode()))
            await send(message)

        try:
            await self.app(scope, receive_and_count, send_with_ids)
        except (ClientDisconnect, ClientLeft):
            status = status or CLIENT_LEFT
        except asyncio.CancelledError:  # by the server alone, when it stops and has waited long enough
            self._metrics.errors.labels("model_not_loaded").inc()
            if status == 0:
                await _stopping(scope["path"])(scope, receive, send_with_ids)
        except Exception:
            log.exception("request failed unexpectedly")
            self._metrics.errors.labels("internal_error").inc()
            if status == 0:
                await problem(ERRORS["internal_error"], path=scope["path"])(scope, receive, send_with_ids)
        finally:
            self._note(scope, status, monotonic() - started, received, sent, span)
            tracing.current.reset(spanned)
            request_id.reset(token)
            trace_id.reset(traced)
            address.reset(came_from)

    def _begin(self, scope: Scope, minted: UUID, correlation: str | None, above: Sent | None) -> RequestSpan | None:
        path = scope["path"]
        if not self._tracer or (above is None and (path in _QUIET or path.startswith("/ui/"))):
            return None
        facts = {"url.path": without_credentials(path), "url.scheme": scope.get("scheme", "http")}
        if correlation:
            facts["weedwatch.correlation_id"] = correlation
        return self._tracer.request(minted, above, facts)

    def _note(
        self, scope: Scope, status: int, seconds: float, received: int, sent: int, span: RequestSpan | None
    ) -> None:
        method, route = _method(scope), _route(scope)
        if span:
            span.answered(method, route, status)
        key = method, route, status
        figures = self._figures.get(key)
        if figures is None:  # as many as there are routes, methods and statuses
            figures = self._figures[key] = _Figures(self._metrics, *key)
        figures.requests.inc()
        figures.seconds.observe(seconds, {"trace_id": scope["state"]["trace_id"], "request_id": str(request_id.get())})
        if received:
            figures.request_bytes.observe(received)
        if sent:
            figures.response_bytes.observe(sent)
        self._tell(scope, method, route, status, seconds)

    def _tell(self, scope: Scope, method: str, route: str, status: int, seconds: float) -> None:
        state = scope["state"]
        quiet = (route in _QUIET and status < 500) or "quiet" in state
        level = logging.DEBUG if quiet else logging.INFO
        if not log.isEnabledFor(level):
            return
        message, more = state.get("told", ("request", {}))
        said = "the client left" if status == CLIENT_LEFT else message
        facts = {
            "method": method,
            "path": without_credentials(scope["path"]),
            "status": status,
            "milliseconds": round(1000 * seconds, 1),
            "correlation_id": state["correlation_id"],
            "caller": caller.name if (caller := state.get("caller")) else None,
            **more,
        }
        # As log.log does it, which would search the stack for this function each time.
        log.handle(log.makeRecord(log.name, level, __file__, 0, said, (), None, "_tell", facts))


def _stopping(path: str) -> Response:
    return problem(
        ERRORS["model_not_loaded"],
        detail="The service is being stopped. Send it again in a moment.",
        retry_after_seconds=STOPPED_SECONDS,
        path=path,
    )


class _Figures:
    """Of requests of one kind; looked up once."""

    def __init__(self, metrics: Metrics, method: str, route: str, status: int) -> None:
        self.requests = metrics.http_requests.labels(method, route, str(status))
        self.seconds = metrics.http_seconds.labels(method, route)
        self.request_bytes = metrics.http_request_bytes.labels(method, route)
        self.response_bytes = metrics.http_response_bytes.labels(method, route)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in _METHODS else "other"


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unmatched")


def _ids(scope: Scope) -> tuple[str | None, Sent | None]:
    """The client's correlation id and trace, of headers that are well-formed."""
    correlation = above = None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and correlation is None and is_correlation_id(value):
            correlation = str(value.decode())
        elif name == b"traceparent" and above is None:
            above = tracing.read(value)
    return correlation, above


def is_correlation_id(value: bytes) -> bool:
    return _CORRELATION_ID.fullmatch(value) is not None
