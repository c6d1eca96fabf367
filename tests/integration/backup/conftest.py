from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from control_plane.tables.database import Database
from tests.conftest import Server
from tests.integration.backup.service import KEY, Service, made


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    """With records, photos, a model store, an audit, and records that wait on a disk."""
    database = Database(database_url, timeout_seconds=5, pool_size=4)
    await database.open()
    await database.prepare()
    assert await database.is_up()
    one = made(database, database_url, tmp_path / "service", KEY)
    await one.fill()
    yield one
    one.spool.close()
    await database.close()


@pytest.fixture
async def another(postgres_server: Server, tmp_path: Path) -> AsyncIterator[Callable[[], Service]]:
    """Makes an empty place to restore to; its key secret is what was kept elsewhere."""
    opened: list[Service] = []

    def make() -> Service:
        url = postgres_server.new_database()
        database = Database(url, timeout_seconds=5, pool_size=4)
        opened.append(made(database, url, tmp_path / f"place-{len(opened)}", KEY))
        return opened[-1]

    yield make
    for each in opened:
        each.spool.close()
        await each.database.close()
