"""The record of admin acts; written in the transaction of the act, so none takes effect without its row."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from control_plane.tables.database import Connection
from control_plane.telemetry import logs

GENESIS = bytes(32)
AUDIT_LOCK = 7309862315
ROWS_AT_ONCE = 200  # hashed between two looks at other requests


@dataclass(frozen=True)
class Act:
    """One row.

    `facts["from"]` says which request asked for it, and from which address; what the service does by itself, or
    carries out later, has none.
    """

    id: int
    created_at: datetime
    actor: str
    action: str
    facts: dict[str, Any]
    previous: bytes
    digest: bytes


@dataclass(frozen=True)
class Head:
    """The newest row."""

    number: int
    digest: bytes


START = Head(0, GENESIS)


async def write(connection: Connection, *, actor: str, action: str, facts: dict[str, Any]) -> Head:
    """Append one act to the chain; must run inside the transaction that does the act."""
    await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": AUDIT_LOCK})
    last = await head(connection)
    moment, facts = datetime.now(UTC), facts | _origin()
    new = Head(last.number + 1, digest(last.number + 1, moment, actor, action, facts, last.digest))
    await connection.execute(
        """
        INSERT INTO audit (id, created_at, actor, action, facts, previous, digest)
        VALUES (%(id)s, %(created_at)s, %(actor)s, %(action)s, %(facts)s, %(previous)s, %(digest)s)
        """,
        {
            "id": new.number,
            "created_at": moment,
            "actor": actor,
            "action": action,
            "facts": Jsonb(facts),
            "previous": last.digest,
            "digest": new.digest,
        },
    )
    return new


async def head(connection: Connection) -> Head:
    cursor = await connection.execute("SELECT id, digest FROM audit ORDER BY id DESC LIMIT 1")
    row = await cursor.fetchone()
    return Head(*row) if row else START


async def page(connection: Connection, *, before: int | None, limit: int) -> list[Act]:
    """Up to `limit` rows, newest first, with numbers below `before`."""
    cursor = connection.cursor(row_factory=class_row(Act))
    await cursor.execute(
        """
        SELECT * FROM audit WHERE %(before)s::bigint IS NULL OR id < %(before)s::bigint
        ORDER BY id DESC LIMIT %(limit)s
        """,
        {"before": before, "limit": limit},
    )
    return await cursor.fetchall()


async def find(connection: Connection, number: int) -> Act | None:
    cursor = connection.cursor(row_factory=class_row(Act))
    await cursor.execute("SELECT * FROM audit WHERE id = %(number)s", {"number": number})
    return await cursor.fetchone()


async def acts_named(connection: Connection, action: str) -> list[Act]:
    """All of one kind, oldest first."""
    cursor = connection.cursor(row_factory=class_row(Act))
    await cursor.execute("SELECT * FROM audit WHERE action = %(action)s ORDER BY id", {"action": action})
    return await cursor.fetchall()


async def newest_restore(connection: Connection) -> Head | None:
    """The row that says that the database was brought back from a backup."""
    cursor = await connection.execute("SELECT id, digest FROM audit WHERE action = 'restore' ORDER BY id DESC LIMIT 1")
    row = await cursor.fetchone()
    return Head(*row) if row else None


async def acts_from(connection: Connection, first: int, limit: int) -> AsyncIterator[Act]:
    """In their order, read as they are asked for; must run inside a transaction."""
    async with connection.cursor(name="acts", row_factory=class_row(Act)) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        await cursor.execute(
            "SELECT * FROM audit WHERE id >= %(first)s ORDER BY id LIMIT %(limit)s", {"first": first, "limit": limit}
        )
        async for act in cursor:
            yield act


async def places_of(connection: Connection, act: Act) -> list[int]:
    """Where the rows around it say that it belongs: behind the one that it names, before the one that names it."""
    cursor = await connection.execute(
        "SELECT id + 1 FROM audit WHERE digest = %(previous)s UNION SELECT id - 1 FROM audit WHERE previous = %(own)s",
        {"previous": act.previous, "own": act.digest},
    )
    return [number for (number,) in await cursor.fetchall()]


def follows(act: Act, before: Head) -> bool:
    return act.id == before.number + 1 and act.previous == before.digest and is_whole(act, act.id)


def is_whole(act: Act, number: int) -> bool:
    """Whether its digest is that of its content, as the row of this number."""
    return act.digest == digest(number, act.created_at, act.actor, act.action, act.facts, act.previous)


def digest(number: int, moment: datetime, actor: str, action: str, facts: dict[str, Any], previous: bytes) -> bytes:
    content = [number, moment.astimezone(UTC).isoformat(), actor, action, facts, previous.hex()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def _origin() -> dict[str, Any]:
    """Of the request that asks, when there is one."""
    request, address = logs.request_id.get(), logs.address.get()
    return {"from": {"request_id": request, "address": address}} if request else {}
