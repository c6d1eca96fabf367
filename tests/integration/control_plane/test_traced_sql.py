"""What a recorded request did with PostgreSQL is in its trace, by the statement's name and without its values."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import pytest
import uuid_utils.compat as uuid

from control_plane.domain.subjects import Subjects
from control_plane.metrics import Metrics
from control_plane.records.recording import Recorder
from control_plane.records.spool import Spool
from control_plane.tables import history
from control_plane.tables.database import Database
from control_plane.telemetry import tracing
from control_plane.telemetry.spans import Spans
from tests.integration.control_plane.rows import prediction
from tests.monitoring import Sink, running_sink
from tests.traces import spans


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, timeout_seconds=5, pool_size=2, traced=True)
    await database.prepare()
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as running:
        yield running


async def test_each_record_of_a_group_has_the_commit_in_its_own_trace(
    database: Database, sink: Sink, tmp_path: Path
) -> None:
    tracer = Spans(sink.url, headers={}, share=1, replica="one")
    metrics = Metrics()
    spool = Spool(tmp_path, "one", max_bytes=10**6, metrics=metrics)
    spool.open()
    recorder = Recorder(database, spool, metrics, Subjects([bytes(32)]))
    await database.is_up()

    async def recorded(number: int) -> str:
        row = prediction(subject=f"secret {number}")
        span = tracer.request(row.request_id, tracing.read(f"00-{row.request_id.hex}-{'1' * 16}-01".encode()), {})
        assert span is not None
        tracing.current.set(span)
        assert await recorder.record(row)
        span.answered("POST", "/predict", 200)
        return row.request_id.hex

    waiting = [asyncio.create_task(recorded(number)) for number in range(3)]
    await asyncio.sleep(0)
    running = asyncio.create_task(recorder.run())
    traces = await asyncio.gather(*waiting)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await tracer.close()
    spool.close()
    for trace in traces:
        by_name = {span.name: span for span in spans(sink, trace)}
        assert set(by_name) == {"POST /predict", "record", "INSERT predictions"}
        record, insert = by_name["record"], by_name["INSERT predictions"]
        assert record.parent == by_name["POST /predict"].id
        assert insert.parent == record.id
        assert insert.kind == "client"
        assert insert.attributes["db.system.name"] == "postgresql"
        assert insert.attributes["db.operation.batch.size"] == 3
        assert record.start <= insert.start <= insert.end <= record.end
    assert "secret" not in str(spans(sink))


async def test_every_statement_of_a_request_is_a_span_and_those_of_nobody_are_none(
    database: Database, sink: Sink
) -> None:
    tracer = Spans(sink.url, headers={}, share=1, replica="one")
    minted = uuid.uuid7()
    async with database.connection() as connection:
        await history.page(connection, history.Filters(q="secret"), before=None, limit=5)
        span = tracer.request(minted, tracing.read(f"00-{minted.hex}-{'1' * 16}-01".encode()), {})
        assert span is not None
        token = tracing.current.set(span)
        began = monotonic()
        await history.page(connection, history.Filters(q="secret"), before=None, limit=5)
        tracing.current.reset(token)
        span.answered("GET", "/history", 200)
    await tracer.close()
    sql = [each for each in spans(sink) if each.kind == "client"]
    assert [each.name for each in sql] == ["SELECT predictions"]
    assert (sql[0].end - sql[0].start) / 1e9 <= monotonic() - began
    assert "secret" not in str(spans(sink))


async def test_a_record_that_goes_to_the_disk_says_so(sink: Sink, tmp_path: Path) -> None:
    tracer = Spans(sink.url, headers={}, share=1, replica="one")
    metrics = Metrics()
    spool = Spool(tmp_path, "one", max_bytes=10**6, metrics=metrics)
    spool.open()
    away = Database("postgresql://a:b@127.0.0.1:1/c", timeout_seconds=1, pool_size=1)
    recorder = Recorder(away, spool, metrics, Subjects([bytes(32)]))
    running = asyncio.create_task(recorder.run())
    row = prediction()
    span = tracer.request(row.request_id, tracing.read(f"00-{row.request_id.hex}-{'1' * 16}-01".encode()), {})
    assert span is not None
    tracing.current.set(span)
    assert not await recorder.record(row)
    tracing.current.set(None)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await tracer.close()
    spool.close()
    by_name = {each.name: each for each in spans(sink)}
    assert by_name["spool"].parent == by_name["record"].id
    assert spool.held_bytes > 0
