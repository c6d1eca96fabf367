"""Versions on their way in: uploaded, checked by the quarantine, then in the model store or refused.

The quarantine is another process without a network; what goes between it and us are files in a folder (its names for
them stand in `quarantine/order.py`). How far an upload is stands in the database: a new start goes on from there.
"""

import asyncio
import hashlib
import json
import logging
import os
import re
import shutil
import struct
import time
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uuid_utils.compat as uuid

from control_plane.errors import Conflict, DatabaseUnavailable, InvalidRequest, ModelNotFound, Overloaded
from control_plane.metrics import Metrics
from control_plane.models import archives, fetching
from control_plane.models.archives import NoArchive
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
REQUEST = "request.json"
REQUEST_LATER = "request.json.new"
VERDICT = "verdict.json"
PROGRESS = "progress.json"
SOURCE = "url.json"
OWNER = "owner"
OWNED_SECONDS = 30.0
"""A replica that works on an upload says so with each look; after this nobody does, and another one goes on."""
ACTOR = "quarantine"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_END_OF_ZIP, _END_BYTES = b"PK\x05\x06", 22
_MAX_DIRECTORY_BYTES, _MAX_MANIFEST_BYTES = 2**20, 2**16


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
            await asyncio.to_thread(self._own, place, new=True)
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
        given = {name for name, file in FILES.items() if (place / file).exists()}
        kind = "archive" if url else _kind(given)
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
        order = self._order(new, kind, fields.get("architecture") or None)
        if url:
            _put(place / SOURCE, {"url": url, "signed": self.settings.signing_key_file is not None})
        _put(place / REQUEST_LATER, order)
        try:
            await within(self.database.timeout_seconds, self._add(new))
        except BaseException:
            (place / REQUEST_LATER).unlink(missing_ok=True)
            raise
        if not url:
            (place / REQUEST_LATER).replace(place / REQUEST)
        return new

    def _order(self, new: ModelVersion, kind: str, architecture: str | None) -> dict[str, Any]:
        settings = self.settings
        key = settings.signing_key_file
        return {
            "model": new.model,
            "version": new.version,
            "kind": kind,
            "architecture": architecture,
            "max_bytes": settings.max_version_bytes,
            "seconds": settings.quarantine_seconds,
            "signing_key": key.read_text() if key else None,
            "allowed_code": list(settings.handler_digests),
            "allow_network": settings.quarantine_network,
        }

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
            return await asyncio.to_thread(_version_in, place / FILES["archive"])

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
            if known is None and await asyncio.to_thread(self._is_in_store, new.model, new.version):
                raise Conflict(
                    f"An archive of version '{new.version}' lies in the model store. Add that one, or give this one "
                    "another number."
                )
            await models.put_upload(connection, new)
            facts = {**_facts(new), "source": new.source, "upload": new.archive}
            await audit.write(connection, actor=new.created_by, action="model.uploaded", facts=facts)

    def _is_in_store(self, model: str, version: str) -> bool:
        try:
            archives.find(self.settings.model_store, model, version)
        except NoArchive:
            return False
        return True

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
        places = await asyncio.to_thread(self._places)
        async with self.database.connection() as connection:
            uploads = {each.archive: each for each in await models.uploads(connection)}
        self.oldest = min((each.created_at for each in uploads.values()), default=None)
        for place in places:
            if not await asyncio.to_thread(self._is_ours, place) or place.name in self._receiving:
                continue
            if (upload := uploads.get(place.name)) is not None:
                await self._carry_on(place, upload)
            elif place.name not in self._fetches:
                await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)  # through, or never begun
        names = {place.name for place in places} | self._receiving
        for upload in uploads.values():
            if upload.archive not in names and self._age(upload) > self._longest:
                await self._refuse(upload, "Its files were lost before they were checked. Send it again.")

    def _own(self, place: Path, *, new: bool = False) -> None:
        if new:
            place.mkdir(parents=True)
        (place / OWNER).write_text(self.settings.replica)

    def _is_ours(self, place: Path) -> bool:
        """Whether this replica is to work on it: several may share the folder. Says so again, when it is."""
        with suppress(OSError):  # it may go at any moment
            file = place / OWNER
            owner = file.read_text() if file.exists() else ""
            fresh = time.time() - (file if owner else place).stat().st_mtime < OWNED_SECONDS
            if owner == self.settings.replica or not fresh:
                self._own(place)
                return True
        return False

    def _places(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [each for each in self.folder.iterdir() if each.is_dir() and not each.is_symlink()]

    async def _carry_on(self, place: Path, upload: ModelVersion) -> None:
        if (place / VERDICT).exists():
            await self._go_by(place, upload)
        elif self._age(upload) > self._longest:
            await self._refuse(upload, "The quarantine gave no verdict in time, so the upload is not taken.", place)
        elif (place / REQUEST).exists():
            if (stage := _read(place / PROGRESS).get("stage")) and upload.reason != stage:
                await self._note(upload, "checking", str(stage)[:200])
        elif not (place / SOURCE).exists():
            (place / REQUEST_LATER).replace(place / REQUEST)  # we died between the row and this
        elif place.name not in self._fetches:
            self._fetches[place.name] = task = asyncio.create_task(self._fetch(place, upload))
            task.add_done_callback(lambda _: self._fetches.pop(place.name, None))

    async def _fetch(self, place: Path, upload: ModelVersion) -> None:
        source = _read(place / SOURCE)
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
        verdict = _read(place / VERDICT)
        if verdict.get("good") is not True:
            reason = str(verdict.get("reason") or "The quarantine's verdict cannot be read.")[:1000]
            await self._refuse(upload, reason, place)
            return
        try:
            ready = await asyncio.to_thread(self._store, place, upload, str(verdict.get("sha256")))
        except (NoArchive, OSError) as error:
            await self._refuse(upload, f"The checked archive cannot be taken: {error}", place)
            return
        await within(self.database.timeout_seconds, self._note_digest(upload, ready.sha256))
        # Its digest stands in the row now, so a start that finds it in the store does not take it for a new one.
        await asyncio.to_thread(_show, self.settings.model_store, ready)
        await within(self.database.timeout_seconds, self._take(upload, ready))
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        log.info("an uploaded version is ready", extra=_facts(ready))

    def _store(self, place: Path, upload: ModelVersion, sha256: str) -> ModelVersion:
        """Copy the checked archive beside the store's; what is hashed is what is written.

        Raises:
            NoArchive: The bytes are not those of the verdict, or no archive of this version.
        """
        store = self.settings.model_store
        name = f"{upload.model}-{upload.version}-{sha256[:12]}.mar"
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise NoArchive("the verdict names no digest.")
        fresh = store / f".{name}.part"
        digest = hashlib.sha256()
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target, (place / FILES["archive"]).open("rb") as source:
            while block := source.read(2**20):
                digest.update(block)
                target.write(block)
            target.flush()
            os.fsync(target.fileno())
        if digest.hexdigest() != sha256:
            fresh.unlink()
            raise NoArchive("its bytes are not those that were checked.")
        fresh.chmod(0o444)
        archive = archives.read(fresh, upload.model, upload.version)
        return replace(
            upload, archive=name, sha256=digest.digest(), labels=list(archive.labels), metrics=archive.card.metrics,
            state="ready", reason=None,
        )  # fmt: skip

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


def _show(store: Path, ready: ModelVersion) -> None:
    """Let the checked archive be found; others of the same version, which was refused or removed, go."""
    for old in archives.files_of(store, ready.model, ready.version):
        if old.name != ready.archive:
            old.unlink()
    archive = store / ready.archive
    archive.with_name(f".{archive.name}.part").replace(archive)


def _kind(given: set[str]) -> str:
    if given in ({"archive"}, {"archive", "signature"}):
        return "archive"
    if {"model", "labels"} <= given <= {"model", "labels", "card", "signature"}:
        return "checkpoint"
    raise InvalidRequest(
        "Send either 'archive' (a .mar file) or 'model' (model.pth) with 'labels' (class_labels.json) and, where there "
        "is one, 'card' (model_card.json); 'signature' (a .minisig file) with either."
    )


def _version_in(archive: Path) -> str:
    """What the manifest says; only a small part of the file is read for it, whatever the file is."""
    try:
        with archive.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2**16 - _END_BYTES))
            tail = file.read()
            end = tail[tail.rindex(_END_OF_ZIP) :]
            (directory_bytes,) = struct.unpack_from("<I", end, 12)
            if directory_bytes > _MAX_DIRECTORY_BYTES:
                raise ValueError("too many members")
            with zipfile.ZipFile(file) as packed, packed.open("MAR-INF/MANIFEST.json") as member:
                return str(json.loads(member.read(_MAX_MANIFEST_BYTES))["model"]["modelVersion"])
    except (OSError, ValueError, KeyError, TypeError, struct.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise InvalidRequest(
            "This is no model archive: no manifest with a version can be read from it. Build one with make archive."
        ) from error


def _read(path: Path) -> dict[str, Any]:
    """Empty where there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _put(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)


def _facts(version: ModelVersion) -> dict[str, Any]:
    return {"model": version.model, "version": version.version, "sha256": version.sha256.hex()}
