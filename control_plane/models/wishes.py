"""Changes that somebody asks for: checked and written down; `changes.py` carries them out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import uuid_utils.compat as uuid

from control_plane.domain.rollout import Rollout
from control_plane.errors import Conflict, ModelNotFound, NotPromoted
from control_plane.models import registry, weighing
from control_plane.models.lifecycle import Fleet
from control_plane.tables import audit, models
from control_plane.tables.database import Connection, Database, within
from control_plane.tables.models import Operation


class Wishes:
    """One change of a model at a time; each with its row in the audit."""

    def __init__(self, database: Database, fleet: Fleet, store: Path) -> None:
        self._database = database
        self._fleet = fleet
        self._store = store

    async def begin(
        self,
        model: str,
        wanted: Rollout | None,
        *,
        actor: str,
        action: str,
        revision: int | None,
        why: str | None = None,
    ) -> Operation:
        """Who shall answer; `wanted` None: back to what was before.

        Raises:
            Conflict: Another revision is there, or another change is under way, or a version may not answer.
            ModelNotFound: There is no such model or version.
            DatabaseUnavailable: As it says.
        """
        return await within(self._database.timeout_seconds, self._begin(model, wanted, actor, action, revision, why))

    async def evaluate(self, model: str, version: str, *, actor: str) -> Operation:
        """Have a version compared with the stable one; who answers stays.

        Raises:
            Conflict: Another change is under way, or the version cannot be loaded, or is the stable one.
            ModelNotFound: There is no such model or version.
            DatabaseUnavailable: As it says.
        """
        return await within(self._database.timeout_seconds, self._begin_evaluation(model, version, actor))

    async def _begin_evaluation(self, model: str, version: str, actor: str) -> Operation:
        async with self._database.connection() as connection, connection.transaction():
            present = await self._present(connection, model)
            if version == present.stable:
                raise Conflict(f"Version '{version}' is the stable one: there is nothing to compare it with.")
            await self._check_may_load(connection, present, [version])
            return await self._start(connection, present, present, actor, "evaluate", None, version)

    async def promote(
        self, model: str, version: str | None, *, actor: str, revision: int | None, force: bool, why: str | None
    ) -> Operation:
        """Make a version the stable one, when the evidence is as the policy wants it; `version` None: the canary.

        Raises:
            NotPromoted: The evidence is missing, or speaks against it, and it is not forced.
            Conflict: As `begin`.
            ModelNotFound: There is no such model or version, or no canary.
            DatabaseUnavailable: As it says.
        """
        promotion = self._promote(model, version, actor, revision, force, why)
        return await within(self._database.timeout_seconds, promotion)

    async def _promote(
        self, model: str, version: str | None, actor: str, revision: int | None, force: bool, why: str | None
    ) -> Operation:
        async with self._database.connection() as connection, connection.transaction():
            present = await self._present(connection, model, revision)
            version = version or present.canary
            if version is None:
                raise ModelNotFound(f"'{model}' has no canary. Say which version shall be promoted.")
            if version == present.stable:
                raise Conflict(f"Version '{version}' is the stable one already.")
            await self._check_may_load(connection, present, [version])
            found = await weighing.objections(connection, self._store, model, version, present.stable)
            if found and not force:
                raise NotPromoted(
                    f"Version '{version}' is not promoted. {' '.join(each.message for each in found)}",
                    errors=[each.to_json() for each in found],
                )
            keeps_shadow = present.shadow not in (None, version)
            wanted = Rollout(
                model,
                0,
                version,
                shadow=present.shadow if keeps_shadow else None,
                shadow_percent=present.shadow_percent if keeps_shadow else 0.0,
            )
            action = "promote-forced" if found else "promote"
            operation = await self._start(connection, present, wanted, actor, action, why)
            if found:
                facts = {**registry.facts_of(operation), "findings": [each.to_json() for each in found]}
                await audit.write(connection, actor=actor, action="model.forced", facts=facts)
        return operation

    async def _begin(
        self,
        model: str,
        wanted: Rollout | None,
        actor: str,
        action: str,
        revision: int | None,
        why: str | None,
    ) -> Operation:
        async with self._database.connection() as connection, connection.transaction():
            present = await self._present(connection, model, revision)
            wanted = wanted or _back(present)
            await self._check_may_load(connection, present, wanted.versions)
            return await self._start(connection, present, wanted, actor, action, why)

    async def _present(self, connection: Connection, model: str, *revision: int | None) -> Rollout:
        """Locked until the end of the transaction; when a revision is given it must be that."""
        present = await models.rollout_to_change(connection, model)
        if present is None:
            raise ModelNotFound(f"No model '{model}' is served; GET /models lists what is.")
        if revision and revision[0] != present.revision:
            raise Conflict(
                f"The rollout is at revision {present.revision}. Read it (GET /models/{model}), decide again, "
                f'and send If-Match: "{present.revision}".'
            )
        return present

    async def _check_may_load(self, connection: Connection, present: Rollout, versions: Sequence[str]) -> None:
        model = present.model
        for version in versions:
            found = await models.find_version(connection, model, version)
            if found is None or found.state == "retired":
                raise ModelNotFound(f"There is no version '{version}' of '{model}'; add it first.")
            if found.state != "ready" and version not in present.versions:
                raise Conflict(f"Version '{version}' is {found.state}: {found.reason or 'no reason is known'}")
        if any(self._fleet.find(model, version) is None for version in versions):
            self._fleet.refuse_without_room()

    async def _start(
        self,
        connection: Connection,
        present: Rollout,
        wanted: Rollout,
        actor: str,
        action: str,
        why: str | None,
        version: str | None = None,
    ) -> Operation:
        now = datetime.now(UTC)
        operation = Operation(
            uuid.uuid7(), present.model, present.revision, wanted.stable, wanted.canary, wanted.canary_percent, actor,
            action, why, "running", "loading", None, now, now, wanted.shadow, wanted.shadow_percent, version,
        )  # fmt: skip
        try:
            async with connection.transaction():
                await models.begin(connection, operation)
        except psycopg.errors.UniqueViolation:
            raise Conflict("Another change of this model is under way. Wait until it has ended.") from None
        await audit.write(connection, actor=actor, action=f"model.{action}", facts=registry.facts_of(operation))
        return operation


def _back(present: Rollout) -> Rollout:
    """Without the canary when there is one, else to the stable version before."""
    if present.canary is not None:
        return replace(present, canary=None, canary_percent=0.0)
    if present.previous is None:
        raise Conflict("There is nothing to go back to: no other version answered before.")
    return Rollout(present.model, present.revision, present.previous)
