"""The history of predictions: one function = one SQL statement."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import TupleRow, class_row

from control_plane.photos.exif import Taken
from control_plane.tables.database import Connection

DELETION_LOCK = 7309862316
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # an escaped NUL, not the six characters that look like it


@dataclass(frozen=True)
class Prediction:
    """One recorded answer, as the row holds it; `predictions` is [{"label", "confidence"}], best first."""

    request_id: UUID
    correlation_id: str | None
    created_at: datetime
    model: str
    version: str
    verdict: str
    label: str
    common_name: str | None
    confidence: float
    predictions: list[dict[str, Any]]
    processing_seconds: float
    image_sha256: bytes
    image_bytes: int
    image_format: str
    image_width: int
    image_height: int
    consent: bool
    picture_sha256: bytes | None
    latitude: float | None
    longitude: float | None
    subject: str | None
    role: str = "stable"
    owner: str | None = None
    taken_at: datetime | None = None
    """By the camera's clock, without a zone; read from the picture, when it was kept."""
    place_from_picture: bool = False


@dataclass(frozen=True)
class Filters:
    """What a page of the history shows; None means any. `q` is found in names and subject, or is an id.

    `owner`: only the records of this one.
    """

    label: str | None = None
    model: str | None = None
    version: str | None = None
    min_confidence: float | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None
    owner: str | None = None


def with_picture(row: Prediction, sha256: bytes, taken: Taken) -> Prediction:
    """With a kept picture and what it says of itself; a place that the sender gave stays."""
    row = replace(row, picture_sha256=sha256, taken_at=taken.at)
    if row.latitude is not None or taken.latitude is None:
        return row
    return replace(row, latitude=taken.latitude, longitude=taken.longitude, place_from_picture=True)


def without_picture(row: Prediction) -> Prediction:
    """Without the kept picture, and without what was read from it."""
    row = replace(row, picture_sha256=None, taken_at=None)
    return replace(row, latitude=None, longitude=None, place_from_picture=False) if row.place_from_picture else row


def blurred(row: Prediction, degrees: float) -> Prediction:
    """With its place moved to the nearest point of a grid of `degrees`."""
    if row.latitude is None or row.longitude is None:
        return row
    return replace(row, latitude=_on_grid(row.latitude, degrees, 90), longitude=_on_grid(row.longitude, degrees, 180))


def first_id_at(moment: datetime) -> UUID:
    """The least UUIDv7 that can be minted at `moment`: a time bound that the primary key's index serves."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    milliseconds = min(max(int(aware.timestamp() * 1000), 0), 2**48 - 1)
    return UUID(int=milliseconds << 80)


def to_json(row: Prediction) -> str:
    """One record as a JSON object; digests in hexadecimal.

    Raises:
        ValueError: PostgreSQL would never take it: a number that is none, a NUL, half of a character.
    """
    text = json.dumps(vars(row), default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if _NUL.search(text):
        raise ValueError("a text holds a NUL")
    text.encode()  # refuses half of a character
    return text


def from_json(text: bytes) -> Prediction:
    """The record that `to_json` made this of.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    values: dict[str, Any] = json.loads(text)
    values["request_id"] = UUID(values["request_id"])
    for name in ("created_at", "taken_at"):
        values[name] = datetime.fromisoformat(values[name]) if values.get(name) else None
    for name in ("image_sha256", "picture_sha256"):
        values[name] = bytes.fromhex(values[name]) if values[name] is not None else None
    return Prediction(**values)


async def record_all(connection: Connection, rows: Sequence[Prediction], *, replayed: bool = False) -> None:
    """Store answers, all or none; storing one again, after an unclear end of the first try, changes nothing.

    One statement with one parameter: it costs a third of twenty-one parameters a row.

    Args:
        connection: Where.
        rows: The answers.
        replayed: They come from the spool: what was deleted meanwhile stays deleted.
    """
    await connection.execute(
        """
        INSERT INTO predictions (
            request_id, correlation_id, created_at, model, version, verdict, label, common_name, confidence,
            predictions, processing_seconds, image_sha256, image_bytes, image_format, image_width,
            image_height, consent, picture_sha256, latitude, longitude, subject, role, owner,
            taken_at, place_from_picture)
        SELECT
            request_id, correlation_id, created_at, model, version, verdict, label, common_name, confidence,
            predictions, processing_seconds, decode(image_sha256, 'hex'), image_bytes, image_format, image_width,
            image_height, consent, decode(picture_sha256, 'hex'), latitude, longitude, subject, role, owner,
            taken_at, place_from_picture
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS given (
            request_id uuid, correlation_id text, created_at timestamptz, model text, version text, verdict text,
            label text, common_name text, confidence float8, predictions jsonb, processing_seconds float8,
            image_sha256 text, image_bytes bigint, image_format text, image_width integer, image_height integer,
            consent boolean, picture_sha256 text, latitude float8, longitude float8, subject text,
            role text, owner text, taken_at timestamp, place_from_picture boolean)
        WHERE NOT %(replayed)s OR NOT EXISTS (SELECT FROM deletions WHERE before > given.request_id)
        ON CONFLICT (request_id) DO NOTHING
        """,
        {"rows": f"[{','.join(map(to_json, rows))}]", "replayed": replayed},
        prepare=True,
    )


