"""API keys: made, listed, exchanged, revoked."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path

from control_plane.contract import credentials as schemas
from control_plane.web.dependencies import Admin, Service

router = APIRouter(tags=["keys"])

KeyId = Annotated[str, Path(pattern=r"^[A-Za-z0-9]{8}$", description="The eight characters after `ww_`.")]


@router.get("/keys", summary="All keys, the newest first")
async def list_keys(service: Service) -> schemas.Keys:
    """Those that were revoked or have expired too."""
    return schemas.Keys(items=[schemas.KeyFacts.of(each) for each in await service.keyring.every()])


@router.post("/keys", summary="Make a key", status_code=201)
async def make_key(service: Service, actor: Admin, new: schemas.NewKey) -> schemas.MadeKey:
    """The key itself stands in this answer and nowhere else."""
    made = await service.keyring.make(
        new.name,
        new.scopes,
        owner=new.owner,
        expires_at=datetime.now(UTC) + timedelta(days=new.expires_in_days) if new.expires_in_days else None,
        limits=new.limits.model_dump(exclude_none=True) if new.limits else None,
        actor=actor,
    )
    return schemas.MadeKey(**vars(schemas.KeyFacts.of(made.key)), key=made.text)


@router.get("/keys/{key_id}", summary="One key")
async def get_key(service: Service, key_id: KeyId) -> schemas.KeyFacts:
    return schemas.KeyFacts.of(await service.keyring.one(key_id))


@router.post("/keys/{key_id}/rotation", summary="Exchange a key for a new one", status_code=201)
async def rotate_key(service: Service, actor: Admin, key_id: KeyId, rotation: schemas.Rotation) -> schemas.MadeKey:
    """The new key may do the same; the old one goes on for the overlap, so that its holders can change over."""
    made = await service.keyring.rotate(key_id, overlap_seconds=rotation.overlap_seconds, actor=actor)
    return schemas.MadeKey(**vars(schemas.KeyFacts.of(made.key)), key=made.text)


@router.delete("/keys/{key_id}", summary="Revoke a key", status_code=204)
async def revoke_key(service: Service, actor: Admin, key_id: KeyId) -> None:
    """Refused here at once, by other replicas within two seconds."""
    await service.keyring.revoke(key_id, actor=actor)
