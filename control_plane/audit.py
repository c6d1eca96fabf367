"""The record of admin acts; written in the transaction of the act, so none takes effect without its row."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from control_plane.database import Connection

GENESIS = bytes(32)
AUDIT_LOCK = 7309862315


async def write(connection: Connection, *, actor: str, action: str, facts: dict[str, Any]) -> None:
    """Append one act to the chain; must run inside the transaction that does the act."""
    await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": AUDIT_LOCK})
    cursor = await connection.execute("SELECT id, digest FROM audit ORDER BY id DESC LIMIT 1")
    last = await cursor.fetchone()
    number, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
    moment = datetime.now(UTC)
    await connection.execute(
        """
        INSERT INTO audit (id, created_at, actor, action, facts, previous, digest)
        VALUES (%(id)s, %(created_at)s, %(actor)s, %(action)s, %(facts)s, %(previous)s, %(digest)s)
        """,
        {
            "id": number,
            "created_at": moment,
            "actor": actor,
            "action": action,
            "facts": Jsonb(facts),
            "previous": previous,
            "digest": digest(number, moment, actor, action, facts, previous),
        },
    )


async def first_broken(connection: Connection) -> int | None:
    """The id of the first row that does not follow from the one before it; None when the chain holds."""
    cursor = await connection.execute(
        "SELECT id, created_at, actor, action, facts, previous, digest FROM audit ORDER BY id"
    )
    expected, previous = 1, GENESIS
    async for number, moment, actor, action, facts, before, own in cursor:
        if number != expected or before != previous or own != digest(number, moment, actor, action, facts, before):
            return int(number)
        expected, previous = number + 1, own
    return None


def digest(number: int, moment: datetime, actor: str, action: str, facts: dict[str, Any], previous: bytes) -> bytes:
    content = [number, moment.astimezone(UTC).isoformat(), actor, action, facts, previous.hex()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