async def page(connection: Connection, filters: Filters, *, before: UUID | None, limit: int) -> list[Prediction]:
    """Up to `limit` rows, newest first, older than `before`; the cost does not grow with the table."""
    cursor = connection.cursor(row_factory=class_row(Prediction))
    await cursor.execute(
        """
        SELECT * FROM predictions
        WHERE (%(before)s::uuid IS NULL OR request_id < %(before)s::uuid)
          AND (%(since)s::uuid IS NULL OR request_id >= %(since)s::uuid)
          AND (%(until)s::uuid IS NULL OR request_id < %(until)s::uuid)
          AND (%(owner)s::text IS NULL OR owner = %(owner)s::text)
          AND (%(label)s::text IS NULL OR label = %(label)s::text)
          AND (%(model)s::text IS NULL OR model = %(model)s::text)
          AND (%(version)s::text IS NULL OR version = %(version)s::text)
          AND (%(min_confidence)s::float8 IS NULL OR confidence >= %(min_confidence)s::float8)
          AND (%(q)s::text IS NULL
               OR strpos(lower(label), lower(%(q)s::text)) > 0
               OR strpos(lower(coalesce(common_name, '')), lower(%(q)s::text)) > 0
               OR strpos(lower(coalesce(subject, '')), lower(%(q)s::text)) > 0)
        ORDER BY request_id DESC
        LIMIT %(limit)s
        """,
        _parameters(filters, before=before, limit=limit),
    )
    return await cursor.fetchall()


async def page_by_id(connection: Connection, filters: Filters, *, before: UUID | None, limit: int) -> list[Prediction]:
    """A page of the rows whose request id or correlation id is `filters.q`; by two indexes, whatever the size."""
    cursor = connection.cursor(row_factory=class_row(Prediction))
    await cursor.execute(
        """
        SELECT * FROM predictions
        WHERE (request_id = %(id)s::uuid OR correlation_id = %(q)s::text)
          AND (%(before)s::uuid IS NULL OR request_id < %(before)s::uuid)
          AND (%(since)s::uuid IS NULL OR request_id >= %(since)s::uuid)
          AND (%(until)s::uuid IS NULL OR request_id < %(until)s::uuid)
          AND (%(owner)s::text IS NULL OR owner = %(owner)s::text)
          AND (%(label)s::text IS NULL OR label = %(label)s::text)
          AND (%(model)s::text IS NULL OR model = %(model)s::text)
          AND (%(version)s::text IS NULL OR version = %(version)s::text)
          AND (%(min_confidence)s::float8 IS NULL OR confidence >= %(min_confidence)s::float8)
        ORDER BY request_id DESC
        LIMIT %(limit)s
        """,
        {**_parameters(filters, before=before, limit=limit), "id": _uuid_or_none(filters.q)},
    )
    return await cursor.fetchall()


async def find(connection: Connection, request_id: UUID) -> Prediction | None:
    cursor = connection.cursor(row_factory=class_row(Prediction))
    await cursor.execute("SELECT * FROM predictions WHERE request_id = %(request_id)s", {"request_id": request_id})
    return await cursor.fetchone()


async def find_to_change(connection: Connection, request_id: UUID) -> Prediction | None:
    """As `find`, and nobody else changes or deletes it until the end of this transaction."""
    cursor = connection.cursor(row_factory=class_row(Prediction))
    await cursor.execute(
        "SELECT * FROM predictions WHERE request_id = %(request_id)s FOR UPDATE", {"request_id": request_id}
    )
    return await cursor.fetchone()


async def amend(connection: Connection, row: Prediction) -> None:
    """Store what a client may say later of a record: consent, place, subject, and the kept picture that follows."""
    await connection.execute(
        """
        UPDATE predictions
        SET consent = %(consent)s, picture_sha256 = %(picture_sha256)s, latitude = %(latitude)s,
            longitude = %(longitude)s, subject = %(subject)s, taken_at = %(taken_at)s,
            place_from_picture = %(place_from_picture)s
        WHERE request_id = %(request_id)s
        """,
        vars(row) | {"predictions": None},
    )


