"""Erasures again, on a database that has forgotten them: in the transaction that brought it back."""

from dataclasses import dataclass, replace
from uuid import UUID

from backup.erased import Certificate, Erased
from control_plane.domain.subjects import Subjects, Tombstone
from control_plane.tables import audit, erasures, history
from control_plane.tables.database import Connection


@dataclass(frozen=True)
class Reapplied:
    """How many there were, and what they took away."""

    erasures: int
    records: int
    withdrawals: int
    pictures: int


async def reapply(connection: Connection, new: Erased, subjects: Subjects) -> Reapplied:
    """Take away what was erased or whose consent was taken back since the backup; the list becomes the database's."""
    ids: set[UUID] = set()
    for stone in new.tombstones:
        await erasures.put_tombstone(connection, stone)
        ids |= {stone.request_id} if stone.request_id else set()
    ids |= await _of_subjects(connection, [each for each in new.tombstones if each.subject], subjects)
    gone = sorted(ids)
    await erasures.delete_shadows(connection, gone)
    await erasures.delete_keys(connection, gone, None)
    await erasures.delete_from_evidence(connection, gone)
    records, digests = await erasures.delete_records(connection, gone)
    withdrawals = 0
    for request_id in new.withdrawn:
        await erasures.put_withdrawal(connection, request_id)
        digest = await _take_consent_back(connection, request_id)
        withdrawals += digest is not None
        digests += [digest] if digest else []
    pictures = await _want_removed(connection, digests)
    return Reapplied(len(new.tombstones), records, withdrawals, pictures)


async def take_away(connection: Connection, pictures: list[bytes]) -> None:
    """Pictures that were removed while the backup was made: their records show none any more, and no consent."""
    cursor = await connection.execute(
        "SELECT request_id FROM predictions WHERE picture_sha256 = ANY(%(digests)s)", {"digests": pictures}
    )
    for (request_id,) in await cursor.fetchall():
        await _take_consent_back(connection, request_id)


async def write_certificates_again(connection: Connection, certificates: list[Certificate]) -> None:
    """So that who holds one still finds it; where and when it stood first is said."""
    for each in certificates:
        again = {"row": each.number, "digest": each.digest.hex(), "at": each.created_at.isoformat()}
        await audit.write(connection, actor=each.actor, action="erasure", facts={**each.facts, "written_again": again})


async def _of_subjects(connection: Connection, stones: list[Tombstone], subjects: Subjects) -> set[UUID]:
    """Records that they cover; names are compared by their digests."""
    if not stones:
        return set()
    named = await connection.execute(
        "SELECT DISTINCT subject, owner FROM predictions WHERE subject IS NOT NULL OR owner IS NOT NULL"
    )
    found: set[UUID] = set()
    for subject, owner in await named.fetchall():
        meant = [each for each in stones if subjects.covers(each, None, subject, owner)]
        if meant:
            cursor = await connection.execute(
                """
                SELECT request_id FROM predictions
                WHERE subject IS NOT DISTINCT FROM %(subject)s AND owner IS NOT DISTINCT FROM %(owner)s
                  AND request_id < %(before)s
                """,
                {"subject": subject, "owner": owner, "before": max(each.before for each in meant)},
            )
            found |= {request_id for (request_id,) in await cursor.fetchall()}
    return found


async def _take_consent_back(connection: Connection, request_id: UUID) -> bytes | None:
    """The digest of the picture that the record showed."""
    row = await history.find_to_change(connection, request_id)
    if row is None or not row.consent:
        return None
    plain = history.without_picture(row)
    await history.amend(connection, replace(plain, consent=False))
    return row.picture_sha256


async def _want_removed(connection: Connection, digests: list[bytes]) -> int:
    """Those that no record shows any more; their files may lie in the place for pictures still."""
    shown = await history.still_shown(connection, digests)
    gone = [digest for digest in digests if digest not in shown]
    await history.want_removed(connection, gone)
    return len(gone)
