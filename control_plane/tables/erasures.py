"""What an erasure removes, and what keeps it away: one function = one SQL statement."""

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import class_row

from control_plane.domain.subjects import Tombstone
from control_plane.tables.audit import Act
from control_plane.tables.database import Connection


async def put_tombstone(connection: Connection, stone: Tombstone) -> None:
    await connection.execute(
        """
        INSERT INTO tombstones (request_id, subject, owner, before)
        VALUES (%(request_id)s, %(subject)s, %(owner)s, %(before)s)
        """,
        vars(stone),
    )


async def tombstones(connection: Connection, after: int) -> tuple[int, list[Tombstone]]:
    """Those with numbers above `after`, and the newest number."""
    cursor = await connection.execute(
        "SELECT id, before, request_id, subject, owner FROM tombstones WHERE id > %(after)s ORDER BY id",
        {"after": after},
    )
    rows = await cursor.fetchall()
    return (rows[-1][0] if rows else after), [Tombstone(*stone) for _, *stone in rows]


async def tombstones_of(
    connection: Connection, request_ids: Sequence[UUID], subjects: Sequence[bytes]
) -> list[Tombstone]:
    """Those that may cover one of these records."""
    cursor = connection.cursor(row_factory=class_row(Tombstone))
    await cursor.execute(
        """
        SELECT before, request_id, subject, owner FROM tombstones
        WHERE request_id = ANY(%(ids)s) OR (request_id IS NULL AND subject = ANY(%(subjects)s))
        """,
        {"ids": list(request_ids), "subjects": list(subjects)},
    )
    return await cursor.fetchall()


async def put_withdrawal(connection: Connection, request_id: UUID) -> None:
    """Consent was taken back: a backup from before must not bring the picture back."""
    await connection.execute(
        "INSERT INTO withdrawals (request_id) VALUES (%(id)s) ON CONFLICT DO NOTHING", {"id": request_id}
    )


async def withdrawn(connection: Connection) -> list[UUID]:
    cursor = await connection.execute("SELECT request_id FROM withdrawals")
    return [request_id for (request_id,) in await cursor.fetchall()]


async def count_withdrawn(connection: Connection) -> int:
    cursor = await connection.execute("SELECT count(*) FROM withdrawals")
    return int((await cursor.fetchone() or (0,))[0])


async def of_subject(connection: Connection, subject: str, owner: str | None, before: UUID) -> list[UUID]:
    """Records of a subject, locked until the end of the transaction; with an owner, only the owner's."""
    cursor = await connection.execute(
        """
        SELECT request_id FROM predictions
        WHERE (subject = %(subject)s OR owner = %(subject)s)
          AND (%(owner)s::text IS NULL OR owner = %(owner)s::text)
          AND request_id < %(before)s
        FOR UPDATE
        """,
        {"subject": subject, "owner": owner, "before": before},
    )
    return [request_id for (request_id,) in await cursor.fetchall()]


async def delete_shadows(connection: Connection, request_ids: list[UUID]) -> int:
    cursor = await connection.execute("DELETE FROM shadows WHERE request_id = ANY(%(ids)s)", {"ids": request_ids})
    return cursor.rowcount


async def delete_keys(connection: Connection, request_ids: list[UUID], caller: str | None) -> int:
    """Claims of Idempotency-Keys: those of the records, and all of a caller."""
    cursor = await connection.execute(
        "DELETE FROM idempotency_keys WHERE request_id = ANY(%(ids)s) OR caller = %(caller)s",
        {"ids": request_ids, "caller": caller},
    )
    return cursor.rowcount


async def delete_from_evidence(connection: Connection, request_ids: list[UUID]) -> int:
    """What evaluations tell of single records; their counts stay."""
    cursor = await connection.execute(
        """
        UPDATE evaluations SET evidence = jsonb_set(evidence, '{flips}', (
            SELECT jsonb_agg(jsonb_set(flip, '{records}', (
                SELECT coalesce(jsonb_agg(record), '[]') FROM jsonb_array_elements(flip -> 'records') AS record
                WHERE record ->> 'source' <> 'sighting' OR NOT record ->> 'id' = ANY(%(ids)s))))
            FROM jsonb_array_elements(evidence -> 'flips') AS flip))
        WHERE EXISTS (
            SELECT FROM jsonb_path_query(evidence, '$.flips[*].records[*] ? (@.source == "sighting").id') AS id
            WHERE id #>> '{}' = ANY(%(ids)s))
        """,
        {"ids": [str(each) for each in request_ids]},
    )
    return cursor.rowcount


async def delete_records(connection: Connection, request_ids: list[UUID]) -> tuple[int, list[bytes]]:
    """How many, and the digests of their kept pictures."""
    cursor = await connection.execute(
        "DELETE FROM predictions WHERE request_id = ANY(%(ids)s) RETURNING picture_sha256", {"ids": request_ids}
    )
    pictures = [digest for (digest,) in await cursor.fetchall()]
    return len(pictures), list({digest for digest in pictures if digest is not None})


async def certificate(connection: Connection, number: UUID) -> Act | None:
    cursor = connection.cursor(row_factory=class_row(Act))
    await cursor.execute(
        "SELECT * FROM audit WHERE action = 'erasure' AND facts ->> 'id' = %(id)s", {"id": str(number)}
    )
    return await cursor.fetchone()


async def vacuum(connection: Connection) -> None:
    """So that what was deleted is not found in the tables' files any longer than need be; outside a transaction."""
    await connection.execute("VACUUM predictions, shadows, idempotency_keys, evaluations, picture_removals")
