"""The history on a real PostgreSQL: stored once, paged by key, filtered, deleted with an audit row."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuid

from control_plane.errors import DatabaseUnavailable
from control_plane.tables import audit, history
from control_plane.tables.database import Database, UnsafeDatabase
from control_plane.tables.history import Filters, Prediction
from tests.conftest import Server
from tests.integration.control_plane.rows import prediction


async def record(database: Database, *rows: Prediction) -> None:
    async with database.connection() as connection, connection.transaction():
        await history.record_all(connection, rows)


async def page(database: Database, limit: int = 100, before: UUID | None = None, **filters: Any) -> list[Prediction]:
    async with database.connection() as connection:
        return await history.page(connection, Filters(**filters), before=before, limit=limit)


async def test_what_was_recorded_is_found_as_it_was(database: Database) -> None:
    row = prediction(latitude=52.5, longitude=13.4, subject="bank of the Spree", correlation_id="a-1")
    await record(database, row)
    async with database.connection() as connection:
        assert await history.find(connection, row.request_id) == row
        assert await history.find(connection, uuid.uuid7()) is None


async def test_recording_twice_stores_once(database: Database) -> None:
    row = prediction()
    await record(database, row, row)
    assert await page(database) == [row]


async def test_paging_shows_each_row_once_newest_first(database: Database) -> None:
    rows = [prediction() for _ in range(7)]
    await record(database, *rows)
    seen: list[Prediction] = []
    while part := await page(database, limit=3, before=seen[-1].request_id if seen else None):
        seen += part
    assert seen == rows[::-1]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"label": "Lantana camara"}, {"lantana"}),
        ({"model": "other"}, {"other"}),
        ({"version": "2"}, {"other"}),
        ({"min_confidence": 0.9}, {"plain", "lantana"}),
        ({"q": "KNOTWEED"}, {"plain", "other"}),
        ({"q": "spree"}, {"other"}),
        ({"q": "%"}, set()),
        ({"since": datetime(2026, 3, 1, tzinfo=UTC)}, {"plain", "lantana"}),
        ({"until": datetime(2026, 3, 1, tzinfo=UTC)}, {"other"}),
        ({"since": datetime(2026, 2, 1, tzinfo=UTC), "label": "Lantana camara", "min_confidence": 0.99}, set()),
    ],
)
async def test_each_filter_narrows_the_list(database: Database, filters: dict[str, Any], found: set[str]) -> None:
    def at(month: int) -> UUID:
        return UUID(int=history.first_id_at(datetime(2026, month, 1, tzinfo=UTC)).int + month)

    named = {
        "other": prediction(request_id=at(1), model="other", version="2", confidence=0.5, subject="Spree"),
        "plain": prediction(request_id=at(4)),
        "lantana": prediction(
            request_id=at(5), label="Lantana camara", common_name="Lantana", correlation_id="client-7", confidence=0.95
        ),
    }
    await record(database, *named.values())
    names = {row.request_id: name for name, row in named.items()}
    assert {names[row.request_id] for row in await page(database, **filters)} == found


async def test_a_request_id_finds_its_row(database: Database) -> None:
    row = prediction()
    again = prediction(correlation_id="client-7")
    await record(database, row, prediction(), again)
    async with database.connection() as connection:
        for q, found in ((str(row.request_id).upper(), [row]), ("client-7", [again]), ("client", [])):
            assert await history.page_by_id(connection, Filters(q=q), before=None, limit=5) == found


async def test_the_time_bound_of_an_id_orders_with_minted_ids() -> None:
    now = datetime.now(UTC)
    assert (
        history.first_id_at(now - timedelta(seconds=1)) < uuid.uuid7() < history.first_id_at(now + timedelta(minutes=1))
    )


async def test_deletion_counts_rows_and_names_pictures_that_nothing_shows(database: Database) -> None:
    digest = bytes([7]) * 32
    old = prediction(
        request_id=history.first_id_at(datetime(2026, 1, 1, tzinfo=UTC)), consent=True, picture_sha256=digest
    )
    await record(database, old, prediction(), prediction(consent=True, picture_sha256=digest))
    async with database.connection() as connection:
        bound = history.first_id_at(datetime(2026, 2, 1, tzinfo=UTC))
        assert await history.delete_before(connection, bound) == (1, [digest])
        assert await history.still_shown(connection, [digest]) == {digest}
        assert await history.delete_before(connection, None) == (2, [digest])
        assert await history.still_shown(connection, [digest]) == set()


async def test_an_act_that_fails_leaves_no_audit_row(database: Database) -> None:
    async with database.connection() as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with connection.transaction():
                await audit.write(connection, actor="admin", action="x", facts={})
                await connection.execute("SELECT 1 / 0")
        cursor = await connection.execute("SELECT count(*) FROM audit")
        assert await cursor.fetchone() == (0,)


async def test_replicas_that_start_together_migrate_once(database_url: str) -> None:
    databases = [Database(database_url, timeout_seconds=10, pool_size=1) for _ in range(4)]
    await asyncio.gather(*(each.prepare() for each in databases))
    assert all(each.ready for each in databases)


@pytest.mark.parametrize("setting", ["synchronous_commit"])
async def test_a_database_that_may_lose_acknowledged_rows_is_refused(database_url: str, setting: str) -> None:
    unsafe = Database(f"{database_url}?options=-c%20{setting}%3Doff", timeout_seconds=10, pool_size=1)
    with pytest.raises(UnsafeDatabase, match=f"{setting}=off"):
        await unsafe.prepare()
    assert not unsafe.ready


async def test_a_killed_server_is_a_documented_error_and_its_return_needs_no_hand(
    postgres_server: Server, database: Database
) -> None:
    kept, repeated = prediction(), prediction()
    await record(database, kept)
    postgres_server.kill()
    with pytest.raises(DatabaseUnavailable):
        async with asyncio.timeout(60):
            while True:  # a session ends a moment after its server was killed, and may still commit until then
                await record(database, repeated)
    assert not await database.is_up()
    await asyncio.to_thread(postgres_server.start)
    async with asyncio.timeout(60):
        while not await database.is_up():
            await asyncio.sleep(0.1)
    assert kept in await page(database)
