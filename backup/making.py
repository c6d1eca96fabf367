"""Makes a backup of a running service. Nothing is stopped, and nothing of the service changes.

The order makes it whole: first the records that wait on disks, then one snapshot of the database, then the files that
the snapshot names. Files are only added, or removed for good: one that has gone since the snapshot was removed on
purpose. The manifest comes last.
"""

import asyncio
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import BinaryIO, cast

from backup import erased, manifest, programs, spooled
from backup.connecting import connected, take_turn
from backup.destination import BLOCK_BYTES, Destination
from backup.errors import Refusal
from backup.manifest import DUMP, MODELS, NAME, OBJECTS, PICTURES, SPOOL, Item, Manifest
from backup.place import Place
from backup.working import side_by_side
from control_plane.photos.pictures import name_of
from control_plane.photos.stores import StoreUnavailable
from control_plane.tables import audit, backups, history, models
from control_plane.tables.audit import Head
from control_plane.tables.database import Connection
from control_plane.version import VERSION
from weedwatch.progress import Listener, Pace

TRIES = 3
WITHOUT_CONTENT = ("replicas", "leader")
"""Tables of the moment: which control planes live."""


@dataclass(frozen=True)
class Snapshot:
    """What the database holds, all at one moment; `id` lets pg_dump see the same."""

    id: str
    migrations: tuple[str, ...]
    rows: dict[str, int]
    pictures: list[bytes]
    archives: dict[str, bytes]
    head: Head
    bytes: int


@dataclass
class _Making:
    place: Place
    destination: Destination
    id: str
    report: Listener
    fresh: bool
    items: list[Item] = field(default_factory=list)
    there: dict[str, int] = field(default_factory=dict)
    waiting: set[bytes] = field(default_factory=set)  # pictures of records that wait on a disk
    gone: list[bytes] = field(default_factory=list)  # pictures that were not there
    missing: list[str] = field(default_factory=list)


async def make(place: Place, destination: Destination, report: Listener, *, fresh: bool = False) -> Manifest:
    """One backup.

    Args:
        place: The service.
        destination: Where it goes.
        report: Gets the progress.
        fresh: Copy also what the destination has from earlier backups.

    Raises:
        Refusal: It was not made; what was begun counts for nothing.
    """
    async with connected(place.database_url) as connection:
        await take_turn(connection)
        mark = await _next_mark(destination)
        making = _Making(place, destination, manifest.name_of(mark), report, fresh)
        if not fresh:
            making.there = await asyncio.to_thread(destination.sizes, OBJECTS)
        names = await asyncio.to_thread(_files, place.model_store)
        await asyncio.to_thread(_copy_spools, making)
        async with connected(place.database_url) as seen:
            snapshot = await _look(seen)
            await asyncio.to_thread(_dump, making, snapshot)
        await _copy_pictures(making, sorted({*snapshot.pictures, *making.waiting}))
        await asyncio.to_thread(_copy_models, making, names, snapshot.archives)
        shown = await history.still_shown(connection, making.gone)
        await erased.refresh(destination, connection)
        made = Manifest(
            id=making.id,
            mark=mark.isoformat(),
            service=VERSION,
            migrations=snapshot.migrations,
            rows=snapshot.rows,
            audit_row=snapshot.head.number,
            audit_digest=snapshot.head.digest.hex(),
            key_secrets=place.key_names,
            items=tuple(sorted(making.items, key=lambda item: item.name)),
            removed=tuple(sorted(each.hex() for each in making.gone if each not in shown)),
            missing=tuple(sorted([*making.missing, *(PICTURES + name_of(each) for each in shown)])),
        )
        await asyncio.to_thread(destination.put, f"{made.id}/{NAME}", manifest.encode(made))
        await backups.put(connection, made.id, mark, made.bytes)
    return made


async def _next_mark(destination: Destination) -> datetime:
    """Now; a second later when a backup of this second is there."""
    known = set(await asyncio.to_thread(destination.folders))
    while manifest.name_of(mark := datetime.now(UTC)) in known:
        await asyncio.sleep(0.1)
    return mark


def _files(folder: Path) -> list[str]:
    """Names of all files of the model store; one that is just being written begins with a point."""
    found = (each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    return sorted(each.as_posix() for each in found if not any(part.startswith(".") for part in each.parts))


def _copy_spools(making: _Making) -> None:
    for name, content in spooled.read(making.place.spool):
        item = Item(SPOOL + name, hashlib.sha256(content).hexdigest(), len(content))
        making.destination.put(item.location(making.id), content)
        making.items.append(item)
        making.waiting |= {row.picture_sha256 for row in spooled.rows(content) if row.picture_sha256}


async def _look(connection: Connection) -> Snapshot:
    """Begins a transaction, which must stay open until pg_dump has ended."""
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    exported = await (await connection.execute("SELECT pg_export_snapshot()")).fetchone()
    found = await (await connection.execute("SELECT to_regclass('migrations') IS NOT NULL")).fetchone()
    if exported is None or found != (True,):
        raise Refusal("This database holds no service yet: there is nothing to back up. Is DATABASE_URL the right one?")
    migrations = await connection.execute("SELECT name FROM migrations ORDER BY name")
    applied = tuple([name for (name,) in await migrations.fetchall()])
    if "0011_backups.sql" not in applied:
        raise Refusal("The service has not been started with this version yet. Start it once, then back it up.")
    pictures = await connection.execute(
        "SELECT DISTINCT picture_sha256 FROM predictions WHERE picture_sha256 IS NOT NULL"
    )
    size = await (await connection.execute("SELECT pg_database_size(current_database())")).fetchone()
    return Snapshot(
        exported[0],
        applied,
        await count_rows(connection),
        [digest for (digest,) in await pictures.fetchall()],
        {each.archive: each.sha256 for each in await models.versions(connection) if each.state in {"ready", "sick"}},
        await audit.head(connection),
        size[0] if size else 0,
    )


async def count_rows(connection: Connection) -> dict[str, int]:
    """Of every table that a backup holds."""
    tables = await connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname"
    )
    counts = {}
    for (table,) in await tables.fetchall():
        if table not in WITHOUT_CONTENT:
            counted = await connection.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608 - a name of the catalogue
            counts[table] = (await counted.fetchone() or (0,))[0]
    return counts


