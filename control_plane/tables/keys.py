"""API keys: one function = one SQL statement. A key is never deleted: what it was remains to be seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from control_plane.domain.callers import Scope
from control_plane.tables.database import Connection


@dataclass(frozen=True)
class Key:
    """One key as its row holds it. `secret` names the secret that `digest` was made with; `limits`: see throttle.py."""

    id: str
    name: str
    owner: str
    scopes: list[Scope]
    limits: dict[str, Any] | None
    digest: bytes
    secret: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    changed_at: datetime


async def add(connection: Connection, key: Key) -> None:
    await connection.execute(
        """
        INSERT INTO keys (id, name, owner, scopes, limits, digest, secret, created_by, created_at, expires_at)
        VALUES (%(id)s, %(name)s, %(owner)s, %(scopes)s, %(limits)s, %(digest)s, %(secret)s, %(created_by)s,
                %(created_at)s, %(expires_at)s)
        """,
        vars(key) | {"limits": Jsonb(key.limits) if key.limits is not None else None},
    )


async def every(connection: Connection) -> list[Key]:
    """Newest first."""
    cursor = connection.cursor(row_factory=class_row(Key))
    await cursor.execute("SELECT * FROM keys ORDER BY created_at DESC, id")
    return await cursor.fetchall()


async def changed_since(connection: Connection, moment: datetime | None, overlap_seconds: float) -> list[Key]:
    """All that changed after `moment`, and a little before it: a commit may come later than its own moment."""
    cursor = connection.cursor(row_factory=class_row(Key))
    await cursor.execute(
        """
        SELECT * FROM keys
        WHERE %(moment)s::timestamptz IS NULL
           OR changed_at > %(moment)s::timestamptz - make_interval(secs => %(overlap)s)
        """,
        {"moment": moment, "overlap": overlap_seconds},
    )
    return await cursor.fetchall()


async def find(connection: Connection, number: str) -> Key | None:
    cursor = connection.cursor(row_factory=class_row(Key))
    await cursor.execute("SELECT * FROM keys WHERE id = %(id)s FOR UPDATE", {"id": number})
    return await cursor.fetchone()


async def revoke(connection: Connection, number: str) -> None:
    await connection.execute(
        "UPDATE keys SET revoked_at = now(), changed_at = now() WHERE id = %(id)s AND revoked_at IS NULL",
        {"id": number},
    )


async def expire(connection: Connection, number: str, seconds: float) -> None:
    """In so many seconds, if it would not expire before."""
    await connection.execute(
        """
        UPDATE keys SET changed_at = now(),
            expires_at = least(expires_at, now() + make_interval(secs => %(seconds)s))
        WHERE id = %(id)s
        """,
        {"id": number, "seconds": seconds},
    )


async def note_use(connection: Connection, used: Mapping[str, datetime]) -> None:
    """When keys were used last. Not a change: nobody needs to read it again."""
    await connection.execute(
        """
        UPDATE keys SET last_used_at = greatest(last_used_at, given.moment)
        FROM unnest(%(ids)s::text[], %(moments)s::timestamptz[]) AS given (id, moment)
        WHERE keys.id = given.id
        """,
        {"ids": list(used), "moments": list(used.values())},
    )
