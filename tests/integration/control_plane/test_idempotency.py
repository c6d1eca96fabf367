"""The same request under the same key has one record and one answer, on however many replicas it arrives."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from uuid import UUID

import psycopg
import pytest
import uuid_utils.compat as uuid

from control_plane.domain.subjects import Subjects
from control_plane.errors import ClientLeft, Conflict, DeadlineExceeded, ProcessingError
from control_plane.metrics import Metrics
from control_plane.predictions.prediction import Recorded
from control_plane.predictions.presence import Presence
from control_plane.predictions.replays import SWEEP_EVERY, Given, Replays, Standing
from control_plane.records.recording import Recorder
from control_plane.records.spool import Spool
from control_plane.tables import history, idempotency
from control_plane.tables.database import Database
from control_plane.tables.history import Prediction
from control_plane.tables.idempotency import Claim
from tests.conftest import Server
from tests.integration.control_plane.rows import prediction

PICTURE, OTHER = bytes(32), b"\1" * 32


@dataclass
class Replica:
    """One control plane's share of the way of a request; `gate` holds its work back, `works` counts it."""

    database: Database
    recorder: Recorder
    replays: Replays
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    works: list[UUID] = field(default_factory=list)
    fails: bool = False

    async def ask(
        self, key: str = "k", digest: bytes = PICTURE, *, seconds: float = 30, presence: Presence | None = None
    ) -> Given:
        row = prediction(
            latitude=52.5, longitude=13.4, confidence=1 / 3, predictions=[{"label": "a", "confidence": 1e-7}]
        )

        async def work() -> Recorded:
            self.works.append(row.request_id)
            await self.gate.wait()
            if self.fails:
                raise ProcessingError
            return Recorded(row, await self.recorder.record(row))

        claim = Claim("anonymous", key, digest, row.request_id)
        return await self.replays.once(
            claim, work, deadline=monotonic() + seconds, presence=presence or Presence()
        )  # fmt: skip

    async def begin(self, key: str = "k") -> "asyncio.Task[Given]":
        """A first request, held at its work."""
        task = asyncio.create_task(self.ask(key))
        async with asyncio.timeout(30):
            while not self.works:
                await asyncio.sleep(0.01)
        return task

    async def rows(self) -> list[Prediction]:
        async with self.database.connection() as connection:
            return await history.page(connection, history.Filters(), before=None, limit=100)

    async def execute(self, statement: str) -> None:
        async with self.database.connection() as connection:
            await connection.execute(statement.encode())


@pytest.fixture
async def replicas(database_url: str, tmp_path: Path) -> AsyncIterator[list[Replica]]:
    made = [await _replica(database_url, tmp_path, name) for name in ("one", "two")]
    running = [asyncio.create_task(replica.recorder.run()) for replica in made]
    yield made
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for replica in made:
        await replica.database.close()


async def _replica(url: str, folder: Path, name: str) -> Replica:
    database, metrics = Database(url, timeout_seconds=5, pool_size=4), Metrics()
    await database.open()
    await database.prepare()
    assert await database.is_up()
    spool = Spool(folder / "spool", name, max_bytes=10**8, metrics=metrics)
    spool.open()
    replica = Replica(database, Recorder(database, spool, metrics, Subjects([bytes(32)])), Replays(database, metrics))
    replica.gate.set()
    return replica


async def test_a_repetition_gets_the_first_answer_and_no_second_record(replicas: list[Replica]) -> None:
    one, two = replicas
    first = await one.ask()
    again = [await one.ask(), await two.ask()]
    assert first.standing is Standing.FIRST
    assert [each.standing for each in again] == [Standing.REPLAYED] * 2
    assert [each.row for each in again] == [first.row] * 2
    assert [str(each.row.created_at) for each in again] == [str(first.row.created_at)] * 2
    assert await one.rows() == [first.row]


async def test_a_replay_has_the_first_answers_time_whatever_zone_the_database_speaks(replicas: list[Replica]) -> None:
    one = replicas[0]
    first = await one.ask()
    async with one.database.connection() as connection:
        await connection.execute("SET timezone TO 'Asia/Tokyo'")
        held = await idempotency.find(connection, Claim("anonymous", "k", PICTURE, uuid.uuid7()))
    assert held is not None
    assert held.row is not None
    assert str(held.row.created_at) == str(first.row.created_at)


async def test_other_keys_are_other_requests(replicas: list[Replica]) -> None:
    answers = [await replicas[0].ask(key) for key in ("a", "b")]
    assert [each.standing for each in answers] == [Standing.FIRST] * 2
    assert len(await replicas[0].rows()) == 2


async def test_another_body_under_the_same_key_is_a_conflict_also_while_the_first_is_under_way(
    replicas: list[Replica],
) -> None:
    one, two = replicas
    one.gate.clear()
    first = await one.begin()
    with pytest.raises(Conflict):
        await two.ask(digest=OTHER)
    one.gate.set()
    await first
    with pytest.raises(Conflict):
        await two.ask(digest=OTHER)


