"""Brings a service back from a backup: files first, then the database, in one transaction with all that follows it.

Until that transaction commits the database is as it was. Files are only added: they lie under their digests, or are
the archives that the database names.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

from backup import checking, erased, loading, reapplying, spooled
from backup.connecting import connected, take_turn
from backup.destination import Destination, copy
from backup.erased import Erased
from backup.errors import Damaged, Refusal
from backup.making import count_rows
from backup.manifest import MODELS, PICTURES, SPOOL, Item, Manifest
from backup.place import Place
from backup.reapplying import Reapplied
from backup.working import side_by_side
from control_plane.domain.subjects import Subjects, Tombstone
from control_plane.photos.stores import StoreUnavailable
from control_plane.tables import audit, backups, database
from control_plane.tables.audit import Head
from control_plane.tables.database import Connection
from weedwatch.progress import Listener, Pace

ACTOR = "restore"
ALIVE_SECONDS = 15.0
Segments = Callable[[], Iterator[tuple[str, bytes]]]
"""Of the backup's spool; read anew each time, since all of it may be large."""
LOCK_SECONDS = 60


@dataclass(frozen=True)
class Wish:
    """What is asked for: `backup` is an id or `latest`; `erasures` a further list of what was erased."""

    backup: str = checking.LATEST
    replace: bool = False
    erasures: Path | None = None
    other_key_secret: bool = False


@dataclass(frozen=True)
class Restored:
    manifest: Manifest
    reapplied: Reapplied
    pictures: int
    waiting: int
    """Records that will land when the service starts."""
    lost: Head | None
    """The newest row of the audit that was known and is in no backup."""


async def restore(place: Place, destination: Destination, wish: Wish, report: Listener) -> Restored:
    """All of it or nothing.

    Raises:
        Refusal: The database is as it was; the sentence says why.
    """
    found = await asyncio.to_thread(checking.find, destination, wish.backup)
    _refuse_newer_schema(found)
    known = await asyncio.to_thread(_lists, destination, wish.erasures)
    await checking.check(destination, found, report)
    async with connected(place.database_url) as connection:
        await take_turn(connection)
        known |= await _look_at_the_old(connection, wish)
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": database.MIGRATION_LOCK})
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")  # somebody may still read
            await loading.empty(connection)
            await _load(connection, destination, found, report)
            in_backup = await erased.of_database(connection)
            new, known = known.without(in_backup), known | in_backup
            subjects = await _subjects(connection, place, found, new, wish)
            reapplied = await reapplying.reapply(connection, new, subjects)
            await reapplying.take_away(connection, [bytes.fromhex(each) for each in found.removed])
            lost = known.head if known.head.number > found.audit_row else None
            segments = partial(_segments, destination, found, known, subjects)
            await _write_down(connection, found, reapplied, lost)
            await reapplying.write_certificates_again(connection, list(new.certificates))
            shown = await _shown(connection, await asyncio.to_thread(_photos, segments))
            pictures = await _bring_pictures(place, destination, found, shown, report)
            await asyncio.to_thread(_bring_models, place.model_store, destination, found, report)
            waiting = await asyncio.to_thread(_bring_spool, place, found, segments)
    return Restored(found, reapplied, pictures, waiting, lost)


def _refuse_newer_schema(found: Manifest) -> None:
    own = {file.name for file in database.MIGRATIONS.glob("*.sql")}
    if newer := sorted(set(found.migrations) - own):
        raise Refusal(
            f"The backup {found.id} was made by version {found.service}, whose database has changes that this version "
            f"does not know ({newer[0]}). Restore it with that version or a newer one."
        )


def _lists(destination: Destination, file: Path | None) -> Erased:
    known = erased.of_destination(destination)
    if file is None:
        return known
    try:
        return known | erased.decode(file.read_bytes(), str(file))
    except OSError as error:
        raise Refusal(f"The list of erasures {file} cannot be read ({error.strerror}).") from None


async def _look_at_the_old(connection: Connection, wish: Wish) -> Erased:
    """What the database that is replaced knows of erasures.

    Raises:
        Refusal: There is something, and it may not be replaced; or somebody uses it.
    """
    cursor = await connection.execute(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
    )
    if await cursor.fetchone() == (0,):
        return Erased()
    if not wish.replace:
        raise Refusal(
            "This database is not empty. Give --replace when what it holds may go; what was erased stays erased."
        )
    replicas = await connection.execute("SELECT to_regclass('replicas') IS NOT NULL")
    if await replicas.fetchone() == (True,):
        alive = await connection.execute(
            "SELECT name FROM replicas WHERE seen_at > now() - make_interval(secs => %(seconds)s)",
            {"seconds": ALIVE_SECONDS},
        )
        if names := sorted(name for (name,) in await alive.fetchall()):
            raise Refusal(
                f"Control planes use this database: {', '.join(names)}. Stop them, wait {ALIVE_SECONDS:g} seconds, "
                "then restore."
            )
    return await erased.of_database(connection)


async def _load(connection: Connection, destination: Destination, found: Manifest, report: Listener) -> None:
    pace = Pace("database", max(found.dump.bytes, 1), "bytes")
    with await asyncio.to_thread(destination.open, found.dump.location(found.id)) as dump:
        await loading.load(connection, dump, lambda done: report(pace.at(done)))
    counted = await count_rows(connection)
    if wrong := sorted(table for table in {*counted, *found.rows} if counted.get(table) != found.rows.get(table)):
        raise Damaged(
            f"The dump of {found.id} does not hold what its manifest says: the table {wrong[0]} has "
            f"{counted.get(wrong[0])} rows and not {found.rows.get(wrong[0])}. Take another backup."
        )
    await database.migrate(connection)


