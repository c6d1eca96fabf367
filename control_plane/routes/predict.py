"""POST /predict."""

import hashlib
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, get_args

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.contract.predictions import Answer, Options
from control_plane.domain.callers import Caller
from control_plane.errors import ServingError
from control_plane.photos import uploads
from control_plane.photos.uploads import Picture
from control_plane.predictions.answers import Source
from control_plane.predictions.prediction import Asked, Recorded
from control_plane.predictions.replays import Given, Standing, key_of
from control_plane.tables.idempotency import Claim
from control_plane.telemetry import tracing
from control_plane.web import asking
from control_plane.web.dependencies import By, CorrelationId, RequestId, Service
from control_plane.web.problems import invalid

router = APIRouter(tags=["predict"])

_PATH = "/predict"

_PICTURE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, GIF, BMP, TIFF or HEIC."}
_FIELDS = Options.model_json_schema()["properties"]
_SAID = {Standing.REPLAYED: {"Idempotency-Replayed": "true"}, Standing.UNKNOWN: {"Idempotency-Status": "unknown"}}
ANYBODY = ""  # whose Idempotency-Keys those are of callers that act for nobody
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["image"], "properties": {"image": _PICTURE, **_FIELDS}}
            },
            "image/*": {"schema": _PICTURE},
        },
    },
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": schema["description"]}
        for name, schema in _FIELDS.items()
    ]
    + [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
            "description": "The same picture and options, sent again under it within 24 hours, get the first answer.",
        },
        {
            "name": "X-Sticky-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
            "description": "Requests with the same key are answered by the same version while a canary runs.",
        },
        {
            "name": "X-Deadline-Ms",
            "in": "header",
            "required": False,
            "schema": {"type": "integer", "minimum": 1},
            "description": "Milliseconds that the client will wait; shortens the service's own deadline.",
        },
        {
            "name": "Cache-Control",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "no-cache: a new answer, where answers are kept. no-store: nor is this one kept.",
        },
    ],
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "X-Cache": {
                "schema": {"type": "string", "enum": list(get_args(Source))},
                "description": "Where answers are kept: whether this is one of before, or why not.",
            }
        }
    }
}


@router.post(_PATH, summary="Name what is on a photo", openapi_extra=_BODY, responses=_RESPONSES)
async def predict(
    request: Request,
    response: Response,
    service: Service,
    caller: By,
    request_id: RequestId,
    correlation_id: CorrelationId,
) -> Answer:
    """The answer is recorded in the history before it is given."""
    with asking.counted(service.metrics):
        given = await _predict(request, service, caller, request_id, correlation_id)
    told = {"cache": given.source} if given.source else {}
    asking.tell(request, given.row, asking.REPEATED if given.standing is Standing.REPLAYED else asking.SUCCESS, **told)
    if given.standing in _SAID:
        response.headers.update(_SAID[given.standing])
    if given.source:
        response.headers["X-Cache"] = given.source
    return Answer.of(given.row, service.blur(caller))


class ShortWay:
    """Goes straight to `predict`: FastAPI's own way there costs as much CPU as all that `predict` does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != _PATH or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        app, state = scope["app"], scope["state"]
        scope["route"] = _Route()
        request, response = Request(scope, receive, send), Response(media_type="application/json")
        try:
            answer = await predict(
                request, response, app.state.parts, state["caller"], state["request_id"], state["correlation_id"]
            )
        except ServingError as error:
            refusal: Response = await app.exception_handlers[ServingError](request, error)
            await refusal(scope, receive, send)
            return
        body = answer.model_dump_json().encode()
        response.body = body
        response.headers["content-length"] = str(len(body))
        await response(scope, receive, send)


@dataclass(frozen=True)
class _Route:
    """What the log and the metrics call it; FastAPI has not looked for a route."""

    path: str = _PATH


async def _predict(
    request: Request, service: Service, caller: Caller, request_id: RequestId, correlation_id: CorrelationId
) -> Given:
    key = key_of(request.headers.getlist("idempotency-key"))
    settings, stages = service.settings, service.metrics.stages
    received_at, began = datetime.now(UTC), monotonic()
    limit_seconds = asking.deadline_seconds(request, settings.deadline_seconds)
    upload = await uploads.receive(
        request, max_bytes=settings.max_image_bytes, timeout_seconds=settings.upload_timeout_seconds
    )
    started = monotonic()
    stages["receive"].observe(started - began)
    options = _options(request, upload.fields)
    picture = await uploads.check(upload, max_pixels=settings.max_pixels)
    checked = monotonic()
    stages["check"].observe(checked - started)
    if span := tracing.current.get():
        span.add("receive", began, started)
        span.add("check", started, checked)
    asked = Asked(
        request_id=request_id,
        received_at=received_at,
        deadline=started + limit_seconds,
        correlation_id=correlation_id,
        traceparent=request.state.traceparent,
        sticky=asking.sticky(request),
        wish=asking.wish(request),
        presence=request.state.presence,
        owner=caller.owner,
        caller=caller.identity,
        **(vars(options) | {"subject": options.subject or caller.owner}),
    )

    def work() -> Coroutine[Any, Any, Recorded]:
        return service.predictor.predict(picture, asked, started=started)

    if key is None:
        recorded = await work()
        return Given(recorded.row, Standing.FIRST, recorded.source)
    claim = Claim(caller.owner or ANYBODY, key, _digest(picture, options), request_id)
    return await service.replays.once(claim, work, deadline=asked.deadline, presence=asked.presence)


def _digest(picture: Picture, options: Options) -> bytes:
    """Of what is asked. Only what is not the default, so that an option added later does not change it."""
    return hashlib.sha256(picture.sha256 + options.model_dump_json(exclude_defaults=True).encode()).digest()


def _options(request: Request, fields: dict[str, str]) -> Options:
    """Query parameters and form fields together; a form field wins. An empty one counts as not given."""
    given = {name: value for name, value in {**request.query_params, **fields}.items() if value != ""}
    try:
        return Options.model_validate(given)
    except ValidationError as error:
        raise invalid(error) from None
