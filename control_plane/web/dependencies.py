"""What a route may ask for, as Annotated aliases.

All are coroutines: FastAPI calls a plain function in a thread, which costs more than all else that a route does.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from control_plane.access.keyring import Keyring
from control_plane.access.throttle import Throttle
from control_plane.dispatch import Dispatcher
from control_plane.domain.callers import Caller
from control_plane.errors import Unauthorized
from control_plane.metrics import Metrics
from control_plane.models.intake import Intake
from control_plane.models.lifecycle import Fleet
from control_plane.models.wishes import Wishes
from control_plane.photos.pictures import Pictures
from control_plane.predictions.prediction import Predictor
from control_plane.predictions.readiness import Readiness
from control_plane.predictions.replays import Replays
from control_plane.records.erasure import Erasure
from control_plane.records.removals import Removals
from control_plane.records.spool import Spool
from control_plane.settings import Settings
from control_plane.tables.anchor import Anchor
from control_plane.tables.database import Database
from control_plane.telemetry.alerts import PrometheusAlerts
from control_plane.telemetry.series import Series
from control_plane.web.door import Keeper
from control_plane.web.figures import Figures


@dataclass(frozen=True)
class Parts:
    """Everything that the lifespan made; routes reach it only through the aliases below."""

    settings: Settings
    metrics: Metrics
    database: Database
    spool: Spool
    fleet: Fleet
    wishes: Wishes
    intake: Intake
    pictures: Pictures
    removals: Removals
    erasure: Erasure
    predictor: Predictor
    readiness: Readiness
    replays: Replays
    series: Series
    keyring: Keyring
    keeper: Keeper
    throttle: Throttle
    anchor: Anchor
    alerts: PrometheusAlerts | None
    """None where the settings name no Prometheus."""
    figures: Figures

    def blur(self, caller: Caller) -> float | None:
        """The grid, in degrees, to which places are moved for this caller; None for one who may see them."""
        return None if caller.may("locations") else self.settings.blur_degrees

    @property
    def dispatcher(self) -> Dispatcher | None:
        """Of what answers when nothing else is asked for; None while there is no model."""
        return self.fleet.stable.lane if self.fleet.stable else None


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


async def _request_id(request: Request) -> UUID:
    minted: UUID = request.state.request_id
    return minted


async def _correlation_id(request: Request) -> str | None:
    given: str | None = request.state.correlation_id
    return given


async def _caller(request: Request) -> Caller:
    caller: Caller | None = request.state.caller
    if caller is None:  # of an open route; those do not ask
        raise Unauthorized
    return caller


async def _admin(request: Request) -> str:
    return (await _caller(request)).name


Service = Annotated[Parts, Depends(_parts)]
RequestId = Annotated[UUID, Depends(_request_id)]
CorrelationId = Annotated[str | None, Depends(_correlation_id)]
By = Annotated[Caller, Depends(_caller)]
"""Who calls; the door has looked at what it may."""
Admin = Annotated[str, Depends(_admin)]
"""The name of who acts, for the audit."""
