"""The Open Inference Protocol (V2), for clients written for KServe and Triton: health, metadata, inference."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID

import numpy as np
import uuid_utils.compat as uuid
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from control_plane.contract import inference_protocol as schemas
from control_plane.contract.health import Live
from control_plane.contract.text import Name
from control_plane.domain.callers import Caller
from control_plane.domain.verdicts import Label
from control_plane.errors import FileTooLarge, ModelNotLoaded, ServingError, UnsupportedMediaType
from control_plane.models.served import Served
from control_plane.photos import uploads
from control_plane.photos.uploads import Picture
from control_plane.predictions.prediction import Asked, Recorded
from control_plane.version import VERSION
from control_plane.web import asking, tensors
from control_plane.web.dependencies import By, CorrelationId, Parts, RequestId, Service
from control_plane.web.requests import is_correlation_id
from control_plane.web.tensors import Inferring, Output, Wanted

BODY_PICTURES = 2  # of the largest size fit into a body: one of them in base64
BODY_BYTES = 16 * 2**20  # fit in any case: as many tensors of 224 × 224 as a request may hold
SMALL_BYTES = 64 * 1024  # a body up to here is read faster than a thread is asked

_reading = asyncio.Semaphore(2)  # a body takes several times its size while it is read

_FAILED: dict[int | str, dict[str, Any]] = {"4XX": {"model": schemas.Failed}, "5XX": {"model": schemas.Failed}}
_MODEL = "/v2/models/{name}"
_VERSION = "/v2/models/{name}/versions/{version}"
_INFERENCE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schemas.InferenceRequest.model_json_schema()},
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary", "description": "JSON, then binary data."}
            },
        },
    },
    "parameters": [
        {
            "name": tensors.HEADER,
            "in": "header",
            "required": False,
            "schema": {"type": "integer"},
            "description": "Length of the JSON when binary data follows.",
        }
    ],
}

router = APIRouter(tags=["inference protocol"], responses=_FAILED)


@router.get("/v2", summary="The server's name, version and extensions")
async def server() -> schemas.ProtocolServer:
    return schemas.ProtocolServer(version=VERSION)


@router.get("/v2/health/live", summary="The process is up, as /health/live says it")
async def live() -> Live:
    return Live()


@router.get("/v2/health/ready", summary="Able to serve, proven, as /health/ready says it")
async def ready(service: Service) -> Response:
    return _readiness(service.readiness.is_ready)


@router.get(_MODEL, summary="A model's inputs and outputs")
@router.get(_VERSION, summary="A version's inputs and outputs")
async def model(service: Service, name: Name, version: Name | None = None) -> schemas.ProtocolModel:
    served = _find(service, name, version)
    archive = served.archive
    size = (archive.input.height, archive.input.width)
    shapes = {tensors.IMAGE: [-1], tensors.PIXELS: [-1, 3, *size], tensors.PROBABILITIES: [-1, len(archive.labels)]}

    def described(named: dict[str, str]) -> list[schemas.TensorFacts]:
        return [
            schemas.TensorFacts(name=each, datatype=datatype, shape=shapes.get(each, [-1]))
            for each, datatype in named.items()
        ]

    return schemas.ProtocolModel(
        name=name,
        versions=list(service.fleet.rollouts[name].answering),
        inputs=described(tensors.INPUTS if archive.reads_tensors else {tensors.IMAGE: tensors.INPUTS[tensors.IMAGE]}),
        outputs=described(tensors.OUTPUTS),
        parameters={"labels": list(archive.labels), "input": archive.input.to_dict()},
    )


@router.get(f"{_MODEL}/ready", summary="Whether a model answers")
@router.get(f"{_VERSION}/ready", summary="Whether a version answers")
async def model_ready(service: Service, name: Name, version: Name | None = None) -> Response:
    served = _find(service, name, version)
    good = served.ready > 0 and served.proof.failure is None and served.proof.passed == len(served.archive.references)
    return _readiness(good, name=name)


@router.post(f"{_MODEL}/infer", summary="Name what is on pictures", openapi_extra=_INFERENCE)
@router.post(f"{_VERSION}/infer", summary="Ask one version what is on pictures", openapi_extra=_INFERENCE)
async def infer(
    request: Request,
    service: Service,
    caller: By,
    request_id: RequestId,
    correlation_id: CorrelationId,
    name: Name,
    version: Name | None = None,
) -> Response:
    """Pictures (`image`, BYTES) or what was preprocessed elsewhere (`pixels`, FP32); each answer is recorded."""
    with asking.counted(service.metrics):
        return await _infer(request, service, caller, request_id, correlation_id, name, version)


async def _infer(
    request: Request,
    service: Service,
    caller: Caller,
    request_id: UUID,
    correlation_id: str | None,
    name: str,
    version: str | None,
) -> Response:
    settings, stages = service.settings, service.metrics.stages
    received_at, began = datetime.now(UTC), monotonic()
    limit_seconds = asking.deadline_seconds(request, settings.deadline_seconds)
    sticky = asking.sticky(request)
    _find(service, name, version)  # before the body is read
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("Compressed bodies are not served. Send the request without Content-Encoding.")
    body = await uploads.receive_tensors(
        request,
        max_bytes=max(BODY_BYTES, BODY_PICTURES * settings.max_image_bytes),
        timeout_seconds=settings.upload_timeout_seconds,
    )
    started = monotonic()
    stages["receive"].observe(started - began)
    header_length = request.headers.get(tensors.HEADER)
    if len(body) <= SMALL_BYTES:
        inferring = tensors.read(body, header_length)
    else:
        async with _reading:
            inferring = await asyncio.to_thread(tensors.read, body, header_length)
    del body
    pictures = await _pictures(inferring, max_bytes=settings.max_image_bytes, max_pixels=settings.max_pixels)
    stages["check"].observe(monotonic() - started)
    if inferring.timeout_seconds is not None:
        limit_seconds = min(limit_seconds, inferring.timeout_seconds)
    if correlation_id is None and inferring.id is not None and is_correlation_id(inferring.id.encode(errors="replace")):
        correlation_id = inferring.id

    def asked(number: int) -> Asked:
        return Asked(
            request_id=request_id if number == 0 else uuid.uuid7(),
            received_at=received_at,
            deadline=started + limit_seconds,
            correlation_id=correlation_id,
            traceparent=request.state.traceparent,
            model=name,
            version=version,
            all_labels=True,
            sticky=sticky or str(request_id),  # one version for all of them
            presence=request.state.presence,
            subject=caller.owner,
            owner=caller.owner,
            caller=caller.identity,
        )

    outcomes = await asyncio.gather(
        *(
            service.predictor.predict(picture, asked(number), started=started)
            for number, picture in enumerate(pictures)
        ),
        return_exceptions=True,  # each that has an answer is recorded, whatever becomes of the others
    )
    answers = _all(outcomes)
    asking.tell(request, answers[0].row, pictures=len(answers))
    return _answer(inferring, answers)


async def _pictures(inferring: Inferring, *, max_bytes: int, max_pixels: int) -> list[Picture]:
    count = len(inferring.rows)
    if (shape := inferring.shape) is not None:
        return [
            Picture(row, hashlib.sha256(row).digest(), "FP32", width=shape[2], height=shape[1], shape=shape)
            for row in inferring.rows
        ]
    pictures = []
    for number, row in enumerate(inferring.rows):
        try:
            if len(row) > max_bytes:
                raise FileTooLarge
            pictures.append(await uploads.check(uploads.Upload(row, {}), max_pixels=max_pixels))
        except ServingError as error:
            raise _of_row(error, number, count) from error
    return pictures


def _all(outcomes: Sequence[Recorded | BaseException]) -> list[Recorded]:
    """Every answer; the first failure when there is one."""
    answers: list[Recorded] = []
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome, ServingError):
            raise _of_row(outcome, number, len(outcomes)) from outcome
        if isinstance(outcome, BaseException):
            raise outcome
        answers.append(outcome)
    if len({answer.row.version for answer in answers}) > 1:
        raise ModelNotLoaded("Another version answers since a moment ago. Send the request again.")
    return answers


def _of_row(error: ServingError, number: int, count: int) -> ServingError:
    """The same error, with the picture that it is about."""
    sentence = error.detail or f"{error.kind.sentence} {error.kind.remedy}"
    which = "" if count == 1 else f"Picture {number + 1} of {count}: "
    facts = {"cause": error.__cause__, **error.facts}
    return type(error)(which + sentence, retry_after_seconds=error.retry_after_seconds, **facts)


def _answer(inferring: Inferring, answers: Sequence[Recorded]) -> Response:
    head: dict[str, Any] = {"model_name": answers[0].row.model, "model_version": answers[0].row.version}
    if inferring.id is not None:
        head["id"] = inferring.id
    body, header_length = tensors.write(head, [_output(wanted, answers) for wanted in inferring.outputs])
    if header_length is None:
        return Response(body, media_type="application/json")
    return Response(body, media_type="application/octet-stream", headers={tensors.HEADER: str(header_length)})


def _output(wanted: Wanted, answers: Sequence[Recorded]) -> Output:
    count = len(answers)
    if wanted.name == tensors.LABEL:
        return Output(wanted.name, (count,), [answer.row.label for answer in answers], wanted.binary)
    if wanted.name == tensors.REQUEST_ID:
        return Output(wanted.name, (count,), [str(answer.row.request_id) for answer in answers], wanted.binary)
    labels = answers[0].labels
    if wanted.classes:
        index = {label: number for number, label in enumerate(labels)}
        classes = min(wanted.classes, len(labels))
        texts = [_class(each, index) for answer in answers for each in answer.ranked[:classes]]
        return Output(wanted.name, (count, classes), texts, wanted.binary)
    rows = [{each.label: each.confidence for each in answer.ranked} for answer in answers]
    values = np.array([[row[label] for label in labels] for row in rows], dtype=np.float32)
    return Output(wanted.name, (count, len(labels)), values, wanted.binary)


def _class(each: Label, index: dict[str, int]) -> str:
    return f"{each.confidence:f}:{index[each.label]}:{each.label}"


def _find(service: Parts, name: str, version: str | None) -> Served:
    """The version that is asked for, else stable.

    Raises:
        ModelNotFound, ModelNotLoaded: It does not answer at present.
    """
    if version is None and name in service.fleet.rollouts:
        return service.fleet.stable_of(name)
    return service.fleet.choose(name, version, "")[0]


def _readiness(good: bool, **facts: str) -> Response:
    return JSONResponse({**facts, "ready": good}, status_code=200 if good else 503)
