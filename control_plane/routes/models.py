"""Models: what there is, who answers, and changes of that."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.sse import EventSourceResponse
from pydantic import ValidationError

from control_plane.contract import models as schemas
from control_plane.contract.evidence import Evidence, EvidenceSummary, Finding
from control_plane.contract.health import ReferenceProof, WorkerFacts
from control_plane.contract.text import Name
from control_plane.domain.rollout import Rollout
from control_plane.errors import Conflict, DatabaseUnavailable, ModelNotFound, NotFound
from control_plane.models import fetching, registry, weighing
from control_plane.models.archives import NoArchive
from control_plane.models.receiving import FORM_OVERHEAD_BYTES, receive_files, too_large
from control_plane.models.served import Served
from control_plane.photos.uploads import receive_text
from control_plane.tables import evaluations, models
from control_plane.tables.database import Connection, within
from control_plane.tables.models import ModelVersion, Operation
from control_plane.web import problems
from control_plane.web.dependencies import Admin, Parts, Service

router = APIRouter(tags=["models"])

LOOK_SECONDS = 0.5
WATCH_SECONDS = 600.0
TAKEN_UP_WITHIN = timedelta(seconds=30)  # by each replica, or it is not to be waited for

IfMatch = Annotated[
    str | None, Header(description='The revision that was read, as in `"3"`; another one answers 409.', max_length=32)
]

_FILE = {"type": "string", "format": "binary"}
_NEW_VERSION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schemas.NewVersion.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "archive": {**_FILE, "description": "A .mar file; or else model and labels."},
                        "model": {**_FILE, "description": "A model.pth: a checkpoint or a bare state dict."},
                        "labels": {**_FILE, "description": "Its class_labels.json."},
                        "card": {**_FILE, "description": "Its model_card.json, where there is one."},
                        "signature": {**_FILE, "description": "minisign's .minisig of the archive or the model."},
                        "version": {"type": "string", "description": "By default what the archive says, or the next."},
                        "architecture": {"type": "string", "description": "Of a bare state dict."},
                    },
                }
            },
        },
    }
}


@router.get("/models", summary="All models and who answers for each")
async def list_models(service: Service) -> schemas.Models:
    return schemas.Models(items=[_summary(service, rollout) for rollout in service.fleet.rollouts.values()])


@router.get("/models/{name}", summary="One model: versions, rollout, workers, the newest change")
async def get_model(service: Service, response: Response, name: Name) -> schemas.ModelFacts:
    rollouts, versions, newest, evidence = await within(service.database.timeout_seconds, _read(service, name))
    rollout = next((each for each in rollouts if each.model == name), None)
    if rollout is None:
        raise ModelNotFound(f"No model '{name}' is served; GET /models lists what is.")
    response.headers["ETag"] = f'"{rollout.revision}"'
    return schemas.ModelFacts(
        **vars(_summary(service, rollout)),
        versions=[_version(service, rollout, each, evidence.get(each.version)) for each in versions],
        operation=_told(newest) if newest else None,
    )


@router.post(
    "/models/{name}/versions",
    summary="Add a version: from the model store, from a URL, or uploaded",
    status_code=201,
    responses={
        202: {"model": schemas.VersionFacts, "description": "It is on its way in; GET /models/{name} says how far."}
    },
    openapi_extra=_NEW_VERSION,
)
async def add_version(
    request: Request, response: Response, service: Service, actor: Admin, name: Name
) -> schemas.VersionFacts:
    """It answers nobody until the rollout says so. Adding one again after it was sick gives it another try."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        added = await _upload(request, service, actor, name)
        response.status_code = 202
    else:
        new = await _new_version(request, service)
        if new.url is not None:
            fetching.check_allowed(new.url, service.settings.model_urls)
            async with service.intake.place(name) as place:
                fields = {"version": new.version}
                added = await service.intake.submit(place, name, fields, actor=actor, url=new.url)
            response.status_code = 202
        else:
            try:
                added = await registry.add_version(
                    service.database, service.settings.model_store, name, new.version, actor=actor
                )
            except NoArchive as error:
                raise NotFound(str(error)) from error
    return _version(service, service.fleet.rollouts.get(name), added)


async def _new_version(request: Request, service: Parts) -> schemas.NewVersion:
    body = await receive_text(request, timeout_seconds=service.settings.upload_timeout_seconds)
    try:
        return schemas.NewVersion.model_validate_json(body)
    except ValidationError as error:
        raise problems.invalid(error) from None


async def _upload(request: Request, service: Parts, actor: str, name: str) -> ModelVersion:
    settings = service.settings
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > settings.max_version_bytes + FORM_OVERHEAD_BYTES:
        raise too_large(settings.max_version_bytes)
    async with service.intake.place(name, int(declared) if declared.isdecimal() else 0) as place:
        fields = await receive_files(
            request, place, max_bytes=settings.max_version_bytes, timeout_seconds=settings.upload_timeout_seconds
        )
        return await service.intake.submit(place, name, fields, actor=actor)


