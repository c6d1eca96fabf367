"""Versions, rollouts and operations: one function = one SQL statement."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from control_plane.domain.rollout import Rollout
from control_plane.tables.database import Connection


@dataclass(frozen=True)
class ModelVersion:
    """One version, as the row holds it; `reason` says why it is in its state."""

    model: str
    version: str
    archive: str
    sha256: bytes
    source: str
    labels: list[str]
    metrics: dict[str, Any]
    created_by: str
    created_at: datetime
    state: str
    reason: str | None
    workers: int | None = None


@dataclass(frozen=True)
class Operation:
    """A change of a rollout: the wanted one, how far it is, how it ended.

    One that evaluates `version` leaves the rollout as it is.
    """

    id: UUID
    model: str
    revision: int
    stable: str
    canary: str | None
    canary_percent: float
    actor: str
    action: str
    why: str | None
    state: str
    stage: str
    message: str | None
    created_at: datetime
    updated_at: datetime
    shadow: str | None = None
    shadow_percent: float = 0.0
    version: str | None = None

    @property
    def changes_rollout(self) -> bool:
        """Whether somebody else answers since it ended."""
        return self.state == "done" and self.version is None

    @property
    def versions(self) -> tuple[str, ...]:
        """All that must be loaded for it."""
        every = (self.stable, self.canary, self.shadow, self.version)
        return tuple(each for each in every if each is not None)


async def put_version(connection: Connection, version: ModelVersion) -> None:
    """Add a version; of one that is there, its archive and what that says may change."""
    await connection.execute(
        """
        INSERT INTO model_versions (
            model, version, archive, sha256, source, labels, metrics, created_by, created_at, state, reason)
        VALUES (
            %(model)s, %(version)s, %(archive)s, %(sha256)s, %(source)s, %(labels)s, %(metrics)s, %(created_by)s,
            %(created_at)s, %(state)s, %(reason)s)
        ON CONFLICT (model, version) DO UPDATE SET
            archive = excluded.archive, sha256 = excluded.sha256, source = excluded.source,
            labels = excluded.labels, metrics = excluded.metrics, state = excluded.state, reason = excluded.reason
        """,
        vars(version) | {"labels": Jsonb(version.labels), "metrics": Jsonb(version.metrics)},
    )


async def versions(connection: Connection, model: str | None = None) -> list[ModelVersion]:
    """All that are not retired, or those of one model; oldest first."""
    cursor = connection.cursor(row_factory=class_row(ModelVersion))
    await cursor.execute(
        """
        SELECT * FROM model_versions
        WHERE state <> 'retired' AND (%(model)s::text IS NULL OR model = %(model)s::text)
        ORDER BY model, created_at, version
        """,
        {"model": model},
    )
    return await cursor.fetchall()


async def version_names(connection: Connection, model: str) -> list[str]:
    """Of all that were ever known."""
    cursor = await connection.execute("SELECT version FROM model_versions WHERE model = %(model)s", {"model": model})
    return [str(row[0]) for row in await cursor.fetchall()]


async def find_version(connection: Connection, model: str, version: str) -> ModelVersion | None:
    cursor = connection.cursor(row_factory=class_row(ModelVersion))
    await cursor.execute(
        "SELECT * FROM model_versions WHERE model = %(model)s AND version = %(version)s",
        {"model": model, "version": version},
    )
    return await cursor.fetchone()


async def set_state(connection: Connection, model: str, version: str, state: str, reason: str | None) -> None:
    await connection.execute(
        """
        UPDATE model_versions SET state = %(state)s, reason = %(reason)s
        WHERE model = %(model)s AND version = %(version)s
        """,
        {"model": model, "version": version, "state": state, "reason": reason},
    )


async def worker_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Of the versions that have a number of their own."""
    cursor = await connection.execute("SELECT model, version, workers FROM model_versions WHERE workers IS NOT NULL")
    return {(model, version): workers for model, version, workers in await cursor.fetchall()}


async def sick(connection: Connection) -> set[tuple[str, str]]:
    """The versions that could not be loaded or answered wrongly, until they are added again or removed."""
    cursor = await connection.execute("SELECT model, version FROM model_versions WHERE state = 'sick' LIMIT 1000")
    return {(model, version) for model, version in await cursor.fetchall()}


async def set_workers(connection: Connection, model: str, version: str, workers: int | None) -> None:
    await connection.execute(
        "UPDATE model_versions SET workers = %(workers)s WHERE model = %(model)s AND version = %(version)s",
        {"model": model, "version": version, "workers": workers},
    )


async def put_upload(connection: Connection, version: ModelVersion) -> None:
    """A version that is on its way in; `archive` is the upload's id until it is ready. What was there is replaced."""
    await connection.execute(
        """
        INSERT INTO model_versions (
            model, version, archive, sha256, source, labels, metrics, created_by, created_at, state, reason)
        VALUES (
            %(model)s, %(version)s, %(archive)s, %(sha256)s, %(source)s, %(labels)s, %(metrics)s, %(created_by)s,
            %(created_at)s, %(state)s, %(reason)s)
        ON CONFLICT (model, version) DO UPDATE SET
            archive = excluded.archive, sha256 = excluded.sha256, source = excluded.source, labels = excluded.labels,
            metrics = excluded.metrics, created_by = excluded.created_by, created_at = excluded.created_at,
            state = excluded.state, reason = excluded.reason, workers = NULL
        """,
        vars(version) | {"labels": Jsonb(version.labels), "metrics": Jsonb(version.metrics)},
    )


