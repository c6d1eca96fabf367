"""What is erased is gone: records, pictures, copies on disks; and does not come back. Others keep what is theirs."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuid
from PIL import Image

from control_plane.domain.callers import SCOPES, Caller, Scope
from control_plane.domain.subjects import Subjects
from control_plane.errors import DatabaseUnavailable, InvalidRequest, NotFound
from control_plane.metrics import Metrics
from control_plane.photos.pictures import Pictures
from control_plane.photos.stores import Folder, StoreUnavailable
from control_plane.records.erasure import Erasure, Wanted
from control_plane.records.recording import Recorder
from control_plane.records.removals import Removals
from control_plane.records.retention import Retention
from control_plane.records.spool import Spool, encode
from control_plane.replicas import Share
from control_plane.tables import audit, evaluations, history, idempotency
from control_plane.tables.anchor import look_through
from control_plane.tables.database import Database
from control_plane.tables.evaluations import Evaluation, ShadowAnswer
from control_plane.tables.history import Prediction
from control_plane.tables.idempotency import Claim
from tests.integration.control_plane.rows import prediction

ADMIN = Caller("admin token", frozenset(SCOPES), None, "127.0.0.1", "admin token")
TAKEN = datetime.fromisoformat("2026-05-01T10:11:12")
KEYS = [b"k" * 32]


def caller(owner: str, *scopes: Scope) -> Caller:
    return Caller("key 3kP9x2aB", frozenset(scopes or ("predict",)), owner, "127.0.0.1", "key:3kP9x2aB")


class Fragile(Folder):
    """A store that can be away."""

    away = False

    async def remove(self, name: str) -> None:
        if self.away:
            raise StoreUnavailable("away")
        await super().remove(name)


@dataclass
class Replica:
    database: Database
    spool: Spool
    recorder: Recorder
    store: Fragile
    pictures: Pictures
    removals: Removals
    erasure: Erasure
    folder: Path

    async def store_all(self, *rows: Prediction) -> None:
        async with self.database.connection() as connection:
            await history.record_all(connection, rows)

    async def ids(self) -> set[UUID]:
        async with self.database.connection() as connection:
            cursor = await connection.execute("SELECT request_id FROM predictions")
            return {number for (number,) in await cursor.fetchall()}

    async def keep(self, shade: int = 0) -> bytes:
        out = io.BytesIO()
        Image.new("L", (9, 9), shade).save(out, "PNG")
        return (await self.pictures.keep(out.getvalue())).sha256

    def files(self) -> list[Path]:
        return list((self.folder / "pictures").rglob("*.jpg"))


def made(database: Database, folder: Path, name: str = "one") -> Replica:
    metrics, subjects = Metrics(), Subjects(KEYS)
    spool = Spool(folder / "spool", name, max_bytes=2**20, metrics=metrics)
    spool.open()
    recorder = Recorder(database, spool, metrics, subjects)
    store = Fragile(folder / "pictures")
    pictures = Pictures(store)
    removals = Removals(database, pictures)
    erasure = Erasure(database, recorder, spool, removals, subjects)
    return Replica(database, spool, recorder, store, pictures, removals, erasure, folder)


@pytest.fixture
async def replica(database: Database, tmp_path: Path) -> AsyncIterator[Replica]:
    one = made(database, tmp_path)
    yield one
    one.spool.close()


async def removed(replica: Replica, wanted: Wanted, by: Caller = ADMIN) -> dict[str, Any]:
    facts: dict[str, Any] = (await replica.erasure.erase(wanted, by)).facts
    return {kind: count for kind, count in facts["removed"].items() if count}


async def test_a_record_goes_with_everything_that_was_made_of_it(replica: Replica) -> None:
    picture = await replica.keep()
    row, other = prediction(consent=True, picture_sha256=picture, subject="Ada"), prediction()
    await replica.store_all(row, other)
    found = {"source": "sighting", "id": str(row.request_id), "from": "a", "to": "b", "truth": None}
    evidence = {"flips": [{"label": "a", "records": [found, found | {"source": "golden", "id": "a/1.jpg"}]}]}
    async with replica.database.connection() as connection:
        await evaluations.put_shadows(connection, [ShadowAnswer(row.request_id, "2", "x", 0.5, [], 0.1, True)])
        await idempotency.claim(connection, Claim("", "k", bytes(32), row.request_id), lease_seconds=1)
        await evaluations.put_evaluation(
            connection,
            Evaluation(uuid.uuid7(), "plants", "2", bytes(32), "1", bytes(32), "admin", datetime.now(UTC), evidence),
        )
    assert await removed(replica, Wanted(request_id=row.request_id)) == {
        "records": 1, "pictures": 1, "shadows": 1, "idempotency_keys": 1, "evaluations": 1,
    }  # fmt: skip
    assert (await replica.ids(), replica.files()) == ({other.request_id}, [])
    async with replica.database.connection() as connection:
        left = (await evaluations.newest(connection, "plants"))[0].evidence["flips"][0]["records"]
    assert [each["id"] for each in left] == ["a/1.jpg"]


async def test_a_picture_that_another_record_shows_stays(replica: Replica) -> None:
    picture = await replica.keep()
    one, two = (prediction(consent=True, picture_sha256=picture, subject=name) for name in ("Ada", "Grace"))
    await replica.store_all(one, two)
    assert await removed(replica, Wanted(subject="Ada")) == {"records": 1, "pictures_still_shown": 1}
    assert await replica.pictures.read(picture)
    assert await removed(replica, Wanted(subject="Grace")) == {"records": 1, "pictures": 1}
    assert replica.files() == []


async def test_a_picture_goes_later_when_its_store_is_away(replica: Replica) -> None:
    row = prediction(consent=True, picture_sha256=await replica.keep(), subject="Ada")
    await replica.store_all(row)
    replica.store.away = True
    await replica.erasure.erase(Wanted(subject="Ada"), ADMIN)
    assert len(replica.files()) == 1
    assert not await replica.removals.carry_out()
    replica.store.away = False
    assert await replica.removals.carry_out()
    assert replica.files() == []


async def test_a_subject_is_the_form_field_or_the_owner(replica: Replica) -> None:
    rows = [prediction(subject="Ada"), prediction(subject="plot 7", owner="Ada"), prediction(subject="Adam")]
    await replica.store_all(*rows)
    assert await removed(replica, Wanted(subject="Ada")) == {"records": 2}
    assert await replica.ids() == {rows[2].request_id}


async def test_callers_erase_their_own_records_only(replica: Replica) -> None:
    mine, others = prediction(subject="Ada", owner="club"), prediction(subject="Ada", owner="other")
    await replica.store_all(mine, others)
    with pytest.raises(NotFound):
        await replica.erasure.erase(Wanted(request_id=others.request_id), caller("club"))
    assert await removed(replica, Wanted(subject="Ada"), caller("club")) == {"records": 1}
    assert await replica.ids() == {others.request_id}
    assert await removed(replica, Wanted(), caller("other")) == {"records": 1}
    with pytest.raises(InvalidRequest):
        await replica.erasure.erase(Wanted(), ADMIN)


async def test_what_waits_on_this_disk_goes_too(replica: Replica) -> None:
    await replica.spool.append([prediction(subject="Ada"), prediction(subject="Grace")])
    assert await removed(replica, Wanted(subject="Ada")) == {"records": 1}
    assert len(await replica.ids()) == 1


async def test_what_waits_on_another_disk_does_not_come_back(replica: Replica, tmp_path: Path) -> None:
    other = made(replica.database, tmp_path / "other", "two")
    old = [prediction(subject="Ada"), prediction(owner="Ada"), prediction(subject="Ada", owner="club"), prediction()]
    landed = prediction(subject="Grace")
    await replica.store_all(landed)
    await other.spool.append([*old, landed])
    await replica.erasure.erase(Wanted(subject="Ada"), ADMIN)
    await replica.erasure.erase(Wanted(request_id=landed.request_id), ADMIN)
    await other.recorder.bring_home()
    assert await replica.ids() == {old[3].request_id}
    assert other.spool.is_empty
    later = prediction(subject="Ada")
    await other.spool.append([later])
    await other.recorder.bring_home()
    assert later.request_id in await replica.ids()
    other.spool.close()


async def test_an_erasure_by_an_owner_keeps_others_records_on_disks(replica: Replica, tmp_path: Path) -> None:
    other = made(replica.database, tmp_path / "other", "two")
    theirs = prediction(subject="Ada", owner="other")
    await other.spool.append([prediction(subject="Ada", owner="club"), theirs])
    await replica.erasure.erase(Wanted(subject="Ada"), caller("club"))
    await other.recorder.bring_home()
    assert await replica.ids() == {theirs.request_id}
    other.spool.close()


async def test_lines_that_were_put_aside_are_forgotten_on_every_replica(replica: Replica, tmp_path: Path) -> None:
    other = made(replica.database, tmp_path / "other", "two")
    rotten = encode(prediction(subject='Ad"a é'))[9:].rstrip(b"\n")
    stays = encode(prediction(subject="Grace")).rstrip(b"\n")
    for each in (replica, other):
        await each.spool.quarantine(each.folder / "spool" / "x" / "00000001.log", [b"ffffffff " + rotten, stays])
        await each.spool.quarantine(each.folder / "spool" / "x" / "00000002.log", [rotten[:-40]])
    assert await removed(replica, Wanted(subject='Ad"a é')) == {"quarantined_lines": 2}
    await other.erasure._look()
    for each in (replica, other):
        left = [file.read_bytes() for file in (each.folder / "spool" / "quarantine").iterdir()]
        assert left == [stays + b"\n"]
    other.spool.close()


async def test_the_certificate_is_in_the_audit_and_names_nobody(replica: Replica) -> None:
    await replica.store_all(prediction(subject="Ada", owner="Ada"))
    act = await replica.erasure.erase(Wanted(subject="Ada"), replace(caller("Ada"), name="token Ada"))
    assert await replica.erasure.certificate(UUID(act.facts["id"]), caller("Ada")) == act
    assert await replica.erasure.certificate(UUID(act.facts["id"]), ADMIN) == act
    with pytest.raises(NotFound):
        await replica.erasure.certificate(UUID(act.facts["id"]), caller("Grace"))
    assert act.facts["subject"] == Subjects(KEYS).digest("Ada").hex()
    async with replica.database.connection() as connection, connection.transaction():
        assert (await look_through(connection)).broken is None
        for table in ("audit", "tombstones"):
            cursor = await connection.execute(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%Ada%'")  # noqa: S608
            assert await cursor.fetchone() == (0,)


async def test_what_cannot_be_audited_is_not_erased(replica: Replica) -> None:
    row = prediction(subject="Ada", consent=True, picture_sha256=await replica.keep())
    await replica.store_all(row)
    async with replica.database.connection() as connection:
        await connection.execute("ALTER TABLE audit ADD CHECK (id < 0) NOT VALID")
    for wanted in (Wanted(request_id=row.request_id), Wanted(subject="Ada")):
        with pytest.raises((DatabaseUnavailable, psycopg.IntegrityError)):
            await replica.erasure.erase(wanted, ADMIN)
    assert (await replica.ids(), len(replica.files())) == ({row.request_id}, 1)


async def test_the_tables_are_vacuumed_afterwards(replica: Replica) -> None:
    await replica.erasure._vacuum()


def old(days: float, **changes: Any) -> Prediction:
    return prediction(request_id=history.first_id_at(datetime.now(UTC) - timedelta(days=days)), **changes)


class Leader(Share):
    @property
    def leads(self) -> bool:
        return True


async def acts(database: Database) -> list[dict[str, Any]]:
    async with database.connection() as connection:
        return [act.facts for act in await audit.page(connection, before=None, limit=50) if act.action == "retention"]


async def test_old_records_and_old_pictures_go_in_parts(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("control_plane.records.retention.ROWS_AT_ONCE", 3)
    pictures = [await replica.keep(shade) for shade in (0, 200)]
    place = {"latitude": 1.0, "longitude": 2.0}
    kept = old(2, consent=True, picture_sha256=pictures[0])
    read = old(5, consent=True, picture_sha256=pictures[1], **place, place_from_picture=True, taken_at=TAKEN)
    given = old(5.1, consent=True, picture_sha256=pictures[1], **place)
    await replica.store_all(*(old(20 + each / 10) for each in range(7)), kept, read, given)
    retention = Retention(
        replica.database, Leader(replica.database, "one"), replica.removals, pictures_days=4, history_days=10
    )
    await retention.remove_old()
    assert await replica.ids() == {kept.request_id, read.request_id, given.request_id}
    assert [file.stem for file in replica.files()] == [pictures[0].hex()]
    async with replica.database.connection() as connection:
        found = await history.find(connection, read.request_id)
        stays = await history.find(connection, given.request_id)
    assert found
    assert (found.latitude, found.taken_at, found.picture_sha256) == (None, None, None)
    assert stays
    assert (stays.latitude, stays.picture_sha256) == (1.0, None)
    assert [(each["what"], each["count"]) for each in await acts(replica.database)] == [("pictures", 2), ("history", 7)]
    await retention.remove_old()
    assert len(await acts(replica.database)) == 2


async def test_nothing_old_goes_that_cannot_be_audited(replica: Replica) -> None:
    await replica.store_all(old(20))
    async with replica.database.connection() as connection:
        await connection.execute("ALTER TABLE audit ADD CHECK (id < 0) NOT VALID")
    retention = Retention(
        replica.database, Leader(replica.database, "one"), replica.removals, pictures_days=0, history_days=10
    )
    with pytest.raises((DatabaseUnavailable, psycopg.IntegrityError)):
        await retention.remove_old()
    assert len(await replica.ids()) == 1