@router.delete("/models/{name}/versions/{version}", summary="Forget a version that does not answer", status_code=204)
async def remove_version(service: Service, actor: Admin, name: Name, version: Name) -> None:
    """Its archive stays in the model store."""
    await registry.remove_version(service.database, name, version, actor=actor)


@router.put("/models/{name}/versions/{version}/workers", summary="How many workers a version shall have")
async def put_workers(
    service: Service, actor: Admin, name: Name, version: Name, wanted: schemas.WantedWorkers
) -> schemas.VersionFacts:
    """In each TorchServe. Fewer: calls under way are answered first. It holds until it is changed."""
    present = service.fleet.find(name, version)
    if wanted.workers and present:
        service.fleet.refuse_without_room(wanted.workers * len(present.there) - present.ready)
    changed = await registry.set_workers(service.database, name, version, wanted.workers, actor=actor)
    return _version(service, service.fleet.rollouts.get(name), changed)


@router.put("/models/{name}/rollout", summary="Say who shall answer", status_code=202)
async def put_rollout(
    service: Service,
    actor: Admin,
    response: Response,
    name: Name,
    wanted: schemas.WantedRollout,
    if_match: IfMatch = None,
) -> schemas.OperationFacts:
    """New versions are loaded beside the old ones and proven; then all switch between two requests."""
    revision = _revision(if_match)
    rollout = Rollout(name, 0, **wanted.model_dump())
    return await _begin(service, response, name, rollout, actor, "rollout", revision)


@router.post("/models/{name}/promote", summary="Make a version the stable one, by evidence", status_code=202)
async def promote(
    service: Service,
    actor: Admin,
    response: Response,
    name: Name,
    promotion: schemas.Promotion,
    if_match: IfMatch = None,
) -> schemas.OperationFacts:
    """Refused with 409 `not_promoted` and the findings, when the policy is not met; `force` is audited."""
    operation = await service.wishes.promote(
        name,
        promotion.version,
        actor=actor,
        revision=_revision(if_match),
        force=promotion.force,
        why=promotion.reason,
    )
    return _begun(service, response, operation)


@router.post(
    "/models/{name}/versions/{version}/evaluate", summary="Compare a version with the stable one", status_code=202
)
async def evaluate(
    service: Service, actor: Admin, response: Response, name: Name, version: Name
) -> schemas.OperationFacts:
    """Loads it beside the others, plays the golden set and kept sightings to both, and unloads it again."""
    return _begun(service, response, await service.wishes.evaluate(name, version, actor=actor))


@router.get("/models/{name}/versions/{version}/evidence", summary="What the newest evaluation of a version found")
async def get_evidence(service: Service, name: Name, version: Name) -> Evidence:
    """The records that would change name, by name; and what speaks against a promotion."""
    found = await within(service.database.timeout_seconds, _read_evidence(service, name, version))
    if version not in found:
        raise NotFound(f"Version '{version}' of '{name}' has not been evaluated.")
    return found[version]


@router.post("/models/{name}/rollback", summary="Back to what answered before", status_code=202)
async def roll_back(
    service: Service, actor: Admin, response: Response, name: Name, if_match: IfMatch = None
) -> schemas.OperationFacts:
    """Takes the canary away where there is one, else goes back to the stable version before."""
    return await _begin(service, response, name, None, actor, "rollback", _revision(if_match))


async def _existing(service: Service, name: Name, number: UUID) -> Operation:
    found = await registry.find_operation(service.database, name, number)
    if found is None:
        raise NotFound("There is no such operation of this model.")
    return found


Existing = Annotated[Operation, Depends(_existing)]


@router.get("/models/{name}/operations/{number}", summary="How far a change is")
async def get_operation(service: Service, operation: Existing) -> schemas.OperationFacts:
    return _operation(service, operation)


@router.get(
    "/models/{name}/operations/{number}/events",
    summary="The same as it happens: an event for each step, until it has ended",
    response_class=EventSourceResponse,
    include_in_schema=False,  # what the framework says of streams is nothing that the API page can show
)
async def watch_operation(service: Service, operation: Existing) -> AsyncIterator[schemas.OperationFacts]:
    """Server-sent events; read them with fetch or `curl -N`. The stream ends with the change, or after ten minutes."""
    until, told = monotonic() + WATCH_SECONDS, None
    while True:
        facts = _operation(service, operation)
        if facts != told:
            yield facts
            told = facts
        if facts.state != "running" or monotonic() > until:
            return
        await asyncio.sleep(LOOK_SECONDS)
        with contextlib.suppress(DatabaseUnavailable):  # it goes on when the database is back
            operation = await registry.find_operation(service.database, operation.model, operation.id) or operation


