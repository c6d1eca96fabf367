"""Versions on their way in: uploaded, checked by the quarantine, then in the model store or refused.

The quarantine is another process without a network; what goes between it and us are files (`handover.py`). How far an
upload is stands in the database: a new start goes on from there.
"""

import asyncio
import logging
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uuid_utils.compat as uuid

from control_plane.errors import Conflict, DatabaseUnavailable, InvalidRequest, ModelNotFound, Overloaded
from control_plane.metrics import Metrics
from control_plane.models import archives, fetching, handover, storing
from control_plane.models.archives import NoArchive
from control_plane.models.handover import PROGRESS, REQUEST, REQUEST_LATER, SOURCE, VERDICT
from control_plane.models.receiving import FILES
from control_plane.settings import Settings
from control_plane.tables import audit, models
from control_plane.tables.database import Connection, Database, within
from control_plane.tables.models import ModelVersion

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
MAX_UPLOADS = 4  # of all replicas together, on their way at once
SLACK_SECONDS = 60.0
RETRY_SECONDS = 30.0
KEPT_FREE_BYTES = 10**9
ACTOR = "quarantine"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass
class Intake:
    """`settings` says where the folder is and what is let in."""

    database: Database
    settings: Settings
    metrics: Metrics
    oldest: datetime | None = None
    """Since when the upload that has waited longest waits for its verdict; None while none does."""
    _receiving: set[str] = field(default_factory=set)
    _fetches: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.settings.uploads_dir

    @asynccontextmanager
    async def place(self, model: str, declared_bytes: int = 0) -> AsyncIterator[Path]:
        """A folder for one upload's files; gone at the end unless `submit` took it.

        Raises:
            Overloaded: Too many uploads are on their way.
            ModelNotFound: No such model is served.
            Conflict: The disk has no room.
        """
        on_their_way = await within(self.database.timeout_seconds, self._on_their_way(model))
        if len(self._receiving) + on_their_way >= MAX_UPLOADS:
            raise Overloaded(
                f"{MAX_UPLOADS} versions are on their way in already. Send this one when one of them is through.",
                retry_after_seconds=RETRY_SECONDS,
            )
        upload = str(uuid.uuid7())
        self._receiving.add(upload)
        place = self.folder / upload
        try:
            await asyncio.to_thread(handover.own, place, self.settings.replica, new=True)
            if shutil.disk_usage(place).free < declared_bytes + KEPT_FREE_BYTES:
                raise Conflict("The disk has no room for this version. Free some, then send it again.")
            yield place
        finally:
            self._receiving.discard(upload)
            if not (place / REQUEST).exists() and not (place / REQUEST_LATER).exists():
                await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def submit(
        self, place: Path, model: str, fields: Mapping[str, str], *, actor: str, url: str | None = None
    ) -> ModelVersion:
        """Hand what lies in the place (or will come from the URL) to the quarantine.

        Raises:
            InvalidRequest: Files are missing or do not go together; a name cannot be used.
            Conflict: This version is there already, or on its way.
        """
        kind = "archive" if url else handover.kind_of(place)
        version = fields.get("version") or await self._next_version(place, model, kind)
        for what, name in (("model", model), ("version", version)):
            if not _NAME.fullmatch(name):
                raise InvalidRequest(
                    f"The {what} {name[:100]!r} cannot be used. Use letters, digits, '.', '_' and '-'."
                )
        content = place / FILES["archive" if kind == "archive" else "model"]
        sha256 = await asyncio.to_thread(archives.digest, content) if not url else bytes(32)
        new = ModelVersion(
            model, version, place.name, sha256, url or "upload", [], {}, actor, datetime.now(UTC), "uploaded", None
        )
        order = handover.order(self.settings, new, kind, fields.get("architecture") or None)
        if url:
            handover.put(place / SOURCE, {"url": url, "signed": self.settings.signing_key_file is not None})
        handover.put(place / REQUEST_LATER, order)
        try:
            await within(self.database.timeout_seconds, self._add(new))
        except BaseException:
            (place / REQUEST_LATER).unlink(missing_ok=True)
            raise
        if not url:
            (place / REQUEST_LATER).replace(place / REQUEST)
        return new

    async def _on_their_way(self, model: str) -> int:
        async with self.database.connection() as connection:
            if not any(each.model == model for each in await models.rollouts(connection)):
                raise ModelNotFound(
                    f"No model '{model}' is served; GET /models lists what is. The first version of a model is built "
                    "into the model store: make archive."
                )
            return sum(each.archive not in self._receiving for each in await models.uploads(connection))

    async def _next_version(self, place: Path, model: str, kind: str) -> str:
        """What the archive's manifest says; of a checkpoint one more than the highest number that is known."""
        if kind == "archive":
            return await asyncio.to_thread(handover.version_in, place / FILES["archive"])

        async def known() -> list[str]:
            async with self.database.connection() as connection:
                return await models.version_names(connection, model)

        found = await within(self.database.timeout_seconds, known())
        return str(max((int(each) for each in found if each.isdecimal() and len(each) < 10), default=0) + 1)

    async def _add(self, new: ModelVersion) -> None:
        async with self.database.connection() as connection, connection.transaction():
            rollout = await models.rollout_to_change(connection, new.model)
            known = await models.find_version(connection, new.model, new.version)
            if known is not None and known.state in ("uploaded", "checking", "ready"):
                raise Conflict(
                    f"Version '{new.version}' is there already ({known.state}). Give this one another number."
                )
            if rollout is not None and new.version in rollout.versions:
                raise Conflict(f"Version '{new.version}' answers at present. Give this one another number.")
            store = self.settings.model_store
            if known is None and await asyncio.to_thread(storing.is_there, store, new.model, new.version):
                raise Conflict(
                    f"An archive of version '{new.version}' lies in the model store. Add that one, or give this one "
                    "another number."
                )
            await models.put_upload(connection, new)
            facts = {**_facts(new), "source": new.source, "upload": new.archive}
            await audit.write(connection, actor=new.created_by, action="model.uploaded", facts=facts)

    async def run(self) -> None:
        """Until cancelled: look what the quarantine says."""
        while True:
            try:
                await self._look()
            except DatabaseUnavailable:
                pass  # it waits in the folder
            except Exception:
                log.exception("looking at the uploads failed; it tries again")
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        if not self.database.ready:
            return
        places = await asyncio.to_thread(handover.places, self.folder)
        async with self.database.connection() as connection:
            uploads = {each.archive: each for each in await models.uploads(connection)}
        self.oldest = min((each.created_at for each in uploads.values()), default=None)
        for place in places:
            is_ours = await asyncio.to_thread(handover.is_ours, place, self.settings.replica)
            if not is_ours or place.name in self._receiving:
                continue
            if (upload := uploads.get(place.name)) is not None:
                await self._carry_on(place, upload)
            elif place.name not in self._fetches:
                await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)  # through, or never begun
        names = {place.name for place in places} | self._receiving
        for upload in uploads.values():
            if upload.archive not in names and self._age(upload) > self._longest:
                await self._refuse(upload, "Its files were lost before they were checked. Send it again.")

    async def _carry_on(self, place: Path, upload: ModelVersion) -> None:
        if (place / VERDICT).exists():
            await self._go_by(place, upload)
        elif self._age(upload) > self._longest:
            await self._refuse(upload, "The quarantine gave no verdict in time, so the upload is not taken.", place)
        elif (place / REQUEST).exists():
            if (stage := handover.read(place / PROGRESS).get("stage")) and upload.reason != stage:
                await self._note(upload, "checking", str(stage)[:200])
        elif not (place / SOURCE).exists():
            (place / REQUEST_LATER).replace(place / REQUEST)  # we died between the row and this
        elif place.name not in self._fetches:
            self._fetches[place.name] = task = asyncio.create_task(self._fetch(place, upload))
            task.add_done_callback(lambda _: self._fetches.pop(place.name, None))

    async def _fetch(self, place: Path, upload: ModelVersion) -> None:
        source = handover.read(place / SOURCE)
        settings = self.settings
        files = {FILES["archive"]: source["url"]}
        if source["signed"]:
            files[FILES["signature"]] = f"{source['url']}.minisig"
        try:
            for name, url in files.items():
                await asyncio.to_thread(
                    fetching.fetch,
                    url,
                    place / name,
                    prefixes=settings.model_urls,
                    max_bytes=settings.max_version_bytes,
                    timeout_seconds=settings.upload_timeout_seconds,
                )
            sha256 = await asyncio.to_thread(archives.digest, place / FILES["archive"])
            await within(self.database.timeout_seconds, self._note_digest(upload, sha256))
            (place / REQUEST_LATER).replace(place / REQUEST)
        except fetching.NotFetched as error:
            await self._refuse(upload, str(error), place)
        except DatabaseUnavailable:
            pass  # it is fetched again
        except Exception:
            log.exception("an archive could not be fetched; it tries again")

    @property
    def _longest(self) -> float:
        """From the upload to its verdict: those before it are checked first, and one that was cut off twice."""
        fetching_seconds = self.settings.upload_timeout_seconds if self._fetches else 0.0
        return (MAX_UPLOADS + 1) * self.settings.quarantine_seconds + SLACK_SECONDS + fetching_seconds

    def _age(self, upload: ModelVersion) -> float:
        return (datetime.now(UTC) - upload.created_at).total_seconds()

    async def _go_by(self, place: Path, upload: ModelVersion) -> None:
        verdict = handover.read(place / VERDICT)
        if verdict.get("good") is not True:
            reason = str(verdict.get("reason") or "The quarantine's verdict cannot be read.")[:1000]
            await self._refuse(upload, reason, place)
            return
        try:
            ready = await asyncio.to_thread(
                storing.copy, place / FILES["archive"], self.settings.model_store, upload, str(verdict.get("sha256"))
            )
        except (NoArchive, OSError) as error:
            await self._refuse(upload, f"The checked archive cannot be taken: {error}", place)
            return
        await within(self.database.timeout_seconds, self._note_digest(upload, ready.sha256))
        # Its digest stands in the row now, so a start that finds it in the store does not take it for a new one.
        await asyncio.to_thread(storing.show, self.settings.model_store, ready)
        await within(self.database.timeout_seconds, self._take(upload, ready))
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        log.info("an uploaded version is ready", extra=_facts(ready))

    async def _take(self, upload: ModelVersion, ready: ModelVersion) -> None:
        async with self.database.connection() as connection, connection.transaction():
            taken = await models.take_upload(connection, upload.archive, ready)
            if taken:
                facts = {**_facts(ready), "source": ready.source, "upload": upload.archive, "archive": ready.archive}
                await audit.write(connection, actor=ACTOR, action="model.accepted", facts=facts)
        if taken:
            self.metrics.uploads.labels("ready").inc()

    async def _refuse(self, upload: ModelVersion, reason: str, place: Path | None = None) -> None:
        async def refused(connection: Connection) -> bool:
            noted = await models.note_upload(connection, upload.archive, "refused", reason)
            if noted:
                facts = {**_facts(upload), "source": upload.source, "upload": upload.archive, "reason": reason}
                await audit.write(connection, actor=ACTOR, action="model.refused", facts=facts)
            return noted

        async def done() -> bool:
            async with self.database.connection() as connection, connection.transaction():
                return await refused(connection)

        if await within(self.database.timeout_seconds, done()):
            self.metrics.uploads.labels("refused").inc()
        if place is not None:
            await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        log.warning("an upload is refused", extra={**_facts(upload), "cause": reason})

    async def _note(self, upload: ModelVersion, state: str, reason: str) -> None:
        async with self.database.connection() as connection:
            await models.note_upload(connection, upload.archive, state, reason)

    async def _note_digest(self, upload: ModelVersion, sha256: bytes) -> None:
        async with self.database.connection() as connection:
            await models.note_digest(connection, upload.archive, sha256)


def _facts(version: ModelVersion) -> dict[str, Any]:
    return {"model": version.model, "version": version.version, "sha256": version.sha256.hex()}
