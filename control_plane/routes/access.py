"""GET /access: how one gets in, and who one is."""

from fastapi import APIRouter, Request

from control_plane import credential_schemas as schemas
from control_plane.callers import Caller
from control_plane.dependencies import Service

router = APIRouter(tags=["access"])


@router.get("/access", summary="What this service asks of callers, and who you are")
async def access(service: Service, request: Request) -> schemas.Access:
    """Open to everybody: pages and programs ask it before they have a credential."""
    caller: Caller | None = request.state.caller
    return schemas.Access(mode=service.keeper.mode, caller=schemas.CallerFacts.of(caller) if caller else None)
