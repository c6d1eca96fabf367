"""What the service knows of versions and changes: added, removed, cancelled, found; each with its row in the audit."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from control_plane.domain.rollout import Rollout
from control_plane.errors import Conflict, ModelNotFound
from control_plane.metrics import Metrics
from control_plane.models import archives
from control_plane.models.archives import Archive
from control_plane.tables import audit, models
from control_plane.tables.database import Database, within
from control_plane.tables.models import ModelVersion, Operation


def version_of(archive: Archive, sha256: bytes, actor: str) -> ModelVersion:
    """What the registry says of an archive of the model store."""
    return ModelVersion(
        archive.model, archive.version, archive.file.name, sha256, "model store", list(archive.labels),
        archive.card.metrics, actor, datetime.now(UTC), "ready", None,
    )  # fmt: skip


def facts_of(operation: Operation) -> dict[str, object]:
    """For the audit and the log."""
    return {
        "operation": str(operation.id),
        "model": operation.model,
        "stable": operation.stable,
        "canary": operation.canary,
        "canary_percent": operation.canary_percent,
        "shadow": operation.shadow,
        "shadow_percent": operation.shadow_percent,
        "version": operation.version,
        "why": operation.why,
    }


async def add_version(database: Database, store: Path, model: str, version: str, *, actor: str) -> ModelVersion:
    """Make a version of the model store known.

    Raises:
        archives.NoArchive: The store has none, or none that can be read.
        Conflict: Another archive of this version answers at present.
    """
    archive = await asyncio.to_thread(archives.find, store, model, version)
    sha256 = await asyncio.to_thread(archives.digest, archive.file)
    return await within(database.timeout_seconds, _add_version(database, version_of(archive, sha256, actor)))


async def _add_version(database: Database, new: ModelVersion) -> ModelVersion:
    async with database.connection() as connection, connection.transaction():
        rollout = await models.rollout_to_change(connection, new.model)
        known = await models.find_version(connection, new.model, new.version)
        if known is not None and known.sha256 == new.sha256 and known.state == "ready":
            return known
        if rollout is not None and new.version in rollout.versions:
            raise Conflict(
                f"Version '{new.version}' answers at present. Give the changed archive a version of its own."
            )
        await models.put_version(connection, new)
        if rollout is None:
            await models.put_rollout(connection, Rollout(new.model, 1, new.version))
        facts = {"model": new.model, "version": new.version, "sha256": new.sha256.hex()}
        await audit.write(connection, actor=new.created_by, action="model.version", facts=facts)
    return new


async def remove_version(database: Database, model: str, version: str, *, actor: str) -> None:
    """Forget a version that does not answer.

    Raises:
        Conflict: It answers, or is on its way.
        ModelNotFound: It is not known.
    """
    await within(database.timeout_seconds, _remove_version(database, model, version, actor))


async def _remove_version(database: Database, model: str, version: str, actor: str) -> None:
    async with database.connection() as connection, connection.transaction():
        rollout = await models.rollout_to_change(connection, model)
        known = await models.find_version(connection, model, version)
        if known is None or known.state == "retired":
            raise ModelNotFound(f"There is no version '{version}' of '{model}'.")
        coming = [each for each in await models.running(connection) if each.model == model]
        if (rollout and version in rollout.versions) or any(version in each.versions for each in coming):
            raise Conflict(f"Version '{version}' answers at present, or is about to. Change the rollout first.")
        # The row stays: a start that finds its archive in the store must not take it for a new one.
        await models.set_state(connection, model, version, "retired", f"Removed by {actor}.")
        await audit.write(connection, actor=actor, action="model.removed", facts={"model": model, "version": version})


async def set_workers(database: Database, model: str, version: str, workers: int | None, *, actor: str) -> ModelVersion:
    """How many workers a version shall have in each TorchServe; None: as many as the settings say.

    Raises:
        ModelNotFound: It is not known.
    """

    async def changed() -> ModelVersion:
        async with database.connection() as connection, connection.transaction():
            await models.rollout_to_change(connection, model)
            known = await models.find_version(connection, model, version)
            if known is None or known.state == "retired":
                raise ModelNotFound(f"There is no version '{version}' of '{model}'.")
            await models.set_workers(connection, model, version, workers)
            facts = {"model": model, "version": version, "workers": workers, "before": known.workers}
            await audit.write(connection, actor=actor, action="model.workers", facts=facts)
        return replace(known, workers=workers)

    return await within(database.timeout_seconds, changed())


async def cancel(database: Database, metrics: Metrics, model: str, number: UUID, *, actor: str) -> Operation | None:
    """End a change that is under way; nothing happens to one that has ended. None when there is none."""

    async def cancelled() -> Operation | None:
        async with database.connection() as connection, connection.transaction():
            ended = await models.note(connection, number, "failed", "cancelled", f"Cancelled by {actor}.")
            found = await models.operation(connection, model, number)
            if found is not None and found.stage == "cancelled":
                await audit.write(connection, actor=actor, action="model.cancelled", facts=facts_of(found))
        if found is not None and ended:
            metrics.changes.labels(model, found.action, "cancelled").inc()
        return found

    return await within(database.timeout_seconds, cancelled())


async def find_operation(database: Database, model: str, number: UUID) -> Operation | None:
    async def found() -> Operation | None:
        async with database.connection() as connection:
            return await models.operation(connection, model, number)

    return await within(database.timeout_seconds, found())
