"""When the newest backup was made, and since when there is something to lose, for the metrics.

Backups themselves are made beside the service (`backup/`).
"""

import asyncio
import logging
from datetime import datetime

from control_plane.errors import DatabaseUnavailable
from control_plane.metrics import Metrics
from control_plane.tables.database import Connection, Database, within

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0


async def put(connection: Connection, name: str, mark: datetime, size: int) -> None:
    """Note one that was made; `size` in bytes."""
    await connection.execute(
        "INSERT INTO backups (id, mark, bytes) VALUES (%(id)s, %(mark)s, %(bytes)s) ON CONFLICT DO NOTHING",
        {"id": name, "mark": mark, "bytes": size},
    )


async def newest(connection: Connection) -> datetime | None:
    """Its mark: what was acknowledged before is in it."""
    cursor = await connection.execute("SELECT max(mark) FROM backups")
    row = await cursor.fetchone()
    return row[0] if row else None


async def oldest_record(connection: Connection) -> datetime | None:
    """When it was made; ids are in the order of time."""
    cursor = await connection.execute("SELECT created_at FROM predictions ORDER BY request_id LIMIT 1")
    row = await cursor.fetchone()
    return row[0] if row else None


class NewestBackup:
    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if self._database.ready and self._database.up:
                    await self.look()
            except DatabaseUnavailable:
                pass
            except Exception:
                log.exception("the newest backup cannot be looked up")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Tell the metrics; 0 for what there is none of."""

        async def found() -> tuple[datetime | None, datetime | None]:
            async with self._database.connection() as connection:
                return await newest(connection), await oldest_record(connection)

        backup, record = await within(self._database.timeout_seconds, found())
        self._metrics.newest_backup.set(backup.timestamp() if backup else 0)
        self._metrics.oldest_record.set(record.timestamp() if record else 0)
