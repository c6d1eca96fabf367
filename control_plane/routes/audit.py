"""The record of admin acts: list, and whether it is whole."""

from typing import Annotated

from fastapi import APIRouter, Query

from control_plane.contract.privacy import AuditPage, AuditRow, Verification
from control_plane.tables import audit
from control_plane.tables.anchor import MOST_ROWS
from control_plane.tables.database import within
from control_plane.web.dependencies import Admin, Service

router = APIRouter(tags=["audit"])

Cursor = Annotated[int | None, Query(ge=1, le=MOST_ROWS, description="`next_cursor` of the page before.")]


@router.get("/audit", summary="List admin acts, newest first")
async def list_acts(
    service: Service, _: Admin, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: Cursor = None
) -> AuditPage:
    async def read() -> list[audit.Act]:
        async with service.database.connection() as connection:
            return await audit.page(connection, before=cursor, limit=limit + 1)

    acts = await within(service.database.timeout_seconds, read())
    more, acts = len(acts) > limit, acts[:limit]
    return AuditPage(items=[AuditRow.of(act) for act in acts], next_cursor=acts[-1].id if more else None)


@router.get("/audit/verification", summary="Whether a row of the audit was changed, removed or moved")
async def verify_audit(
    service: Service,
    _: Admin,
    limit: Annotated[int | None, Query(ge=1, le=MOST_ROWS, description="So many rows at most; all without it.")] = None,
    cursor: Cursor = None,
) -> Verification:
    """All rows are read and compared; the newest rows that the replicas saw are looked up too."""
    return Verification.of(await service.anchor.verify(cursor or 1, limit or MOST_ROWS))
