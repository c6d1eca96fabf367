"""GET /access: how one gets in, and who one is."""

from fastapi import APIRouter, Request

from control_plane.access.oidc import Issuer
from control_plane.contract import credentials as schemas
from control_plane.domain.callers import Caller
from control_plane.settings import Settings
from control_plane.web.dependencies import Service

router = APIRouter(tags=["access"])


@router.get("/access", summary="What this service asks of callers, and who you are")
async def access(service: Service, request: Request) -> schemas.Access:
    """Open to everybody: pages and programs ask it before they have a credential."""
    caller: Caller | None = request.state.caller
    return schemas.Access(
        mode=service.keeper.mode,
        caller=schemas.CallerFacts.of(caller) if caller else None,
        oidc=_sign_in(service.settings, service.keeper.issuer),
        traces=service.settings.traces_share if service.settings.traces_url else 0,
    )


def _sign_in(settings: Settings, issuer: Issuer | None) -> schemas.SignIn | None:
    endpoints = issuer.provider.endpoints if issuer else None
    if not issuer or not endpoints or not settings.oidc_client_id:
        return None
    name = settings.oidc_audience_parameter
    return schemas.SignIn(
        issuer=issuer.provider.issuer,
        client_id=settings.oidc_client_id,
        scope=settings.oidc_client_scope or " ".join(["openid", *issuer.words]),
        parameters={name: str(settings.oidc_audience)} if name else {},
        authorization_endpoint=endpoints.authorization,
        token_endpoint=endpoints.token,
        end_session_endpoint=endpoints.end_session,
    )
