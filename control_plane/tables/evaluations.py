"""Evidence of versions, and what shadows said: one function = one SQL statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from control_plane.tables.database import Connection


@dataclass(frozen=True)
class Evaluation:
    """What `version` did beside `against`; of these two archives and no other. `evidence` is that of `weigh`."""

    id: UUID
    model: str
    version: str
    sha256: bytes
    against: str
    against_sha256: bytes
    actor: str
    created_at: datetime
    evidence: dict[str, Any]


@dataclass(frozen=True)
class ShadowAnswer:
    """What another version said to a recorded picture; `agrees` with the answer that was given."""

    request_id: UUID
    version: str
    label: str
    confidence: float
    predictions: list[dict[str, Any]]
    seconds: float
    agrees: bool


async def put_evaluation(connection: Connection, evaluation: Evaluation) -> None:
    await connection.execute(
        """
        INSERT INTO evaluations (
            id, model, version, sha256, against, against_sha256, actor, created_at, evidence)
        VALUES (
            %(id)s, %(model)s, %(version)s, %(sha256)s, %(against)s, %(against_sha256)s, %(actor)s, %(created_at)s,
            %(evidence)s)
        """,
        vars(evaluation) | {"evidence": Jsonb(evaluation.evidence)},
    )


async def newest(connection: Connection, model: str, version: str | None = None) -> list[Evaluation]:
    """The newest of each version, or of one."""
    cursor = connection.cursor(row_factory=class_row(Evaluation))
    await cursor.execute(
        """
        SELECT DISTINCT ON (version) * FROM evaluations
        WHERE model = %(model)s AND (%(version)s::text IS NULL OR version = %(version)s::text)
        ORDER BY version, created_at DESC
        """,
        {"model": model, "version": version},
    )
    return await cursor.fetchall()


async def put_shadows(connection: Connection, answers: Sequence[ShadowAnswer]) -> None:
    """Those whose record is there; one that was deleted meanwhile takes them along."""
    cursor = connection.cursor()
    await cursor.executemany(
        """
        INSERT INTO shadows (request_id, version, label, confidence, predictions, seconds, agrees)
        SELECT
            %(request_id)s, %(version)s, %(label)s, %(confidence)s, %(predictions)s, %(seconds)s, %(agrees)s
        WHERE EXISTS (SELECT FROM predictions WHERE request_id = %(request_id)s FOR KEY SHARE)
        ON CONFLICT DO NOTHING
        """,
        [vars(each) | {"predictions": Jsonb(each.predictions)} for each in answers],
    )


async def shadows_of(connection: Connection, request_id: UUID) -> list[ShadowAnswer]:
    cursor = connection.cursor(row_factory=class_row(ShadowAnswer))
    await cursor.execute(
        "SELECT * FROM shadows WHERE request_id = %(request_id)s ORDER BY version", {"request_id": request_id}
    )
    return await cursor.fetchall()


async def kept_sightings(connection: Connection, model: str, limit: int) -> list[tuple[UUID, bytes]]:
    """Newest first: request ids and the digests of the pictures that were kept with consent."""
    cursor = await connection.execute(
        """
        SELECT request_id, picture_sha256 FROM predictions
        WHERE model = %(model)s AND consent AND picture_sha256 IS NOT NULL
        ORDER BY request_id DESC LIMIT %(limit)s
        """,
        {"model": model, "limit": limit},
    )
    return await cursor.fetchall()
