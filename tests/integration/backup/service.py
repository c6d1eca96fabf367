"""The parts of a service that a backup is about, on a real database and in a folder."""

import hashlib
import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from PIL import Image
from psycopg.sql import SQL, Identifier

from backup.place import Place
from control_plane.access.credentials import KeySecrets
from control_plane.domain.callers import SCOPES, Caller
from control_plane.domain.subjects import Subjects
from control_plane.metrics import Metrics
from control_plane.photos.pictures import Pictures
from control_plane.photos.stores import Folder, Store
from control_plane.records.erasure import Erasure, Wanted
from control_plane.records.recording import Recorder
from control_plane.records.removals import Removals
from control_plane.records.spool import Spool
from control_plane.tables import audit, history, models
from control_plane.tables.database import Database
from control_plane.tables.history import Prediction
from control_plane.tables.models import ModelVersion
from tests.integration.control_plane.rows import prediction
from weedwatch.progress import Progress

KEY = "k" * 40
ADMIN = Caller("admin token", frozenset(SCOPES), None, "127.0.0.1", "admin token")
COUNT = 30
WAITING = 5


def silent(_: Progress) -> None:
    return


@dataclass
class Service:
    database: Database
    url: str
    folder: Path
    secrets: KeySecrets
    spool: Spool
    store: Store
    pictures: Pictures
    erasure: Erasure
    recorder: Recorder
    rows: list[Prediction] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return Place(self.url, self.folder / "state", self.folder / "models", self.store, self.secrets)

    async def record(self, *rows: Prediction) -> None:
        async with self.database.connection() as connection:
            await history.record_all(connection, rows)
        self.rows += rows

    async def keep(self, shade: int) -> bytes:
        out = io.BytesIO()
        Image.new("RGB", (9, 9), (shade % 256, shade // 256, 7)).save(out, "PNG")
        return (await self.pictures.keep(out.getvalue())).sha256

    async def fill(self) -> None:
        for number in range(COUNT):
            photo = await self.keep(number) if number % 3 == 0 else None
            given: dict[str, Any] = {
                "consent": photo is not None,
                "picture_sha256": photo,
                "confidence": number / COUNT,
            }
            await self.record(prediction(subject=["Ada", "Grace", None][number % 3], **given))
        async with self.database.connection() as connection:
            for number in range(3):
                async with connection.transaction():
                    await audit.write(connection, actor="admin", action="test", facts={"number": number})
        await self.add_version("1")
        (self.place.model_store / "sources/plants/1").mkdir(parents=True)
        (self.place.model_store / "sources/plants/1/model.pth").write_bytes(b"weights" * 1000)
        await self.spool.append([prediction(subject="Ada") for _ in range(WAITING)])

    async def start(self) -> None:
        """As after a restore: what waits on the disk lands."""
        await self.database.open()
        await self.database.prepare()
        assert await self.database.is_up()
        await self.recorder.bring_home()

    async def add_version(self, version: str) -> Path:
        content = f"archive {version}".encode() * 100
        archive = self.place.model_store / f"plants-{version}.mar"
        archive.parent.mkdir(exist_ok=True)
        archive.write_bytes(content)
        new = ModelVersion(
            *("plants", version, archive.name, hashlib.sha256(content).digest(), "model store", ["a"], {}, "admin"),
            datetime.now(UTC),
            "ready",
            None,
        )
        async with self.database.connection() as connection:
            await models.put_version(connection, new)
        return archive

    async def erase(self, **wanted: Any) -> dict[str, Any]:
        return (await self.erasure.erase(Wanted(**wanted), ADMIN)).facts

    def ask(self, statement: str, *values: Any) -> Any:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(statement.encode(), values).fetchone()
            return row[0] if row else None

    def change(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    def content(self) -> dict[str, list[str]]:
        """Every row of every table, as text; without what is of the moment, and without the audit's last words."""
        with psycopg.connect(self.url) as connection:
            tables = connection.execute(
                "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = 'public' AND relkind = 'r'"
            ).fetchall()
            names = {name for (name,) in tables} - {"replicas", "leader", "backups"}
            return {
                name: sorted(map(str, connection.execute(SQL("TABLE {}").format(Identifier(name))).fetchall()))
                for name in names
            }

    def photos(self) -> dict[str, str]:
        return files(self.folder / "state" / "pictures")

    def archives(self) -> dict[str, str]:
        return files(self.place.model_store)


def files(folder: Path) -> dict[str, str]:
    """By name the digest of each file."""
    found = [each for each in folder.rglob("*") if each.is_file()]
    return {each.relative_to(folder).as_posix(): hashlib.sha256(each.read_bytes()).hexdigest() for each in found}


def made(database: Database, url: str, folder: Path, key: str) -> Service:
    (folder / "state").mkdir(parents=True)
    secret = folder / "key-secret"
    secret.write_text(key)
    secrets = KeySecrets.load(secret, folder)
    metrics, subjects = Metrics(), Subjects(list(secrets.by_name.values()))
    spool = Spool(folder / "state" / "spool", "replica-1", max_bytes=2**20, metrics=metrics)
    spool.open()
    store = Folder(folder / "state" / "pictures")
    pictures = Pictures(store)
    recorder = Recorder(database, spool, metrics, subjects)
    erasure = Erasure(database, recorder, spool, Removals(database, pictures), subjects)
    return Service(database, url, folder, secrets, spool, store, pictures, erasure, recorder)


def with_key(service: Service, key: str) -> Service:
    """The same place with another secret."""
    file = service.folder / "other-key-secret"
    file.write_text(key)
    return replace(service, secrets=KeySecrets.load(file, service.folder))