async def _subjects(connection: Connection, place: Place, found: Manifest, new: Erased, wish: Wish) -> Subjects:
    """The key that erasures by name were written with.

    Raises:
        Refusal: It is not here, and needed.
    """
    own = set(place.key_names)
    if new.names_people and not (own and set(found.key_secrets) <= own):
        raise Refusal(
            "People's records were erased after this backup, and the list of erasures can be read with the service's "
            "key secret alone, which is not here. Put the old one where WEEDWATCH_KEY_SECRET_FILE says."
        )
    cursor = await connection.execute("SELECT DISTINCT secret FROM keys WHERE revoked_at IS NULL")
    if not wish.other_key_secret and not {name for (name,) in await cursor.fetchall()} <= own:
        raise Refusal(
            "The API keys of this backup were made with another key secret: they would not hold any more. Put the old "
            "one where WEEDWATCH_KEY_SECRET_FILE says, or give --other-key-secret and make new keys."
        )
    return Subjects(list(place.secrets.by_name.values()) if place.secrets else [])


async def _write_down(connection: Connection, found: Manifest, done: Reapplied, lost: Head | None) -> None:
    """Which rows of the audit went is said in the audit: replicas that saw them go by this row."""
    facts = {
        "backup": found.id,
        "mark": found.mark,
        "made_by": found.service,
        "lost_rows": {"from": found.audit_row + 1, "to": lost.number, "digest": lost.digest.hex()} if lost else None,
        "erasures": vars(done),
    }
    await audit.write(connection, actor=ACTOR, action="restore", facts=facts)
    await backups.put(connection, found.id, datetime.fromisoformat(found.mark), found.bytes)


async def _shown(connection: Connection, waiting: dict[UUID, bytes]) -> set[bytes]:
    """Pictures of the records that are there now, and of those that will land when the service starts."""
    cursor = await connection.execute("SELECT DISTINCT picture_sha256 FROM predictions")
    shown = {digest for (digest,) in await cursor.fetchall() if digest}
    cursor = await connection.execute(
        """
        SELECT id FROM unnest(%(ids)s::uuid[]) AS given (id)
        WHERE NOT EXISTS (SELECT FROM predictions WHERE request_id = id)
          AND NOT EXISTS (SELECT FROM deletions WHERE before > id)
        """,
        {"ids": list(waiting)},
    )
    return shown | {waiting[request_id] for (request_id,) in await cursor.fetchall()}


async def _bring_pictures(
    place: Place, destination: Destination, found: Manifest, shown: set[bytes], report: Listener
) -> int:
    """Those that records show; what was erased is not even written."""
    wanted = [item for item in found.below(PICTURES) if bytes.fromhex(item.sha256) in shown]
    pace, done = Pace("photos", len(wanted), "photos"), 0

    async def bring(item: Item) -> None:
        nonlocal done
        content = await asyncio.to_thread(destination.read, item.location(found.id))
        name = item.name.removeprefix(PICTURES)
        if hashlib.sha256(content).hexdigest() != item.sha256:
            raise Damaged(f"The photo {name} cannot be read as written.")
        try:
            await _put_picture(place, name, content)
        except StoreUnavailable as error:
            raise Refusal(f"The place for pictures cannot be written: {error}. Nothing was restored.") from None
        done += 1
        report(pace.at(done))

    await side_by_side(bring, wanted)
    return len(wanted)


async def _put_picture(place: Place, name: str, content: bytes) -> None:
    try:
        there = await place.pictures.read(name)
    except FileNotFoundError:
        there = b""
    if there != content:
        await place.pictures.remove(name)  # a folder never writes over what is there
        await place.pictures.write(name, content)


def _bring_models(store: Path, destination: Destination, found: Manifest, report: Listener) -> None:
    wanted = found.below(MODELS)
    pace, done = Pace("model store", sum(item.bytes for item in wanted), "bytes"), 0
    for item in wanted:
        target = store / item.name.removeprefix(MODELS)
        if not _is_there(target, item):
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_name(f".{target.name}.restored")
            with destination.open(item.location(found.id)) as content, fresh.open("wb") as file:
                copy(content, file)
                file.flush()
                os.fsync(file.fileno())
            if not _is_there(fresh, item):
                fresh.unlink()
                raise Damaged(f"The file {item.name} cannot be read as written.")
            fresh.chmod(0o444 if target.suffix == ".mar" else 0o644)
            fresh.replace(target)
        done += item.bytes
        report(pace.at(done))


def _is_there(file: Path, item: Item) -> bool:
    if not file.is_file() or file.stat().st_size != item.bytes:
        return False
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == item.sha256


def _segments(
    destination: Destination, found: Manifest, known: Erased, subjects: Subjects
) -> Iterator[tuple[str, bytes]]:
    """Records that waited on a disk, by `replica/file`: without what was erased, and photos that may not be shown."""
    stones: list[Tombstone] = list(known.tombstones)
    for item in found.below(SPOOL):
        lines = destination.read(item.location(found.id)).split(b"\n")
        left = b"\n".join(line for line in lines if not subjects.covers_line(stones, line))
        yield item.name.removeprefix(SPOOL), spooled.without_photos(left, known.withdrawn)


def _photos(segments: Segments) -> dict[UUID, bytes]:
    """Of the records that wait, by their ids."""
    rows = (row for _, content in segments() for row in spooled.rows(content))
    return {row.request_id: row.picture_sha256 for row in rows if row.picture_sha256}


def _bring_spool(place: Place, found: Manifest, segments: Segments) -> int:
    return sum(spooled.bring_back(place.spool, name, content, found.id) for name, content in segments())
