"""The recorded predictions: list, export, one, its picture, deletion."""

import base64
import binascii
import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import uuid_utils.compat as uuid
from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response, StreamingResponse

from control_plane import audit, history, pictures
from control_plane.database import within
from control_plane.dependencies import Admin, Service
from control_plane.errors import InvalidRequest, NotFound
from control_plane.schemas import Answer, Deleted, Name, Page

router = APIRouter(tags=["history"])

DELETE_SECONDS = 300.0
CSV_ROWS = 500  # read at a time
CSV_COLUMNS = (
    "request_id", "created_at", "model", "version", "verdict", "label", "common_name", "confidence",
    "processing_time_ms", "latitude", "longitude", "subject", "correlation_id", "image_sha256", "consent",
)  # fmt: skip


@router.get("/history", summary="List predictions, newest first", response_model=Page)
async def list_history(
    service: Service,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before.")] = None,
    label: Annotated[Name | None, Query(description="The best label, exactly.")] = None,
    model: Name | None = None,
    version: Name | None = None,
    min_confidence: Annotated[float | None, Query(ge=0, le=1)] = None,
    since: Annotated[datetime | None, Query(description="From this moment on; UTC when no zone is given.")] = None,
    until: Annotated[datetime | None, Query(description="Before this moment.")] = None,
    q: Annotated[Name | None, Query(description="In names, subject, request id or correlation id.")] = None,
    output: Annotated[
        Literal["json", "csv"], Query(alias="format", description="csv gives all rows at once.")
    ] = "json",
) -> Page | Response:
    filters = history.Filters(label, model, version, min_confidence, since, until, q)
    if output == "csv":
        first = await within(service.database.timeout_seconds, _page(service, filters, None, CSV_ROWS))
        return StreamingResponse(
            _csv(service, filters, first),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="weedwatch-history.csv"'},
        )
    rows = await within(service.database.timeout_seconds, _page(service, filters, _decoded(cursor), limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(
        items=[Answer.of(row) for row in rows], next_cursor=_encoded(rows[-1].request_id) if more and rows else None
    )


@router.get("/history/{request_id}", summary="One prediction")
async def get_prediction(service: Service, request_id: UUID) -> Answer:
    return Answer.of(await _found(service, request_id))


@router.get("/history/{request_id}/image", summary="The kept picture", response_class=FileResponse)
async def get_picture(service: Service, request_id: UUID) -> Response:
    row = await _found(service, request_id)
    file = service.pictures.path(row.picture_sha256) if row.picture_sha256 else None
    if file is None or not file.is_file():
        raise NotFound("No picture was kept for this prediction; it is kept only when sent with consent=true.")
    return FileResponse(file, media_type=pictures.MEDIA_TYPE, headers={"X-Content-Type-Options": "nosniff"})


@router.delete("/history", summary="Delete predictions and their kept pictures")
async def delete_history(
    service: Service,
    admin: Admin,
    before: Annotated[datetime | None, Query(description="Only those from before this moment.")] = None,
) -> Deleted:
    """Needs the admin token. The act stands in the audit, in the same transaction."""
    deleted, kept = await within(DELETE_SECONDS, _delete(service, admin, before))
    await service.pictures.remove(kept)
    return Deleted(deleted=deleted)


async def _page(
    service: Service, filters: history.Filters, before: UUID | None, limit: int
) -> list[history.Prediction]:
    async with service.database.connection() as connection:
        if filters.q and (rows := await history.page_by_id(connection, filters, before=before, limit=limit)):
            return rows
        return await history.page(connection, filters, before=before, limit=limit)


async def _found(service: Service, request_id: UUID) -> history.Prediction:
    async def find() -> history.Prediction | None:
        async with service.database.connection() as connection:
            return await history.find(connection, request_id)

    row = await within(service.database.timeout_seconds, find())
    if row is None:
        raise NotFound("There is no prediction with this request id; it may have been deleted.")
    return row


async def _delete(service: Service, admin: str, before: datetime | None) -> tuple[int, list[bytes]]:
    bound = uuid.uuid7()  # never in the future: what is recorded from now on stays
    if before:
        bound = min(bound, history.first_id_at(before))
    async with service.database.connection() as connection, connection.transaction():
        await history.mark_deleted(connection, bound)
        deleted, kept = await history.delete_before(connection, bound)
        still_shown = await history.still_shown(connection, kept)
        facts = {"deleted": deleted, "before": before.isoformat() if before else None}
        await audit.write(connection, actor=admin, action="delete history", facts=facts)
    return deleted, [digest for digest in kept if digest not in still_shown]


async def _csv(service: Service, filters: history.Filters, rows: list[history.Prediction]) -> AsyncIterator[str]:
    """Page by page; the first one was read before the answer began, so that an error could still be told."""
    yield _csv_line(CSV_COLUMNS)
    while rows:
        yield "".join(_csv_line(_csv_cells(row)) for row in rows)
        rows = await within(service.database.timeout_seconds, _page(service, filters, rows[-1].request_id, CSV_ROWS))


def _csv_cells(row: history.Prediction) -> list[object]:
    special: dict[str, object] = {
        "created_at": row.created_at.isoformat(),
        "processing_time_ms": round(1000 * row.processing_seconds, 3),
        "image_sha256": row.image_sha256.hex(),
    }
    return [special.get(name, getattr(row, name, None)) for name in CSV_COLUMNS]


def _csv_line(cells: "tuple[str, ...] | list[object]") -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: object) -> object:
    """A text that a spreadsheet would take for a formula is shown as text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t")) else cell


def _encoded(request_id: UUID) -> str:
    return base64.urlsafe_b64encode(request_id.bytes).decode().rstrip("=")


def _decoded(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        raise InvalidRequest("This cursor is not one that the service gave. Start again without a cursor.") from None
