"""GET /info: what is served, by what, within which limits."""

import platform
from importlib.metadata import version

from fastapi import APIRouter, Response

from control_plane.contract import info as schemas
from control_plane.errors import ModelNotLoaded
from control_plane.models.lifecycle import Fleet
from control_plane.models.served import Served
from control_plane.version import VERSION
from control_plane.web.dependencies import Service
from handlers.preprocessing import FORMATS

router = APIRouter(tags=["info"])

_RUNTIME = {
    "python": platform.python_version(),
    "system": platform.platform(terse=True),
    **{name: version(name) for name in ("fastapi", "pillow", "psycopg")},
}


@router.get("/info", summary="Models, labels, workers, runtime, limits")
async def info(service: Service) -> schemas.Info:
    settings = service.settings
    return schemas.Info(
        version=VERSION,
        models=[
            _served(service.fleet, each)
            for each in sorted(service.fleet.answering(), key=lambda each: each is not service.fleet.stable)
        ],
        limits=schemas.Limits(
            max_image_bytes=settings.max_image_bytes,
            max_pixels=settings.max_pixels,
            queue_size=settings.queue_size,
            deadline_seconds=settings.deadline_seconds,
            formats=list(FORMATS),
        ),
        runtime=_RUNTIME,
    )


def _served(fleet: Fleet, each: Served) -> schemas.ServedModel:
    archive = each.archive
    return schemas.ServedModel(
        name=archive.model,
        version=archive.version,
        role=fleet.rollouts[archive.model].part_of(archive.version) or "stable",
        labels=list(archive.labels),
        common_names=archive.card.common_names,
        negative_labels=sorted(archive.card.negative_labels),
        ready_workers=each.ready,
        wanted_workers=fleet.workers_of(*each.key) * fleet.torchserves,
        metrics=archive.card.metrics,
        limits=archive.card.limits,
    )


@router.get("/info/example", summary="A picture that the model knows, to try it with", response_class=Response)
async def example(service: Service) -> Response:
    """The first reference picture of the served model."""
    if service.fleet.stable is None:
        raise ModelNotLoaded("There is no model yet, so there is no picture that it knows.")
    return Response(service.fleet.stable.archive.references[0].picture, media_type="image/jpeg")
