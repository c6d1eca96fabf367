"""How many control planes live, and so how many of the READY workers are this one's."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from control_plane.database import Connection, Database, within
from control_plane.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
DEAD_SECONDS = 10.0


class Share:
    """At most max(1, READY ÷ replicas) calls in each TorchServe; while the database is away the last share holds."""

    def __init__(
        self, database: Database, name: str, torchserves: int, set_capacity: Callable[[int, int], None]
    ) -> None:
        self.replicas = 1
        self._database = database
        self._name = name
        self._ready = [0] * torchserves
        self._set_capacity = set_capacity

    def set_ready(self, torchserve: int, workers: int) -> None:
        self._ready[torchserve] = workers
        self._set_capacity(torchserve, max(1, workers // self.replicas) if workers else 0)

    async def run(self) -> None:
        """Until cancelled; then the others need not wait for this one's time to run out."""
        try:
            while True:
                with contextlib.suppress(DatabaseUnavailable):
                    self._share_among(await within(self._database.timeout_seconds, self._beat()))
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            with contextlib.suppress(DatabaseUnavailable):
                await within(self._database.timeout_seconds, self._leave())

    def _share_among(self, replicas: int) -> None:
        if replicas != self.replicas:
            log.info("replicas", extra={"replicas": replicas})
            self.replicas = replicas
            for torchserve, workers in enumerate(self._ready):
                self.set_ready(torchserve, workers)

    async def _beat(self) -> int:
        if not self._database.ready:
            raise DatabaseUnavailable
        async with self._database.connection() as connection:
            await beat(connection, self._name)
            return await living(connection, DEAD_SECONDS)

    async def _leave(self) -> None:
        async with self._database.connection() as connection:
            await leave(connection, self._name)


async def beat(connection: Connection, name: str) -> None:
    await connection.execute(
        """
        INSERT INTO replicas (name, seen_at) VALUES (%(name)s, now())
        ON CONFLICT (name) DO UPDATE SET seen_at = now()
        """,
        {"name": name},
    )


async def living(connection: Connection, seconds: float) -> int:
    cursor = await connection.execute(
        "SELECT count(*) FROM replicas WHERE seen_at > now() - make_interval(secs => %(seconds)s)", {"seconds": seconds}
    )
    row = await cursor.fetchone()
    return max(1, row[0]) if row else 1


async def leave(connection: Connection, name: str) -> None:
    await connection.execute("DELETE FROM replicas WHERE name = %(name)s", {"name": name})