@router.delete("/models/{name}/operations/{number}", summary="Cancel a change that is under way")
async def cancel_operation(service: Service, actor: Admin, name: Name, number: UUID) -> schemas.OperationFacts:
    """What answers goes on answering. A change that has ended stays as it is."""
    found = await registry.cancel(service.database, service.metrics, name, number, actor=actor)
    if found is None:
        raise NotFound("There is no such operation of this model.")
    return _operation(service, found)


async def _begin(
    service: Parts, response: Response, name: str, wanted: Rollout | None, actor: str, action: str, revision: int | None
) -> schemas.OperationFacts:
    return _begun(
        service, response, await service.wishes.begin(name, wanted, actor=actor, action=action, revision=revision)
    )


def _begun(service: Parts, response: Response, operation: Operation) -> schemas.OperationFacts:
    response.headers["Location"] = f"/models/{operation.model}/operations/{operation.id}"
    return _operation(service, operation)


async def _read(
    service: Parts, name: str
) -> tuple[list[Rollout], list[ModelVersion], Operation | None, dict[str, Evidence]]:
    async with service.database.connection() as connection:
        return (
            await models.rollouts(connection),
            await models.versions(connection, name),
            await models.newest_operation(connection, name),
            await _evidence(service, connection, name),
        )


async def _read_evidence(service: Parts, name: str, version: str) -> dict[str, Evidence]:
    async with service.database.connection() as connection:
        return await _evidence(service, connection, name, version)


async def _evidence(
    service: Parts, connection: Connection, name: str, version: str | None = None
) -> dict[str, Evidence]:
    """The newest of each version, weighed against what is stable now."""
    rollout = service.fleet.rollouts.get(name)
    found = {}
    for each in await evaluations.newest(connection, name, version):
        against = rollout.stable if rollout else each.against
        weighed = await weighing.weigh(connection, service.settings.model_store, each, against)
        found[each.version] = Evidence(
            **vars(each),
            **each.evidence,
            is_current=weighed.is_current,
            flipped=sum(flip["count"] for flip in each.evidence["flips"]),
            findings=[Finding(**finding.to_json()) for finding in weighed.findings],
            policy=weighed.policy.model_dump(),
        )
    return found


def _revision(if_match: str | None) -> int | None:
    """None when it is not given: then the answer says which one to give."""
    if if_match is None:
        return None
    found = re.fullmatch(r'(?:W/)?"?([0-9]{1,18})"?', if_match.strip())
    if not found:
        raise Conflict('If-Match must be the revision that GET /models/{name} gave, for instance "3".')
    return int(found[1])


def _summary(service: Parts, rollout: Rollout) -> schemas.ModelSummary:
    stable = service.fleet.find(rollout.model, rollout.stable)
    facts = {name: value for name, value in vars(rollout).items() if name != "model"}
    return schemas.ModelSummary(
        name=rollout.model,
        rollout=schemas.RolloutFacts(**facts),
        ready=stable is not None and stable.ready > 0 and stable.proof.failure is None,
    )


def _version(
    service: Parts, rollout: Rollout | None, version: ModelVersion, evidence: Evidence | None = None
) -> schemas.VersionFacts:
    served: Served | None = service.fleet.find(version.model, version.version)
    return schemas.VersionFacts(
        version=version.version,
        state=version.state,
        reason=version.reason or (served.reason if served else None),
        role=rollout.part_of(version.version) if rollout else None,
        sha256=version.sha256.hex(),
        source=version.source,
        labels=len(version.labels),
        metrics=version.metrics,
        created_by=version.created_by,
        created_at=version.created_at,
        workers=[
            WorkerFacts.of((version.model, version.version), worker)
            for place in (served.places if served else ())
            for worker in place.workers
        ],
        wanted_workers=(version.workers or service.fleet.workers) * service.fleet.torchserves,
        last_errors=service.fleet.failures.of((version.model, version.version)),
        reference=ReferenceProof(passed=served.proof.passed, total=len(served.archive.references)) if served else None,
        queue_depth=served.lane.waiting if served else 0,
        last_minute=schemas.LastMinute(**vars(served.window.seen())) if served else None,
        evidence=EvidenceSummary(**vars(evidence)) if evidence else None,
    )


def _operation(service: Parts, operation: Operation) -> schemas.OperationFacts:
    """It is done when this replica goes by it too, a moment after the database says so."""
    rollout = service.fleet.rollouts.get(operation.model)
    is_new = datetime.now(UTC) - operation.updated_at < TAKEN_UP_WITHIN
    if is_new and operation.changes_rollout and rollout is not None and rollout.revision <= operation.revision:
        operation = replace(operation, state="running", stage="switching")
    return _told(operation)


def _told(operation: Operation) -> schemas.OperationFacts:
    names = schemas.OperationFacts.model_fields
    return schemas.OperationFacts(**{name: value for name, value in vars(operation).items() if name in names})
