from collections.abc import AsyncIterator

import pytest

from control_plane.tables.database import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url, timeout_seconds=5, pool_size=4)
    await made.open()
    await made.prepare()
    assert await made.is_up()
    yield made
    await made.close()
