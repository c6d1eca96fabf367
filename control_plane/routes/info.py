"""GET /info: what is served, by what, within which limits."""

import platform
from importlib.metadata import version

from fastapi import APIRouter, Response

from control_plane import schemas
from control_plane.dependencies import Service
from control_plane.version import VERSION
from handlers.preprocessing import FORMATS

router = APIRouter(tags=["info"])

_RUNTIME = {
    "python": platform.python_version(),
    "system": platform.platform(terse=True),
    **{name: version(name) for name in ("fastapi", "pillow", "psycopg")},
}


@router.get("/info", summary="Models, labels, workers, runtime, limits")
async def info(service: Service) -> schemas.Info:
    archive, settings = service.archive, service.settings
    return schemas.Info(
        version=VERSION,
        models=[
            schemas.ServedModel(
                name=archive.model,
                version=archive.version,
                labels=list(archive.labels),
                common_names=archive.card.common_names,
                negative_labels=sorted(archive.card.negative_labels),
                ready_workers=sum(worker.ready for keeper in service.keepers for worker in keeper.workers),
                wanted_workers=sum(keeper.wanted_workers for keeper in service.keepers),
                metrics=archive.card.metrics,
                limits=archive.card.limits,
            )
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


@router.get("/info/example", summary="A picture that the model knows, to try it with", response_class=Response)
async def example(service: Service) -> Response:
    """The first reference picture of the served model."""
    return Response(service.archive.references[0].picture, media_type="image/jpeg")
