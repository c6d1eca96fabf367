"""The metrics say when the newest backup was made, and since when there are records that want one."""

from datetime import UTC, datetime, timedelta

from control_plane.metrics import Metrics
from control_plane.tables import backups, history
from control_plane.tables.backups import NewestBackup
from control_plane.tables.database import Database
from tests.integration.control_plane.rows import prediction

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def before(days: int) -> datetime:
    return NOW - timedelta(days=days)


async def test_newest_backup_and_oldest_record(database: Database) -> None:
    metrics = Metrics()
    looking = NewestBackup(database, metrics)

    async def told() -> tuple[float | None, float | None]:
        await looking.look()
        names = ("weedwatch_newest_backup_timestamp_seconds", "weedwatch_oldest_record_timestamp_seconds")
        newest, oldest = map(metrics.registry.get_sample_value, names)
        return newest, oldest

    assert await told() == (0, 0)
    async with database.connection() as connection:
        await history.record_all(connection, [prediction(created_at=before(days)) for days in (3, 2)])
    assert await told() == (0, before(3).timestamp())
    async with database.connection() as connection:
        for days in (0, 1):
            await backups.put(connection, f"backup-{days}", before(days), 1)
    assert await told() == (NOW.timestamp(), before(3).timestamp())
