"""The audit: only added to, and whatever is changed, removed or moved in spite of that is found."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from control_plane.errors import Conflict
from control_plane.tables import anchor as module
from control_plane.tables import audit
from control_plane.tables.anchor import Anchor, Verified
from control_plane.tables.audit import Head
from control_plane.tables.database import Connection, Database
from control_plane.telemetry import logs

ROWS = 40


@pytest.fixture
async def anchor(database: Database, tmp_path: Path) -> Anchor:
    made = Anchor(database, tmp_path, "replica-1")
    async with database.connection() as connection:
        for number in range(ROWS):
            async with connection.transaction():
                await audit.write(connection, actor="admin", action="test", facts={"number": number, "ü": "x"})
    await made.keep()
    return made


@asynccontextmanager
async def tampering(database: Database) -> AsyncIterator[Connection]:
    """As somebody who owns the table, and may take the trigger away; undone at the end."""
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_only_added_to")
        await connection.execute("CREATE TABLE kept AS SELECT * FROM audit")
        yield connection
        await connection.execute("DELETE FROM audit")
        await connection.execute("INSERT INTO audit SELECT * FROM kept")
        await connection.execute("DROP TABLE kept")
        await connection.execute("ALTER TABLE audit ENABLE TRIGGER audit_is_only_added_to")


async def swap(connection: Connection, one: int, other: int) -> None:
    for number, target in ((one, -1), (other, one), (-1, other)):
        await connection.execute("UPDATE audit SET id = %s WHERE id = %s", (target, number))


def fault(found: Verified) -> tuple[int, str] | None:
    return (found.broken.number, found.broken.fault) if found.broken else None


async def test_a_chain_that_was_only_added_to_holds(anchor: Anchor) -> None:
    found = await anchor.verify()
    assert (found.rows, found.total, found.head.number, found.broken, found.following) == (ROWS, ROWS, ROWS, None, None)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
async def test_rows_are_not_changed_by_mistake(database: Database, statement: str) -> None:
    async with database.connection() as connection:
        with pytest.raises(psycopg.errors.RaiseException):
            await connection.execute(statement)


async def test_every_row_that_is_changed_removed_or_swapped_is_found(anchor: Anchor, database: Database) -> None:
    chosen = random.Random(7)
    found = dict.fromkeys(("changed", "missing", "swapped"), 0)
    tries = [*range(1, ROWS + 1), *range(1, ROWS + 1), *([ROWS] * 20)]  # 100; the last row again and again
    for turn, number in enumerate(tries):
        async with tampering(database) as connection:
            kind = ("changed", "missing", "swapped")[turn % 3]
            if kind == "changed":
                column = chosen.choice(("actor = 'x'", "facts = '{}'", "created_at = created_at + interval '1 s'"))
                await connection.execute(f"UPDATE audit SET {column} WHERE id = %s", (number,))  # noqa: S608
                broken: tuple[int, str] = (number, "changed")
            elif kind == "missing":
                await connection.execute("DELETE FROM audit WHERE id = %s", (number,))
                broken = (number, "cut off" if number == ROWS else "missing")
            else:
                other = chosen.choice([each for each in range(1, ROWS + 1) if each != number])
                await swap(connection, number, other)
                broken = (min(number, other), "reordered")
            found[kind] += fault(await anchor.verify()) == broken
    assert sum(found.values()) == 100, found


async def test_the_last_two_rows_swapped_are_found(anchor: Anchor, database: Database) -> None:
    async with tampering(database) as connection:
        await swap(connection, ROWS - 1, ROWS)
        assert fault(await anchor.verify()) == (ROWS - 1, "reordered")


async def test_a_table_that_was_emptied_or_computed_anew_is_found(anchor: Anchor, database: Database) -> None:
    async with tampering(database) as connection:
        await connection.execute("DELETE FROM audit")
        assert fault(await anchor.verify()) == (1, "cut off")
        for number in range(ROWS):
            async with connection.transaction():
                await audit.write(connection, actor="admin", action="forged", facts={"number": number})
        assert fault(await anchor.verify()) == (ROWS, "changed")


async def test_what_another_replica_saw_counts_too(anchor: Anchor, tmp_path: Path) -> None:
    (tmp_path / "replica-2.json").write_text(json.dumps({"row": ROWS + 5, "digest": "00" * 32}))
    (tmp_path / "replica-3.json").write_text("half of")
    assert fault(await anchor.verify()) == (ROWS + 1, "cut off")


async def test_a_replica_goes_on_remembering_a_row_that_is_gone(anchor: Anchor, database: Database) -> None:
    async with tampering(database) as connection:
        await connection.execute("DELETE FROM audit WHERE id > 30")
        await anchor.keep()
        assert fault(await anchor.verify()) == (31, "cut off")


def whole(anchor: Anchor) -> bool:
    return anchor.is_intact


async def test_it_says_whether_it_is_whole_until_it_was_put_right(anchor: Anchor, database: Database) -> None:
    assert whole(anchor)
    async with tampering(database) as connection:
        await connection.execute("UPDATE audit SET actor = 'x' WHERE id = 7")
        await anchor.keep()
        assert whole(anchor)  # nobody has read it since
        await anchor.verify(first=8)
        assert whole(anchor)
        await anchor.read_all()
        assert not whole(anchor)
        await anchor.verify(first=8)
        assert not whole(anchor)
    await anchor.verify()
    assert whole(anchor)
    async with tampering(database) as connection:
        await connection.execute("DELETE FROM audit WHERE id > 30")
        await anchor.keep()
        assert not whole(anchor)
    await anchor.keep()
    assert whole(anchor)


async def test_what_was_found_last_is_said_while_it_looks_again(
    anchor: Anchor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []

    async def slowly(connection: Connection, head: Head) -> bool:
        said.append(anchor.is_intact)
        return await there(connection, head)

    there = module._is_there
    monkeypatch.setattr(module, "_is_there", slowly)
    async with tampering(database) as connection:
        await connection.execute("DELETE FROM audit WHERE id > 30")
        await anchor.keep()
        await anchor.keep()
    assert said == [True, False]


async def test_one_that_cannot_be_read_through_is_not_read_again_and_again(
    anchor: Anchor, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = {"keep": 0, "read_all": 0}

    async def keep() -> None:
        looks["keep"] += 1

    async def read_all() -> None:
        looks["read_all"] += 1
        raise RuntimeError

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(anchor, "keep", keep)
    monkeypatch.setattr(anchor, "read_all", read_all)
    running = asyncio.create_task(anchor.run())
    while looks["keep"] < 50:
        await asyncio.sleep(0.001)
    running.cancel()
    assert looks["read_all"] == 1


async def test_it_can_be_verified_in_parts(anchor: Anchor) -> None:
    first, rows = 1, 0
    while True:
        found = await anchor.verify(first, at_most=15)
        rows += found.rows
        if found.following is None:
            break
        first = found.following
    assert (rows, found.broken) == (ROWS, None)


async def test_only_one_verifies_at_a_time(anchor: Anchor) -> None:
    ended = await asyncio.gather(anchor.verify(), anchor.verify(), return_exceptions=True)
    assert {type(each) for each in ended} == {Verified, Conflict}


async def test_a_row_says_which_request_asked_and_from_where(anchor: Anchor, database: Database) -> None:
    token, came_from = logs.request_id.set("0198"), logs.address.set("192.0.2.7")
    try:
        async with database.connection() as connection, connection.transaction():
            await audit.write(connection, actor="admin", action="test", facts={})
    finally:
        logs.request_id.reset(token)
        logs.address.reset(came_from)
    async with database.connection() as connection:
        newest = (await audit.page(connection, before=None, limit=1))[0]
    assert newest.facts["from"] == {"request_id": "0198", "address": "192.0.2.7"}
    assert (await anchor.verify()).broken is None
