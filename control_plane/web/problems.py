"""Errors as RFC 9457 answers: the one place that makes an error's body."""

import logging
import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from control_plane.contract.problems import Problem
from control_plane.errors import ERRORS, ErrorKind, InvalidRequest, ServingError
from control_plane.metrics import Metrics
from control_plane.telemetry.logs import request_id

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
PROTOCOL = "/v2"  # the Open Inference Protocol, which has its own form of errors
_CODES_OF_STATUS = {404: "not_found", 405: "method_not_allowed", 401: "unauthorized", 403: "forbidden"}


def problem(
    kind: ErrorKind,
    *,
    detail: str | None = None,
    retry_after_seconds: float | None = None,
    errors: list[dict[str, Any]] | None = None,
    headers: dict[str, str] | None = None,
    path: str = "",
) -> Response:
    """`detail` replaces the registry's sentence and remedy; a 5xx one must not carry internals.

    Below /v2 it has the form of that protocol: `{"error": …}`, and 400 for what cannot be used.
    """
    headers = dict(headers or {})
    if retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after_seconds)))
    if path == PROTOCOL or path.startswith(f"{PROTOCOL}/"):
        sentence = detail or f"{kind.sentence} {kind.remedy}"
        return JSONResponse(
            {"error": sentence}, status_code=400 if kind.status == 422 else kind.status, headers=headers
        )
    body = Problem(
        type=f"urn:weedwatch:error:{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=detail or f"{kind.sentence} {kind.remedy}",
        code=kind.code,
        request_id=request_id.get() or "",
        retry=kind.retry,
        errors=errors,
    )
    return JSONResponse(
        body.model_dump(exclude_none=True), status_code=kind.status, media_type=MEDIA_TYPE, headers=headers
    )


def invalid(error: ValidationError | RequestValidationError) -> InvalidRequest:
    """A parameter's error in words, without the values that were sent."""
    errors = [
        {
            "parameter": ".".join(str(part) for part in each["loc"] if part not in ("query", "path", "body")),
            "message": each["msg"],
        }
        for each in error.errors()
    ]
    named = "; ".join(f"{each['parameter'] or 'request'}: {each['message']}" for each in errors[:5])
    return InvalidRequest(f"A parameter has a value that is not allowed. Correct it: {named}.", errors=errors)


def add_handlers(app: FastAPI, metrics: Metrics) -> None:
    def answer(request: Request, error: ServingError) -> Response:
        kind = error.kind
        metrics.errors.labels(kind.code).inc()
        cause = error.facts.get("cause") or error.__cause__
        facts = {"code": kind.code, "cause": repr(cause) if cause else None}
        if kind.status >= 500:
            log.error("request failed: %s", kind.title, extra=facts, exc_info=error if kind.status == 500 else None)
        else:
            log.info("request refused: %s", kind.title, extra=facts)
        retry_after = error.retry_after_seconds if kind.retry else None
        if kind.retry and retry_after is None:
            retry_after = 1
        challenge = {"WWW-Authenticate": "Bearer"} if kind.status == 401 else None
        return problem(
            kind,
            detail=error.detail,
            retry_after_seconds=retry_after,
            errors=error.facts.get("errors"),
            headers=challenge,
            path=request.url.path,
        )

    async def on_serving_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ServingError)  # noqa: S101 - registered for it alone
        return answer(request, error)

    async def on_validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
        return answer(request, invalid(error))

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        code = _CODES_OF_STATUS.get(
            error.status_code, "internal_error" if error.status_code >= 500 else "invalid_request"
        )
        metrics.errors.labels(code).inc()
        return problem(ERRORS[code], headers=dict(error.headers or {}), path=request.url.path)

    app.add_exception_handler(ServingError, on_serving_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