async def test_of_many_at_once_on_two_replicas_one_works_and_all_get_its_answer(replicas: list[Replica]) -> None:
    answers = await asyncio.gather(*(replica.ask() for replica in replicas for _ in range(10)))
    assert len({each.row.request_id for each in answers}) == 1
    assert [each.standing for each in answers].count(Standing.FIRST) == 1
    assert len(await replicas[0].rows()) == 1


async def test_the_second_waits_for_the_first_at_most_until_its_own_deadline(replicas: list[Replica]) -> None:
    one, two = replicas
    one.gate.clear()
    first = await one.begin()
    with pytest.raises(DeadlineExceeded, match="under way"):
        await two.ask(seconds=0.5)
    second = asyncio.create_task(two.ask())
    one.gate.set()
    assert (await second).row == (await first).row
    assert two.works == []


async def test_a_second_whose_client_left_stops_waiting(replicas: list[Replica]) -> None:
    one, two = replicas
    one.gate.clear()
    first = await one.begin()
    presence = Presence()
    second = asyncio.create_task(two.ask(presence=presence))
    await asyncio.sleep(0.1)
    presence.leave()
    with pytest.raises(ClientLeft):
        await second
    one.gate.set()
    await first


async def test_a_request_that_failed_gives_its_key_back(replicas: list[Replica]) -> None:
    one, two = replicas
    one.fails = True
    with pytest.raises(ProcessingError):
        await one.ask()
    assert (await two.ask(digest=OTHER)).standing is Standing.FIRST


async def test_a_key_whose_owner_died_is_free_after_its_lease(replicas: list[Replica]) -> None:
    one, two = replicas
    one.gate.clear()
    owner = await one.begin()
    owner.cancel()
    await asyncio.gather(owner, return_exceptions=True)
    with pytest.raises(DeadlineExceeded):
        await two.ask(seconds=0.3)
    await one.execute("UPDATE idempotency_keys SET leased_until = now() - interval '1 second'")
    assert (await two.ask()).standing is Standing.FIRST
    assert (await two.ask()).standing is Standing.REPLAYED


async def test_a_key_stays_when_the_record_was_kept_although_the_request_failed(replicas: list[Replica]) -> None:
    one = replicas[0]
    first = await one.ask()
    async with one.database.connection() as connection:
        await idempotency.release(connection, Claim("anonymous", "k", PICTURE, first.row.request_id))
    assert (await one.ask()).standing is Standing.REPLAYED


async def test_a_key_is_forgotten_after_a_day(replicas: list[Replica]) -> None:
    one = replicas[0]
    await one.ask()
    await one.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    assert (await one.ask(digest=OTHER)).standing is Standing.FIRST
    assert (await one.ask(digest=OTHER)).standing is Standing.REPLAYED


async def test_a_deleted_record_is_not_replayed(replicas: list[Replica]) -> None:
    one = replicas[0]
    first = await one.ask()
    await one.execute("DELETE FROM predictions")
    await one.execute("UPDATE idempotency_keys SET leased_until = now()")
    second = await one.ask()
    assert second.standing is Standing.FIRST
    assert second.row.request_id != first.row.request_id


async def test_keys_of_yesterday_are_deleted_in_small_steps(replicas: list[Replica]) -> None:
    one = replicas[0]
    await one.execute(
        "INSERT INTO idempotency_keys SELECT 'anonymous', 'old-' || n, decode(repeat('00', 32), 'hex'), "
        "gen_random_uuid(), now() - interval '25 hours', now() FROM generate_series(1, 600) AS n"
    )
    async with one.database.connection() as connection:
        assert await idempotency.delete_expired(connection, at_most=250) == 250
    for number in range(SWEEP_EVERY + 1):
        await one.ask(f"new-{number}")
    async with asyncio.timeout(30), one.database.connection() as connection:
        while await (await connection.execute("SELECT 1 FROM idempotency_keys WHERE key LIKE 'old-%'")).fetchone():
            await asyncio.sleep(0.05)


async def test_without_the_database_requests_are_served_recorded_and_marked_unknown(
    replicas: list[Replica], postgres_server: Server
) -> None:
    one = replicas[0]
    postgres_server.kill()
    try:
        answers = [await one.ask(), await one.ask()]
    finally:
        await asyncio.to_thread(postgres_server.start)
    assert [each.standing for each in answers] == [Standing.UNKNOWN] * 2
    assert len(one.works) == 2


async def test_a_database_that_goes_between_claim_and_record_leaves_the_standing_unknown(
    replicas: list[Replica], postgres_server: Server
) -> None:
    one = replicas[0]
    one.gate.clear()
    first = await one.begin()
    postgres_server.kill()
    try:
        one.gate.set()
        assert (await first).standing is Standing.UNKNOWN
    finally:
        await asyncio.to_thread(postgres_server.start)


async def test_a_table_that_cannot_be_used_does_not_stop_predictions(replicas: list[Replica]) -> None:
    one = replicas[0]
    with psycopg.connect(one.database._url, autocommit=True) as connection:
        connection.execute("ALTER TABLE idempotency_keys RENAME TO elsewhere")
    assert (await one.ask(str(uuid.uuid7()))).standing is Standing.UNKNOWN
