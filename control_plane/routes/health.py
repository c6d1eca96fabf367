"""Health in four depths, and the metrics."""

import os
from typing import Any

import psutil
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from control_plane.contract import health as schemas
from control_plane.errors import ModelNotLoaded, NotFound
from control_plane.models.lifecycle import Fleet
from control_plane.telemetry.failures import Key
from control_plane.version import VERSION
from control_plane.web.dependencies import Service
from control_plane.web.figures import OFF
from control_plane.web.problems import problem

router = APIRouter(tags=["health"])

SCRAPE_AGAIN_SECONDS = 10


@router.get("/health", summary="Summary", response_model=schemas.Health, responses={503: {"model": schemas.Health}})
async def health(service: Service) -> Response:
    return _answer(schemas.Health(**_summary(service)), service.readiness.is_ready)


@router.get("/health/live", summary="The process is up")
async def live() -> schemas.Live:
    return schemas.Live()


@router.get(
    "/health/ready",
    summary="Able to serve, proven",
    response_model=schemas.Ready,
    responses={503: {"model": schemas.Ready}},
)
async def ready(service: Service) -> Response:
    """Proven by reference pictures that go the whole way and must answer as pinned."""
    reasons = service.readiness.reasons()
    return _answer(schemas.Ready(ready=not reasons, reasons=reasons, reference=_reference(service)), not reasons)


@router.get("/health/detailed", summary="Every dependency and the machine")
async def detailed(service: Service) -> schemas.DetailedHealth:
    """Always 200: it describes; `/health/ready` decides."""
    fleet = service.fleet
    workers = [
        schemas.WorkerFacts.of(each.key, worker)
        for each in fleet.all()
        for place in each.places
        for worker in place.workers
    ]
    reasons = service.readiness.reasons()
    return schemas.DetailedHealth(
        **_summary(service),
        ready=not reasons,
        reasons=reasons,
        since=service.readiness.since,
        reference=_reference(service),
        database=schemas.Dependency(
            up=service.database.up, detail=None if service.database.up else service.database.reason
        ),
        torchserve=schemas.Dependency(
            up=bool(workers), detail=next((each.reason for each in fleet.answering() if each.reason), None)
        ),
        versions=_versions(fleet),
        workers=workers,
        queue_depth=sum(each.lane.waiting for each in fleet.all()),
        spool_bytes=service.spool.held_bytes,
        spool_limit_bytes=service.settings.spool_max_bytes,
        machine=_machine(service),
    )


@router.get("/metrics", summary="OpenMetrics", response_class=Response)
async def metrics(request: Request, service: Service) -> Response:
    _refuse_beside(service)
    if service.settings.metrics == "off":
        raise NotFound(OFF)
    body, media_type = await service.figures.page(request.headers.get("accept", ""))
    return Response(body, media_type=media_type)


@router.get("/metrics/torchserve", summary="TorchServe's metrics, as it tells them", response_class=Response)
async def torchserve_metrics(service: Service, number: str = "1") -> Response:
    """`number`: of the TorchServe, where there are several; 1 is the first in the settings."""
    _refuse_beside(service)
    try:
        body, media_type = await service.figures.torchserve_page(number)
    except ModelNotLoaded as error:  # no error of a prediction: it is counted where whoever scrapes sees it
        return problem(error.kind, detail=error.detail, retry_after_seconds=SCRAPE_AGAIN_SECONDS)
    return Response(body, media_type=media_type)


def _refuse_beside(service: Service) -> None:
    if service.settings.metrics_port is not None:
        raise NotFound("The metrics have a port of their own here.")


def _answer(body: schemas.Health | schemas.Ready, good: bool) -> JSONResponse:
    return JSONResponse(body.model_dump(), status_code=200 if good else 503)


def _summary(service: Service) -> dict[str, Any]:
    loaded = service.dispatcher is not None and service.dispatcher.capacity > 0
    status = "ok" if service.readiness.is_ready else "unavailable"
    return {"status": status, "version": VERSION, "model_loaded": loaded}


def _versions(fleet: Fleet) -> list[schemas.VersionHealth]:
    """All that answer or are on their way, those whose archive is missing too."""

    def health(key: Key, ready: int, wanted: int, reason: str | None) -> schemas.VersionHealth:
        rollout = fleet.rollouts.get(key[0])
        role = rollout.part_of(key[1]) if rollout else None
        return schemas.VersionHealth(
            model=key[0], version=key[1], role=role, ready_workers=ready, wanted_workers=wanted, reason=reason
        )

    served = [
        health(each.key, each.ready, fleet.workers_of(*each.key) * fleet.torchserves, each.trouble)
        for each in fleet.all()
    ]
    return served + [
        health(key, 0, fleet.workers_of(*key) * fleet.torchserves, why) for key, why in fleet.missing.items()
    ]


def _reference(service: Service) -> schemas.ReferenceProof:
    return schemas.ReferenceProof(passed=service.readiness.proof.passed, total=len(service.readiness.references))


def _machine(service: Service) -> schemas.Machine:
    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(service.settings.state_dir))
    return schemas.Machine(
        cpu_percent=psutil.cpu_percent(),
        load_1m=os.getloadavg()[0],
        memory_used_bytes=memory.used,
        memory_total_bytes=memory.total,
        disk_free_bytes=disk.free,
        disk_total_bytes=disk.total,
        process_memory_bytes=psutil.Process().memory_info().rss,
    )