async def delete_before(connection: Connection, before: UUID | None) -> tuple[int, list[bytes]]:
    """Delete all rows, or those older than `before`; how many, and the digests of their kept pictures."""
    cursor = await connection.execute(
        """
        WITH gone AS (
            DELETE FROM predictions WHERE %(before)s::uuid IS NULL OR request_id < %(before)s::uuid
            RETURNING picture_sha256)
        SELECT count(*), coalesce(array_agg(DISTINCT picture_sha256) FILTER (WHERE picture_sha256 IS NOT NULL), '{}')
        FROM gone
        """,
        {"before": before},
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives a row
    return row[0], row[1]


async def count_before(connection: Connection, before: UUID) -> tuple[int, int]:
    """How many records are older than `before`, and how many of those show a picture."""
    cursor = await connection.execute(
        "SELECT count(*), count(picture_sha256) FROM predictions WHERE request_id < %(before)s", {"before": before}
    )
    row = await cursor.fetchone()
    return (row[0], row[1]) if row else (0, 0)


async def delete_some_before(connection: Connection, before: UUID, limit: int) -> tuple[int, list[bytes]]:
    """Delete some of the records older than `before`; how many, and the digests of their kept pictures."""
    cursor = await connection.execute(
        """
        DELETE FROM predictions WHERE request_id IN (
            SELECT request_id FROM predictions WHERE request_id < %(before)s
            ORDER BY request_id LIMIT %(limit)s FOR UPDATE)
        RETURNING picture_sha256
        """,
        {"before": before, "limit": limit},
    )
    return _counted(await cursor.fetchall())


async def hide_pictures_before(connection: Connection, before: UUID, limit: int) -> tuple[int, list[bytes]]:
    """Take the pictures from some of the records older than `before`, as `without_picture` would."""
    cursor = await connection.execute(
        """
        UPDATE predictions SET
            picture_sha256 = NULL, taken_at = NULL, place_from_picture = false,
            latitude = CASE WHEN predictions.place_from_picture THEN NULL ELSE predictions.latitude END,
            longitude = CASE WHEN predictions.place_from_picture THEN NULL ELSE predictions.longitude END
        FROM (
            SELECT request_id, picture_sha256 FROM predictions
            WHERE request_id < %(before)s AND picture_sha256 IS NOT NULL
            ORDER BY request_id LIMIT %(limit)s FOR UPDATE) AS old
        WHERE predictions.request_id = old.request_id
        RETURNING old.picture_sha256
        """,
        {"before": before, "limit": limit},
    )
    return _counted(await cursor.fetchall())


async def hold_off_deletion(connection: Connection) -> None:
    """Until the end of this transaction no deletion begins; waits for one that has begun."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%(key)s)", {"key": DELETION_LOCK})


async def lock_deletions(connection: Connection) -> None:
    """Until the end of this transaction nothing comes home from a spool; waits for what has begun to."""
    await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": DELETION_LOCK})


async def mark_deleted(connection: Connection, before: UUID) -> None:
    """Records with smaller ids that are not in the table yet must not come into it any more."""
    await lock_deletions(connection)
    await connection.execute(
        "INSERT INTO deletions (before) VALUES (%(before)s) ON CONFLICT DO NOTHING", {"before": before}
    )


async def still_shown(connection: Connection, picture_sha256: list[bytes]) -> set[bytes]:
    """Which of these kept pictures some row still shows."""
    cursor = await connection.execute(
        "SELECT DISTINCT picture_sha256 FROM predictions WHERE picture_sha256 = ANY(%(digests)s)",
        {"digests": picture_sha256},
    )
    return {digest for (digest,) in await cursor.fetchall()}


async def want_removed(connection: Connection, picture_sha256: list[bytes]) -> None:
    """Write down kept pictures whose files must go."""
    await connection.execute(
        "INSERT INTO picture_removals (picture_sha256) SELECT unnest(%(digests)s::bytea[]) ON CONFLICT DO NOTHING",
        {"digests": picture_sha256},
    )


async def wanted_removed(connection: Connection, limit: int) -> list[bytes]:
    cursor = await connection.execute(
        "SELECT picture_sha256 FROM picture_removals ORDER BY created_at LIMIT %(limit)s", {"limit": limit}
    )
    return [digest for (digest,) in await cursor.fetchall()]


async def removed(connection: Connection, picture_sha256: list[bytes]) -> None:
    await connection.execute(
        "DELETE FROM picture_removals WHERE picture_sha256 = ANY(%(digests)s)", {"digests": picture_sha256}
    )


def _parameters(filters: Filters, *, before: UUID | None, limit: int) -> dict[str, Any]:
    return {
        **vars(filters),
        "before": before,
        "since": first_id_at(filters.since) if filters.since else None,
        "until": first_id_at(filters.until) if filters.until else None,
        "limit": limit,
    }


def _counted(rows: list[TupleRow]) -> tuple[int, list[bytes]]:
    return len(rows), list({digest for (digest,) in rows if digest is not None})


def _on_grid(value: float, degrees: float, most: float) -> float:
    return max(-most, min(most, round(round(value / degrees) * degrees, 6)))


def _uuid_or_none(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else str(value)
