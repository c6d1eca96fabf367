"""How many control planes live, so how many of the READY workers are this one's; and what each says of itself."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from time import monotonic
from typing import Any

from psycopg.types.json import Jsonb

from control_plane.errors import DatabaseUnavailable
from control_plane.tables.database import Connection, Database, within

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
DEAD_SECONDS = 10.0
LEASE_SECONDS = 10.0
Facts = dict[str, Any]


class Share:
    """At most max(1, READY ÷ replicas) calls in each TorchServe; while the database is away the last share holds."""

    def __init__(self, database: Database, name: str) -> None:
        self.replicas = 1
        self.report: Callable[[], Facts] = dict  # what this replica says of itself
        self._database = database
        self._name = name
        self.process = uuid.uuid4().hex  # two processes of one name must not take each other for themselves
        self._has_beaten = False
        self.yields = False  # to another process of this name
        self._leads_until = 0.0

    def of(self, workers: int) -> int:
        """Calls that may be under way at once where so many workers are ready."""
        return max(1, workers // self.replicas) if workers else 0

    async def others_facts(self) -> list[Facts]:
        """What the other living replicas said last.

        Raises:
            DatabaseUnavailable: Nobody knows.
        """
        return await within(self._database.timeout_seconds, self._others())

    async def lead(self) -> bool:
        """Become or stay the leader; False when another one is."""
        if self.yields:
            self._leads_until = 0.0
            return False
        asked = monotonic()
        if self._leads_until - asked > LEASE_SECONDS / 2:
            return True
        if await within(self._database.timeout_seconds, self._lead()):
            self._leads_until = asked + LEASE_SECONDS
        return self.leads

    @property
    def leads(self) -> bool:
        """Never longer than the database says, also after this process was frozen."""
        return monotonic() < self._leads_until

    async def run(self) -> None:
        """Until cancelled; then the others need not wait for this one's time to run out."""
        try:
            while True:
                with contextlib.suppress(DatabaseUnavailable):
                    await self.beat()
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            with contextlib.suppress(DatabaseUnavailable):
                await within(self._database.timeout_seconds, self._leave())

    async def beat(self) -> None:
        """Say that this replica lives, and look who else does."""
        replicas = await within(self._database.timeout_seconds, self._beat())
        if replicas != self.replicas:
            log.info("replicas", extra={"replicas": replicas})
            self.replicas = replicas

    async def _beat(self) -> int:
        if not self._database.ready:
            raise DatabaseUnavailable
        async with self._database.connection() as connection:
            before = await beat(connection, self._name, {**self.report(), "process": self.process})
            self.note_predecessor(before)
            return await living(connection, DEAD_SECONDS)

    def note_predecessor(self, process: str | None) -> None:
        """Whoever wrote in our row after we did is another living process: of the two, one must not lead."""
        namesake = process if self._has_beaten and process != self.process else None
        self._has_beaten = True
        if namesake is not None:
            log.error(
                "another control plane has the same name; give each a WEEDWATCH_REPLICA of its own",
                extra={"replica": self._name},
            )
        self.yields = namesake is not None and namesake < self.process

    async def _others(self) -> list[Facts]:
        async with self._database.connection() as connection:
            return await others(connection, self._name, DEAD_SECONDS)

    async def _lead(self) -> bool:
        async with self._database.connection() as connection:
            return await lead(connection, self._name, LEASE_SECONDS)

    async def _leave(self) -> None:
        async with self._database.connection() as connection:
            await leave(connection, self._name)
            await stop_leading(connection, self._name)


async def beat(connection: Connection, name: str, facts: Facts) -> str | None:
    """The process that wrote before."""
    cursor = await connection.execute(
        """
        INSERT INTO replicas (name, seen_at, facts) VALUES (%(name)s, now(), %(facts)s)
        ON CONFLICT (name) DO UPDATE SET seen_at = now(), facts = excluded.facts
        RETURNING (SELECT facts ->> 'process' FROM replicas WHERE name = %(name)s)
        """,
        {"name": name, "facts": Jsonb(facts)},
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def living(connection: Connection, seconds: float) -> int:
    cursor = await connection.execute(
        "SELECT count(*) FROM replicas WHERE seen_at > now() - make_interval(secs => %(seconds)s)", {"seconds": seconds}
    )
    row = await cursor.fetchone()
    return max(1, row[0]) if row else 1


async def others(connection: Connection, name: str, seconds: float) -> list[Facts]:
    cursor = await connection.execute(
        """
        SELECT facts FROM replicas
        WHERE name <> %(name)s AND seen_at > now() - make_interval(secs => %(seconds)s)
        """,
        {"name": name, "seconds": seconds},
    )
    return [facts for (facts,) in await cursor.fetchall()]


async def leave(connection: Connection, name: str) -> None:
    await connection.execute("DELETE FROM replicas WHERE name = %(name)s", {"name": name})


async def lead(connection: Connection, name: str, seconds: float) -> bool:
    """Whether `name` leads for the next seconds."""
    cursor = await connection.execute(
        """
        INSERT INTO leader (name, until) VALUES (%(name)s, now() + make_interval(secs => %(seconds)s))
        ON CONFLICT (one) DO UPDATE SET name = excluded.name, until = excluded.until
        WHERE leader.name = excluded.name OR leader.until < now()
        RETURNING name
        """,
        {"name": name, "seconds": seconds},
    )
    return await cursor.fetchone() is not None


async def stop_leading(connection: Connection, name: str) -> None:
    await connection.execute("DELETE FROM leader WHERE name = %(name)s", {"name": name})
