"""Idempotency keys: one function = one SQL statement.

A claim names the request that may answer under the key. The record with that request id is the answer: it and the
fulfilled claim are one commit. A claim without a record holds until its lease ends.
"""

from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from control_plane.tables.database import Connection
from control_plane.tables.history import Prediction

LIFE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Claim:
    """`digest`: SHA-256 of what is asked, picture and options."""

    caller: str
    key: str
    digest: bytes
    request_id: UUID


@dataclass(frozen=True)
class Held:
    """What the table says of a key; `row` is the answer that was given under it, if there is one."""

    digest: bytes
    leased: bool
    row: Prediction | None


async def find(connection: Connection, claim: Claim) -> Held | None:
    """Who holds the claim's key, unless it is older than `LIFE_SECONDS`."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(
        """
        SELECT held.digest AS held_digest, held.leased_until > now() AS leased, predictions.*
        FROM idempotency_keys AS held LEFT JOIN predictions USING (request_id)
        WHERE held.caller = %(caller)s AND held.key = %(key)s
          AND held.created_at > now() - make_interval(secs => %(life)s)
        """,
        {"caller": claim.caller, "key": claim.key, "life": LIFE_SECONDS},
    )
    found = await cursor.fetchone()
    if found is None:
        return None
    return Held(found.pop("held_digest"), found.pop("leased"), _row(found))


async def claim(connection: Connection, claim: Claim, *, lease_seconds: float) -> bool:
    """Take the key if it is free: unknown, expired, or claimed by a request that ended without a record."""
    cursor = await connection.execute(
        """
        INSERT INTO idempotency_keys AS held (caller, key, digest, request_id, leased_until)
        VALUES (%(caller)s, %(key)s, %(digest)s, %(request_id)s, now() + make_interval(secs => %(lease)s))
        ON CONFLICT (caller, key) DO UPDATE SET
            digest = excluded.digest, request_id = excluded.request_id,
            created_at = excluded.created_at, leased_until = excluded.leased_until
        WHERE held.created_at <= now() - make_interval(secs => %(life)s)
           OR (held.leased_until <= now()
               AND NOT EXISTS (SELECT FROM predictions WHERE request_id = held.request_id))
        RETURNING request_id
        """,
        {**vars(claim), "lease": lease_seconds, "life": LIFE_SECONDS},
    )
    return await cursor.fetchone() is not None


async def release(connection: Connection, claim: Claim) -> None:
    """Give the key back, unless there is a record: its commit may have succeeded although its reply was lost."""
    await connection.execute(
        """
        DELETE FROM idempotency_keys
        WHERE caller = %(caller)s AND key = %(key)s AND request_id = %(request_id)s
          AND NOT EXISTS (SELECT FROM predictions WHERE request_id = %(request_id)s)
        """,
        vars(claim),
    )


async def delete_expired(connection: Connection, *, at_most: int) -> int:
    """Forget some keys that nobody can use any more; how many."""
    cursor = await connection.execute(
        """
        DELETE FROM idempotency_keys WHERE (caller, key) IN (
            SELECT caller, key FROM idempotency_keys
            WHERE created_at <= now() - make_interval(secs => %(life)s)
            ORDER BY created_at LIMIT %(at_most)s FOR UPDATE SKIP LOCKED)
        """,
        {"life": LIFE_SECONDS, "at_most": at_most},
    )
    return cursor.rowcount


def _row(found: dict[str, Any]) -> Prediction | None:
    if found["request_id"] is None:
        return None
    # As the first answer had it, whatever time zone the database speaks.
    return Prediction(**{**found, "created_at": found["created_at"].astimezone(UTC)})
