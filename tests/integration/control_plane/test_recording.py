"""Every acknowledged record lands in PostgreSQL exactly once, whatever happens to it on the way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
import uuid_utils.compat as uuid

from control_plane.domain.subjects import Subjects
from control_plane.errors import HistoryUnavailable
from control_plane.metrics import Metrics
from control_plane.records.recording import Recorder
from control_plane.records.spool import Spool
from control_plane.tables import history
from control_plane.tables.database import Database
from control_plane.tables.history import Prediction
from tests.conftest import Server
from tests.integration.control_plane.rows import prediction


@dataclass
class Place:
    database: Database
    spool: Spool
    recorder: Recorder

    async def ids(self) -> list[UUID]:
        async with self.database.connection() as connection:
            return [
                row.request_id for row in await history.page(connection, history.Filters(), before=None, limit=5000)
            ]

    async def until_landed(self, count: int) -> list[UUID]:
        async with asyncio.timeout(90):
            while True:
                with contextlib.suppress(Exception):
                    if await self.database.is_up() and len(found := await self.ids()) >= count:
                        return found
                await asyncio.sleep(0.1)


@pytest.fixture
async def place(database: Database, tmp_path: Path) -> AsyncIterator[Place]:
    metrics = Metrics()
    spool = Spool(tmp_path / "spool", "one", max_bytes=10**8, metrics=metrics)
    spool.open()
    recorder = Recorder(database, spool, metrics, Subjects([bytes(32)]))
    tasks = [asyncio.create_task(recorder.run()), asyncio.create_task(recorder.replay())]
    yield Place(database, spool, recorder)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    spool.close()


async def record(place: Place, rows: list[Prediction]) -> list[UUID]:
    """Those that were acknowledged."""

    async def one(row: Prediction) -> UUID | None:
        try:
            await place.recorder.record(row)
        except HistoryUnavailable:
            return None
        return row.request_id

    return [each for each in await asyncio.gather(*map(one, rows)) if each]


async def test_concurrent_records_share_commits_and_all_land(place: Place) -> None:
    rows = [prediction() for _ in range(300)]
    acknowledged = await record(place, rows)
    assert sorted(acknowledged) == sorted(await place.ids()) == sorted(row.request_id for row in rows)


async def test_a_row_that_cannot_be_stored_fails_alone(place: Place) -> None:
    poison = [
        prediction(subject="nul \0"),
        prediction(label="\ud800"),
        prediction(confidence=float("nan")),
        prediction(image_bytes=2**70),
        prediction(verdict="unheard of"),
        prediction(latitude=1.0),
        prediction(image_sha256=b"short"),
    ]
    good = [prediction() for _ in range(25)]
    acknowledged = await record(place, [*good[:10], *poison, *good[10:]])
    assert sorted(acknowledged) == sorted(await place.ids()) == sorted(row.request_id for row in good)


async def test_while_the_server_is_away_the_disk_keeps_and_gives_back_exactly_once(
    postgres_server: Server, place: Place
) -> None:
    before = await record(place, [prediction() for _ in range(20)])
    postgres_server.kill()
    during = await record(place, [prediction() for _ in range(50)])
    more = await record(place, [prediction() for _ in range(50)])
    await asyncio.to_thread(postgres_server.start)
    landed = await place.until_landed(120)
    assert (len(before), len(during), len(more)) == (20, 50, 50)
    assert sorted(landed) == sorted([*before, *during, *more])
    async with asyncio.timeout(60):
        while not place.spool.is_empty:
            await asyncio.sleep(0.1)


async def test_what_was_deleted_does_not_come_back_from_the_disk(place: Place) -> None:
    old = prediction()
    place.database.up = False
    assert await record(place, [old]) == [old.request_id]
    async with place.database.connection() as connection, connection.transaction():
        await history.mark_deleted(connection, uuid.uuid7())
    assert await place.database.is_up()
    async with asyncio.timeout(60):
        while not place.spool.is_empty:
            await asyncio.sleep(0.1)
    assert await place.ids() == []
    new = prediction()
    await record(place, [new])
    assert await place.ids() == [new.request_id]


async def test_a_spooled_row_that_cannot_be_stored_is_put_aside_and_blocks_nobody(place: Place, tmp_path: Path) -> None:
    place.database.up = False
    good = [prediction() for _ in range(3)]
    await record(place, [good[0], prediction(verdict="unheard of"), *good[1:]])
    assert await place.database.is_up()
    assert sorted(await place.until_landed(3)) == sorted(row.request_id for row in good)
    async with asyncio.timeout(60):
        while not place.spool.is_empty:
            await asyncio.sleep(0.1)
    assert (tmp_path / "spool" / "quarantine").is_dir()


async def test_with_neither_database_nor_disk_nothing_is_acknowledged(place: Place) -> None:
    place.database.up = False
    place.spool._max_bytes = 10
    assert await record(place, [prediction(), prediction()]) == []
    assert not place.recorder.can_record
    place.spool._max_bytes = 10**8
    async with asyncio.timeout(60):
        while not place.recorder.can_record:
            await asyncio.sleep(0.1)
