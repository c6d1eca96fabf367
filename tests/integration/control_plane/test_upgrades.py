"""Other versions' migrations: what is interrupted is done again, and an older version says when it cannot go on."""

import asyncio
import shutil
import sys
from pathlib import Path

import psycopg
import pytest

from control_plane.tables import database as module
from control_plane.tables.database import BREAKS, MIGRATIONS, Database, UnsafeDatabase, migrate

FILES = sorted(MIGRATIONS.glob("*.sql"))
SECONDS = 60.0


def copied(folder: Path, *more: tuple[str, bytes]) -> Path:
    shutil.copytree(MIGRATIONS, folder, dirs_exist_ok=True)
    for name, text in more:
        (folder / name).write_bytes(text)
    return folder


async def names(url: str) -> list[str]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        rows = await connection.execute("SELECT name FROM migrations ORDER BY name")
        return [name for (name,) in await rows.fetchall()]


async def migrated(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await migrate(connection)


async def test_an_older_version_goes_on_where_a_newer_one_broke_nothing(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIGRATIONS", copied(tmp_path, ("9998_next.sql", b"CREATE TABLE next (id integer);")))
    await migrated(database_url)
    monkeypatch.undo()
    await migrated(database_url)
    assert (await names(database_url))[-1] == "9998_next.sql"


async def test_an_older_version_refuses_where_a_newer_one_broke_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = copied(tmp_path, ("9999_other.sql", BREAKS + b"\nCREATE TABLE other (id integer);"))
    monkeypatch.setattr(module, "MIGRATIONS", newer)
    await migrated(database_url)
    monkeypatch.undo()
    older = Database(database_url, timeout_seconds=5, pool_size=1)
    with pytest.raises(UnsafeDatabase, match=r"newer version .*9999_other\.sql.* restore a backup"):
        await older.prepare()
    assert not older.ready


@pytest.mark.parametrize("at", range(len(FILES)), ids=[file.stem for file in FILES])
async def test_a_migration_that_is_killed_leaves_nothing_and_is_done_again(database_url: str, at: int) -> None:
    """Held up within its transaction, at its last statement, and killed there."""
    code = (
        "import asyncio, sys, psycopg\nfrom pathlib import Path\nfrom control_plane.tables import database\n"
        "async def main():\n"
        "    async with await psycopg.AsyncConnection.connect(sys.argv[1], autocommit=True) as connection:\n"
        "        await database.migrate(connection)\n"
        "asyncio.run(main())\n"
    )
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as watcher:
        await watcher.execute(f"CREATE TABLE migrations ({COLUMNS})")
        await watcher.execute(_trigger(FILES[at].name))
        await watcher.execute("SELECT pg_advisory_lock(7)")
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, database_url)
        try:
            await _until_held_up(watcher)
        finally:
            process.kill()
            await process.wait()
        await watcher.execute("SELECT pg_advisory_unlock(7)")
        await _until_gone(watcher)
        await watcher.execute("DROP TRIGGER holds_up ON migrations")
    assert await names(database_url) == [file.name for file in FILES[:at]]
    await migrated(database_url)
    assert await names(database_url) == [file.name for file in FILES]


COLUMNS = "name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now(), breaks boolean NOT NULL DEFAULT false"


def _trigger(name: str) -> str:
    return (
        "CREATE FUNCTION holds_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NEW.name = '{name}' THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER holds_up BEFORE INSERT ON migrations FOR EACH ROW EXECUTE FUNCTION holds_up()"
    )


async def _until_held_up(watcher: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            rows = await watcher.execute(
                "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted"
            )
            if rows.rowcount:
                return
            await asyncio.sleep(0.05)


async def _until_gone(watcher: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            rows = await watcher.execute(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND backend_type = 'client backend'"
            )
            if not rows.rowcount:
                return
            await asyncio.sleep(0.05)