async def uploads(connection: Connection) -> list[ModelVersion]:
    """All that are on their way in."""
    cursor = connection.cursor(row_factory=class_row(ModelVersion))
    await cursor.execute("SELECT * FROM model_versions WHERE state IN ('uploaded', 'checking') ORDER BY created_at")
    return await cursor.fetchall()


async def note_upload(connection: Connection, upload: str, state: str, reason: str | None) -> bool:
    """How far an upload is, or that it is refused; False when it is not on its way any more."""
    cursor = await connection.execute(
        """
        UPDATE model_versions SET state = %(state)s, reason = %(reason)s
        WHERE archive = %(upload)s AND state IN ('uploaded', 'checking')
        """,
        {"upload": upload, "state": state, "reason": reason},
    )
    return cursor.rowcount == 1


async def note_digest(connection: Connection, upload: str, sha256: bytes) -> None:
    """Of the archive that an upload has become."""
    await connection.execute(
        """
        UPDATE model_versions SET sha256 = %(sha256)s
        WHERE archive = %(upload)s AND state IN ('uploaded', 'checking')
        """,
        {"upload": upload, "sha256": sha256},
    )


async def take_upload(connection: Connection, upload: str, ready: ModelVersion) -> bool:
    """It has become a version; False when it is not on its way any more."""
    cursor = await connection.execute(
        """
        UPDATE model_versions SET
            archive = %(archive)s, sha256 = %(sha256)s, labels = %(labels)s, metrics = %(metrics)s, state = 'ready',
            reason = NULL
        WHERE archive = %(upload)s AND state IN ('uploaded', 'checking')
        """,
        vars(ready) | {"upload": upload, "labels": Jsonb(ready.labels), "metrics": Jsonb(ready.metrics)},
    )
    return cursor.rowcount == 1


async def rollouts(connection: Connection) -> list[Rollout]:
    cursor = connection.cursor(row_factory=class_row(Rollout))
    await cursor.execute(
        "SELECT model, revision, stable, canary, canary_percent, shadow, shadow_percent, previous FROM rollouts"
    )
    return await cursor.fetchall()


async def rollout_to_change(connection: Connection, model: str) -> Rollout | None:
    """Nobody else changes it until the end of this transaction."""
    cursor = connection.cursor(row_factory=class_row(Rollout))
    await cursor.execute(
        """
        SELECT model, revision, stable, canary, canary_percent, shadow, shadow_percent, previous FROM rollouts
        WHERE model = %(model)s FOR UPDATE
        """,
        {"model": model},
    )
    return await cursor.fetchone()


async def put_rollout(connection: Connection, rollout: Rollout) -> None:
    await connection.execute(
        """
        INSERT INTO rollouts (model, revision, stable, canary, canary_percent, shadow, shadow_percent, previous)
        VALUES (
            %(model)s, %(revision)s, %(stable)s, %(canary)s, %(canary_percent)s, %(shadow)s, %(shadow_percent)s,
            %(previous)s)
        ON CONFLICT (model) DO UPDATE SET
            revision = excluded.revision, stable = excluded.stable, canary = excluded.canary,
            canary_percent = excluded.canary_percent, shadow = excluded.shadow,
            shadow_percent = excluded.shadow_percent, previous = excluded.previous, changed_at = now()
        """,
        vars(rollout),
    )


async def begin(connection: Connection, operation: Operation) -> None:
    """Raises psycopg.errors.UniqueViolation when another one of the model is running."""
    await connection.execute(
        """
        INSERT INTO operations (
            id, model, revision, stable, canary, canary_percent, shadow, shadow_percent, version, actor, action, why,
            state, stage, message, created_at, updated_at)
        VALUES (
            %(id)s, %(model)s, %(revision)s, %(stable)s, %(canary)s, %(canary_percent)s, %(shadow)s,
            %(shadow_percent)s, %(version)s, %(actor)s, %(action)s, %(why)s, %(state)s, %(stage)s, %(message)s,
            %(created_at)s, %(updated_at)s)
        """,
        vars(operation),
    )


async def running(connection: Connection) -> list[Operation]:
    cursor = connection.cursor(row_factory=class_row(Operation))
    await cursor.execute("SELECT * FROM operations WHERE state = 'running' ORDER BY created_at")
    return await cursor.fetchall()


async def operation(connection: Connection, model: str, number: UUID) -> Operation | None:
    cursor = connection.cursor(row_factory=class_row(Operation))
    await cursor.execute(
        "SELECT * FROM operations WHERE id = %(id)s AND model = %(model)s", {"id": number, "model": model}
    )
    return await cursor.fetchone()


async def newest_operation(connection: Connection, model: str) -> Operation | None:
    cursor = connection.cursor(row_factory=class_row(Operation))
    await cursor.execute(
        "SELECT * FROM operations WHERE model = %(model)s ORDER BY created_at DESC LIMIT 1", {"model": model}
    )
    return await cursor.fetchone()


async def note(connection: Connection, number: UUID, state: str, stage: str, message: str | None) -> bool:
    """How far an operation is, or how it ended; one that has ended stays as it is, and then this is False."""
    cursor = await connection.execute(
        """
        UPDATE operations SET state = %(state)s, stage = %(stage)s, message = %(message)s, updated_at = now()
        WHERE id = %(id)s AND state = 'running'
        """,
        {"id": number, "state": state, "stage": stage, "message": message},
    )
    return cursor.rowcount == 1
