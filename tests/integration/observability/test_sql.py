"""Grafana's role runs every SQL panel on the real PostgreSQL, and sees nothing that it must not."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from control_plane.tables import history, models
from control_plane.tables.database import Database
from control_plane.tables.evaluations import Evaluation, put_evaluation
from observability import filled
from observability.parts import Panel, Sql
from observability.reader import ROLE
from observability.topics import PANELS
from tests import reading
from tests.integration.control_plane.rows import prediction

NOW = datetime.now(UTC)
SQL_PANELS = [panel for panel in PANELS if any(isinstance(query, Sql) for query in panel.queries)]
EXACT = 47.123456, 8.654321


@pytest.fixture
async def url(database_url: str) -> AsyncIterator[str]:
    """A database with a version, evidence and records; the URL is the reader's."""
    database = Database(database_url, timeout_seconds=5, pool_size=4)
    await database.open()
    await database.prepare()
    version = models.ModelVersion(
        "plants", "1", "plants-1.mar", bytes(32), "store", ["a", "b"], {"accuracy": 0.93}, "test", NOW, "ready", None
    )
    odd = models.ModelVersion(
        "plants", "2", "plants-2.mar", bytes(32), "store", ["a"], {"accuracy": "much"}, "test", NOW, "ready", None
    )
    evidence = {"pictures": 8, "sightings": 2, "accuracy": {"version": 0.9, "against": 0.8}, "agreement": 0.7}
    rows = [
        prediction(latitude=EXACT[0], longitude=EXACT[1], consent=True, subject="planted-subject"),
        prediction(confidence=0.4, verdict="cant_tell"),
    ]
    async with database.connection() as connection:
        for each in (version, odd):
            await models.put_version(connection, each)
        made = Evaluation(rows[0].request_id, "plants", "2", bytes(32), "1", bytes(32), "test", NOW, evidence)
        await put_evaluation(connection, made)
        await history.record_all(connection, rows)
        await connection.execute("ANALYZE")
    yield reading.grant(database_url)
    await database.close()


@pytest.fixture
def reader(url: str) -> Iterator[psycopg.Connection]:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield connection


def _ask(reader: psycopg.Connection, query: Sql) -> tuple[list[str], list[tuple[object, ...]]]:
    text = filled.sql(query.sql, NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    cursor = reader.execute(text.encode())
    assert cursor.description
    return [column.name for column in cursor.description], cursor.fetchall()


def test_every_sql_panel_has_data(reader: psycopg.Connection, url: str) -> None:
    empty = []
    for panel in SQL_PANELS:
        for query in panel.queries:
            assert isinstance(query, Sql)
            names, rows = _ask(reader, query)
            if query.series:
                assert names == ["time", "metric", "value"], panel.title
            if not rows:
                empty.append(panel.key)
    assert url
    assert empty == []


def _panel(key: str) -> Panel:
    return next(panel for panel in PANELS if panel.key == key)


def test_places_are_blurred(reader: psycopg.Connection) -> None:
    query = _panel("records-map").queries[0]
    assert isinstance(query, Sql)
    names, rows = _ask(reader, query)
    assert [dict(zip(names, row, strict=True)) for row in rows] == [
        {"latitude": 47.1, "longitude": 8.7, "plant": "Japanese knotweed", "predictions": 1}
    ]


def test_a_choice_of_another_model_shows_nothing_of_this_one(reader: psycopg.Connection) -> None:
    query = _panel("records-unsure").queries[0]
    assert isinstance(query, Sql)
    assert _ask(reader, query)[1]
    assert not _ask(reader, Sql(query.sql.replace("${model:regex}", "birds")))[1]


FORBIDDEN = {
    "keys": "SELECT * FROM keys",
    "exact places": "SELECT latitude FROM predictions",
    "subjects": "SELECT subject FROM predictions",
    "subjects by the view": "SELECT subject FROM sightings_for_dashboards",
    "the audit": "SELECT * FROM audit",
    "tombstones": "SELECT * FROM tombstones",
    "idempotency keys": "SELECT * FROM idempotency_keys",
    "evidence with ids of records": "SELECT * FROM evaluations",
    "passwords of roles": "SELECT * FROM pg_authid",
    "files of the server": "SELECT pg_read_file('/etc/passwd')",
    "becoming the owner": "SET ROLE weedwatch",
}
WRITES = {
    "a record": "DELETE FROM predictions",
    "a record by the view": "DELETE FROM sightings_for_dashboards",
    "a place by the view": "UPDATE sightings_for_dashboards SET label = 'x'",
    "a table": "CREATE TABLE mine (x int)",
    "a function": "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
    "a role": "CREATE ROLE mine",
}


@pytest.mark.parametrize("statement", FORBIDDEN.values(), ids=list(FORBIDDEN))
def test_it_cannot_read(reader: psycopg.Connection, statement: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedColumn)):
        reader.execute(statement.encode())


@pytest.mark.parametrize("statement", WRITES.values(), ids=list(WRITES))
def test_it_cannot_write_even_when_it_gives_up_reading_only(reader: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        reader.execute(b"CREATE TABLE mine (x int)")
    reader.execute(b"SET default_transaction_read_only = off")
    refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)
    with pytest.raises(refused):
        reader.execute(statement.encode())


def test_every_relation_that_it_may_read_is_a_view_for_dashboards(reader: psycopg.Connection) -> None:
    found = reader.execute(
        b"SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm')"
        b" AND has_table_privilege(oid, 'SELECT') ORDER BY 1"
    ).fetchall()
    assert [name for (name,) in found] == [
        "evaluations_for_dashboards",
        "sightings_for_dashboards",
        "versions_for_dashboards",
    ]


def test_statements_are_shown_without_their_values(reader: psycopg.Connection, database_url: str) -> None:
    with closing(psycopg.connect(database_url)) as other:
        other.execute("SELECT count(*) FROM predictions WHERE latitude > 47.123 AND subject = 'planted-subject'")
        shown = reader.execute(b"SELECT statement FROM statements_for_dashboards()").fetchall()
    texts = [text for (text,) in shown]
    assert "SELECT count(*) FROM predictions WHERE latitude > ?.? AND subject = " in texts
    assert not any("planted" in text or "47" in text for text in texts)


def test_a_range_of_time_uses_the_primary_key(reader: psycopg.Connection, database_url: str) -> None:
    query = _panel("records-unsure").queries[0]
    assert isinstance(query, Sql)
    text = filled.sql(query.sql, NOW - timedelta(minutes=1), NOW)
    with closing(psycopg.connect(database_url)) as owner:
        owner.execute("SET enable_seqscan = off")
        plan = owner.execute(b"EXPLAIN " + text.encode()).fetchall()
    assert any("predictions_pkey" in line for (line,) in plan), plan
    assert reader


def test_the_role_may_be_made_again(url: str, database_url: str) -> None:
    assert reading.grant(database_url) == url
    with closing(psycopg.connect(url)) as connection:
        assert connection.execute("SELECT current_user, current_setting('statement_timeout')").fetchone() == (
            ROLE,
            "15s",
        )
