"""The recorded predictions: list, export, one, its picture, what is said of it later, deletion."""

import base64
import binascii
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import uuid_utils.compat as uuid
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import ValidationError

from control_plane.contract.history import Amendment, Deleted, Page, RecordedAnswer, ShadowFacts
from control_plane.contract.predictions import Answer
from control_plane.contract.text import Name
from control_plane.domain.callers import Caller
from control_plane.errors import Conflict, InvalidRequest, NotFound
from control_plane.photos import pictures, uploads
from control_plane.photos.pictures import Kept
from control_plane.tables import audit, erasures, evaluations, history
from control_plane.tables.database import within
from control_plane.web.dependencies import Admin, By, Service
from control_plane.web.problems import invalid

router = APIRouter(tags=["history"])

_PICTURE_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}

DELETE_SECONDS = 300.0
CSV_ROWS = 500  # read at a time
CSV_COLUMNS = (
    "request_id", "created_at", "model", "version", "verdict", "label", "common_name", "confidence",
    "processing_time_ms", "latitude", "longitude", "subject", "correlation_id", "image_sha256", "consent",
    "taken_at", "location_blurred", "place_from_picture",
)  # fmt: skip


@router.get(
    "/history",
    summary="List predictions, newest first",
    response_model=Page,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def list_history(
    service: Service,
    caller: By,
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
    filters = history.Filters(label, model, version, min_confidence, since, until, q, caller.sees)
    if output == "csv":
        first = await within(service.database.timeout_seconds, _page(service, filters, None, CSV_ROWS))
        return StreamingResponse(
            _csv(service, filters, first, service.blur(caller)),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="weedwatch-history.csv"'},
        )
    rows = await within(service.database.timeout_seconds, _page(service, filters, _decoded(cursor), limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(
        items=[Answer.of(row, service.blur(caller)) for row in rows],
        next_cursor=_encoded(rows[-1].request_id) if more and rows else None,
    )


@router.get("/history/{request_id}", summary="One prediction")
async def get_prediction(service: Service, caller: By, request_id: UUID) -> RecordedAnswer:
    """With what other versions said to the same picture."""
    row, shadows = await within(service.database.timeout_seconds, _with_shadows(service, caller, request_id))
    return RecordedAnswer(
        **vars(Answer.of(row, service.blur(caller))),
        shadows=[ShadowFacts(**vars(each), processing_time_ms=round(1000 * each.seconds, 3)) for each in shadows],
    )


@router.patch(
    "/history/{request_id}",
    summary="Give consent, place or subject later",
    response_model=Answer,
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": Amendment.model_json_schema()}}}
    },
)
async def amend_prediction(service: Service, caller: By, request_id: UUID, request: Request) -> Answer:
    """What is not given stays as it is; null takes it away. Consent taken back removes the kept picture."""
    body = await uploads.receive_text(request, timeout_seconds=service.settings.upload_timeout_seconds)
    try:
        changes = Amendment.model_validate_json(body).changes
    except ValidationError as error:
        raise invalid(error) from None
    row, dropped = await within(service.database.timeout_seconds, _amend(service, caller, request_id, changes))
    if dropped:
        await service.removals.carry_out()
    return Answer.of(row, service.blur(caller))


@router.get("/history/{request_id}/image", summary="The kept picture", response_class=FileResponse)
async def get_picture(
    service: Service,
    caller: By,
    request_id: UUID,
    size: Annotated[Literal["full", "thumb"], Query(description="thumb: at most 320 pixels wide or high.")] = "full",
) -> Response:
    row = await _found(service, caller, request_id)
    if row.picture_sha256 is None:
        raise _no_picture()
    try:
        if size == "thumb":
            content = await service.pictures.thumbnail(row.picture_sha256)
        elif (file := service.pictures.file(row.picture_sha256)) is None:
            content = await service.pictures.read(row.picture_sha256)
        elif file.is_file():
            return FileResponse(file, media_type=pictures.MEDIA_TYPE, headers=_PICTURE_HEADERS)
        else:
            raise _no_picture()
    except FileNotFoundError:
        raise _no_picture() from None
    return Response(content, media_type=pictures.MEDIA_TYPE, headers=_PICTURE_HEADERS)


@router.put(
    "/history/{request_id}/image",
    summary="Keep the picture of a prediction, now that there is consent",
    response_model=Answer,
    openapi_extra={
        "requestBody": {"required": True, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def put_picture(service: Service, caller: By, request_id: UUID, request: Request) -> Answer:
    """The same bytes that were sent to `/predict`, after consent was given; anything else is a 409 `conflict`."""
    row = await _found(service, caller, request_id)
    _check_may_keep(row)
    upload = await uploads.receive(
        request,
        max_bytes=service.settings.max_image_bytes,
        timeout_seconds=service.settings.upload_timeout_seconds,
    )
    picture = await uploads.check(upload, max_pixels=service.settings.max_pixels)
    if picture.sha256 != row.image_sha256:
        raise Conflict("This is not the picture that the prediction was made from. Send the same bytes again.")
    kept = await service.pictures.keep(picture.data)
    try:
        row = await within(service.database.timeout_seconds, _show(service, caller, request_id, kept))
    except (Conflict, NotFound):  # consent was taken back, or the record deleted, meanwhile
        await within(service.database.timeout_seconds, _forget(service, kept))
        await service.removals.carry_out()
        raise
    return Answer.of(row, service.blur(caller))


@router.delete("/history", summary="Delete predictions and their kept pictures")
async def delete_history(
    service: Service,
    admin: Admin,
    before: Annotated[datetime | None, Query(description="Only those from before this moment.")] = None,
) -> Deleted:
    """Of everybody. The act stands in the audit, in the same transaction."""
    deleted = await within(DELETE_SECONDS, _delete(service, admin, before))
    await service.removals.carry_out()
    return Deleted(deleted=deleted)


async def _page(
    service: Service, filters: history.Filters, before: UUID | None, limit: int
) -> list[history.Prediction]:
    async with service.database.connection() as connection:
        if filters.q and (rows := await history.page_by_id(connection, filters, before=before, limit=limit)):
            return rows
        return await history.page(connection, filters, before=before, limit=limit)


async def _amend(
    service: Service, caller: Caller, request_id: UUID, changes: dict[str, Any]
) -> tuple[history.Prediction, bool]:
    """The record as it is now, and whether its picture went."""
    async with service.database.connection() as connection, connection.transaction():
        before = _there(await history.find_to_change(connection, request_id), caller)
        after = replace(before, **changes)
        if "latitude" in changes:
            after = replace(after, place_from_picture=False)
        if not after.consent:
            after = history.without_picture(after)
        await history.amend(connection, after)
        if before.consent and not after.consent:
            await erasures.put_withdrawal(connection, request_id)
        dropped = before.picture_sha256 is not None and after.picture_sha256 is None
        if dropped and before.picture_sha256:
            await service.removals.want(connection, [before.picture_sha256])
    return after, dropped


async def _forget(service: Service, kept: Kept) -> None:
    async with service.database.connection() as connection, connection.transaction():
        await service.removals.want(connection, [kept.sha256])


async def _show(service: Service, caller: Caller, request_id: UUID, kept: Kept) -> history.Prediction:
    async with service.database.connection() as connection, connection.transaction():
        row = _there(await history.find_to_change(connection, request_id), caller)
        _check_may_keep(row)
        row = history.with_picture(row, kept.sha256, kept.taken)
        await history.amend(connection, row)
    return row


def _no_picture() -> NotFound:
    return NotFound("No picture was kept for this prediction; it is kept only with the sender's consent.")


def _check_may_keep(row: history.Prediction) -> None:
    if not row.consent:
        raise Conflict("There is no consent to keep this picture. Give it first: PATCH with consent=true.")


def _there(row: history.Prediction | None, caller: Caller) -> history.Prediction:
    """The row, if there is one that the caller may see; that there is another must not show."""
    if row is None or (caller.sees is not None and row.owner != caller.sees):
        raise NotFound("There is no prediction with this request id; it may have been deleted.")
    return row


async def _with_shadows(
    service: Service, caller: Caller, request_id: UUID
) -> tuple[history.Prediction, list[evaluations.ShadowAnswer]]:
    async with service.database.connection() as connection:
        row = _there(await history.find(connection, request_id), caller)
        return row, await evaluations.shadows_of(connection, request_id)


async def _found(service: Service, caller: Caller, request_id: UUID) -> history.Prediction:
    async def find() -> history.Prediction | None:
        async with service.database.connection() as connection:
            return await history.find(connection, request_id)

    return _there(await within(service.database.timeout_seconds, find()), caller)


async def _delete(service: Service, admin: str, before: datetime | None) -> int:
    bound = uuid.uuid7()  # never in the future: what is recorded from now on stays
    if before:
        bound = min(bound, history.first_id_at(before))
    async with service.database.connection() as connection, connection.transaction():
        await history.mark_deleted(connection, bound)
        deleted, kept = await history.delete_before(connection, bound)
        await service.removals.want(connection, kept)
        facts = {"deleted": deleted, "before": before.isoformat() if before else None}
        await audit.write(connection, actor=admin, action="delete history", facts=facts)
    return deleted


async def _csv(
    service: Service, filters: history.Filters, rows: list[history.Prediction], blur: float | None
) -> AsyncIterator[str]:
    """Page by page; the first one was read before the answer began, so that an error could still be told."""
    yield _csv_line(CSV_COLUMNS)
    while rows:
        yield "".join(_csv_line(_csv_cells(Answer.of(row, blur))) for row in rows)
        rows = await within(service.database.timeout_seconds, _page(service, filters, rows[-1].request_id, CSV_ROWS))


def _csv_cells(answer: Answer) -> list[object]:
    special: dict[str, object] = {"created_at": answer.created_at.isoformat(), "image_sha256": answer.image.sha256}
    return [special.get(name, getattr(answer, name, None)) for name in CSV_COLUMNS]


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
