"""What the Status room draws."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from control_plane.contract.status import FiringAlert, StatusAlerts, StatusPoint, StatusSeries
from control_plane.telemetry.series import STEP_SECONDS, VERDICTS
from control_plane.web.dependencies import Service

router = APIRouter(tags=["status"])


@router.get("/status/series", summary="The last hour, minute by minute")
async def series(service: Service) -> StatusSeries:
    """From this replica's own figures: it works without any monitoring beside it."""
    return StatusSeries(
        step_seconds=STEP_SECONDS,
        points=[
            StatusPoint(
                at=minute.at,
                answered=minute.verdicts.total(),
                refused=minute.refused,
                failed=minute.failed,
                verdicts={verdict: minute.verdicts[verdict] for verdict in VERDICTS},
                p50_seconds=minute.seconds(0.5),
                p95_seconds=minute.seconds(0.95),
                queue_depth=minute.queue_depth,
                ready=minute.ready,
            )
            for minute in service.series.minutes
        ],
    )


@router.get("/status/alerts", summary="What fires, and since when")
async def alerts(service: Service) -> StatusAlerts:
    """From Prometheus, where WEEDWATCH_PROMETHEUS_URL names one. Always 200: where nothing is known it says why."""
    if service.alerts is None:
        return StatusAlerts(connected=False, problem=None, watched=False, firing=[])
    told = await service.alerts.look()
    return StatusAlerts(
        connected=True,
        problem=told.problem,
        watched=told.watched and told.problem is None,
        firing=[FiringAlert.of(each) for each in told.firing],
    )


@router.get("/monitoring", include_in_schema=False)
async def monitoring() -> RedirectResponse:
    return RedirectResponse("/#/status")