def _dump(making: _Making, snapshot: Snapshot) -> None:
    command = [programs.find("pg_dump"), "--format=custom", "--no-owner", f"--snapshot={snapshot.id}"]
    command += [f"--exclude-table-data=public.{table}" for table in WITHOUT_CONTENT]
    pace, digest, size = Pace("database", max(snapshot.bytes, 1), "bytes"), hashlib.sha256(), 0
    with (
        making.destination.writing(f"{making.id}/{DUMP}") as target,
        _running(command, making.place.database_url) as output,
    ):
        while block := output.read(BLOCK_BYTES):
            digest.update(block)
            target.write(block)
            size += len(block)
            making.report(pace.at(min(size, pace.total)))
    making.report(pace.at(pace.total))
    making.items.append(Item(DUMP, digest.hexdigest(), size))


@contextmanager
def _running(command: list[str], database_url: str) -> Iterator[BinaryIO]:
    """What it writes. Raises Refusal when it does not end well."""
    process = subprocess.Popen(
        command,
        env=programs.environment(database_url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - pipes
    try:
        yield cast("BinaryIO", process.stdout)
        said = process.stderr.read().decode(errors="replace").strip()
        if process.wait() != 0:
            raise Refusal(
                f"pg_dump ended with code {process.returncode}: {said.splitlines()[-1:] or ['it said nothing']}"
            )
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


async def _copy_pictures(making: _Making, pictures: list[bytes]) -> None:
    pace, done, told = Pace("photos", len(pictures), "photos"), 0, monotonic()

    async def copy(sha256: bytes) -> None:
        nonlocal done, told
        await _copy_picture(making, sha256)
        done += 1
        if monotonic() - told > 0.1 or done == len(pictures):
            told = monotonic()
            making.report(pace.at(done))

    await side_by_side(copy, pictures)


async def _copy_picture(making: _Making, sha256: bytes) -> None:
    name, digest = PICTURES + name_of(sha256), sha256.hex()
    if size := making.there.get(manifest.object_name(digest)):
        making.items.append(Item(name, digest, size, shared=True))
        return
    try:
        content = await making.place.pictures.read(name_of(sha256))
    except FileNotFoundError:
        making.gone.append(sha256)
        return
    except StoreUnavailable as error:
        raise Refusal(f"The kept pictures cannot be read: {error}. Try again when their place answers.") from None
    if hashlib.sha256(content).digest() != sha256:
        making.gone.append(sha256)  # damaged: as good as lost
        return
    item = Item(name, digest, len(content), shared=True)
    await asyncio.to_thread(making.destination.put, item.location(making.id), content)
    making.items.append(item)


def _copy_models(making: _Making, names: list[str], archives: dict[str, bytes]) -> None:
    """Files that lay in the store when the backup began, and the archives that the database names."""
    store = making.place.model_store
    wanted = sorted({*names, *archives})
    sizes = {name: (store / name).stat().st_size for name in wanted if (store / name).is_file()}
    pace, done = Pace("model store", sum(sizes.values()), "bytes"), 0
    for name, size in sizes.items():
        try:
            item = _copy_file(making, store / name, MODELS + name)
        except FileNotFoundError:  # removed meanwhile
            continue
        if archives.get(name, bytes.fromhex(item.sha256)).hex() != item.sha256:
            making.missing.append(item.name)  # something lies there, and not what the service knows
        making.items.append(item)
        done += size
        making.report(pace.at(done))
    making.missing += [MODELS + name for name in archives if name not in sizes]


def _copy_file(making: _Making, file: Path, name: str) -> Item:
    for _ in range(TRIES):
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        size = file.stat().st_size
        item = Item(name, sha256, size, shared=True)
        if making.there.get(item.location(making.id)) == size:
            return item
        digest = hashlib.sha256()
        with file.open("rb") as content, making.destination.writing(item.location(making.id)) as target:
            while block := content.read(BLOCK_BYTES):
                digest.update(block)
                target.write(block)
        if digest.hexdigest() == sha256:
            making.there[item.location(making.id)] = size
            return item
        making.destination.remove([item.location(making.id)])
    raise Refusal(f"{file} changes all the time. Back up when whoever writes it has ended.")
