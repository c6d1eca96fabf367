"""The list of what was erased. It lies beside the backups, outside the database, so that no restore forgets it.

Of people it holds keyed digests only. Nothing is ever taken off it: what one database does not know, another did.
"""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from backup.destination import Destination
from backup.errors import Damaged
from control_plane.domain.subjects import Tombstone
from control_plane.tables import audit, erasures
from control_plane.tables.audit import Act, Head
from control_plane.tables.database import Connection

NAME = "erasures.json"
LIST_LOCK = 7309862319


@dataclass(frozen=True)
class Certificate:
    """The audit's row of an erasure."""

    number: int
    created_at: datetime
    actor: str
    facts: dict[str, Any]
    digest: bytes

    @property
    def id(self) -> str:
        return str(self.facts["id"])


@dataclass(frozen=True)
class Erased:
    """Tombstones, ids of records whose consent was taken back, certificates; `head`: the newest row of the audit."""

    tombstones: frozenset[Tombstone] = frozenset()
    withdrawn: frozenset[UUID] = frozenset()
    certificates: tuple[Certificate, ...] = ()
    head: Head = audit.START

    def __or__(self, other: "Erased") -> "Erased":
        certificates = {each.id: each for each in (*other.certificates, *self.certificates)}
        return Erased(
            self.tombstones | other.tombstones,
            self.withdrawn | other.withdrawn,
            tuple(sorted(certificates.values(), key=lambda each: each.number)),
            max(self.head, other.head, key=lambda head: head.number),
        )

    def without(self, other: "Erased") -> "Erased":
        """What the other does not know yet."""
        ids = {each.id for each in other.certificates}
        return Erased(
            self.tombstones - other.tombstones,
            self.withdrawn - other.withdrawn,
            tuple(each for each in self.certificates if each.id not in ids),
            self.head,
        )

    @property
    def names_people(self) -> bool:
        """Whether it can be gone by with the right key alone."""
        return any(stone.subject is not None for stone in self.tombstones)


async def mark(connection: Connection) -> tuple[Head, int]:
    """Another one after each erasure and each consent that was taken back: an erasure has its row in the audit."""
    cursor = await connection.execute("SELECT to_regclass('withdrawals') IS NOT NULL")  # the younger of the two
    if await cursor.fetchone() != (True,):
        return audit.START, 0
    return await audit.head(connection), await erasures.count_withdrawn(connection)


async def of_database(connection: Connection) -> Erased:
    """What a database says; a schema from before there were erasures says nothing."""
    cursor = await connection.execute(
        "SELECT to_regclass('tombstones') IS NOT NULL, to_regclass('withdrawals') IS NOT NULL, "
        "to_regclass('audit') IS NOT NULL"
    )
    has_stones, has_withdrawals, has_audit = await cursor.fetchone() or (False, False, False)
    stones = (await erasures.tombstones(connection, 0))[1] if has_stones else []
    acts = await audit.acts_named(connection, "erasure") if has_stones else []
    return Erased(
        frozenset(stones),
        frozenset(await erasures.withdrawn(connection)) if has_withdrawals else frozenset(),
        tuple(_certificate(act) for act in acts),
        await audit.head(connection) if has_audit else audit.START,
    )


def of_destination(destination: Destination) -> Erased:
    """Empty when none was written yet. Raises Damaged."""
    try:
        text = destination.read(NAME)
    except FileNotFoundError:
        return Erased()
    return decode(text, f"{destination.url}/{NAME}")


async def refresh(destination: Destination, connection: Connection) -> Erased:
    """Add what the database says to the list at the destination; written only when there is something new.

    One at a time, whoever else does so: else the later of two lists could be written first.
    """
    await connection.execute("SELECT pg_advisory_lock(%(key)s)", {"key": LIST_LOCK})
    try:
        return await _refresh(destination, connection)
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%(key)s)", {"key": LIST_LOCK})


async def _refresh(destination: Destination, connection: Connection) -> Erased:
    known = await asyncio.to_thread(of_destination, destination)
    said = await of_database(connection)
    newest = known | said
    restore = await audit.newest_restore(connection)
    if restore and restore.number <= known.head.number:
        newest = replace(newest, head=said.head)  # what was known of the audit before went with that restore
    if newest != known:
        await asyncio.to_thread(destination.put, NAME, encode(newest))
    return newest


def encode(erased: Erased) -> bytes:
    said = {
        "format": 1,
        "written_at": datetime.now(UTC).isoformat(),
        "tombstones": sorted((_stone(each) for each in erased.tombstones), key=json.dumps),
        "withdrawn": sorted(map(str, erased.withdrawn)),
        "certificates": [
            {**vars(each), "created_at": each.created_at.isoformat(), "digest": each.digest.hex()}
            for each in erased.certificates
        ],
        "audit": {"row": erased.head.number, "digest": erased.head.digest.hex()},
    }
    return json.dumps(said, indent=1).encode()


def decode(text: bytes, where: str) -> Erased:
    """Raises Damaged: what was erased must not be guessed."""
    try:
        said = json.loads(text)
        return Erased(
            frozenset(_tombstone(each) for each in said["tombstones"]),
            frozenset(UUID(each) for each in said["withdrawn"]),
            tuple(
                Certificate(
                    each["number"],
                    datetime.fromisoformat(each["created_at"]),
                    each["actor"],
                    each["facts"],
                    bytes.fromhex(each["digest"]),
                )
                for each in said["certificates"]
            ),
            Head(said["audit"]["row"], bytes.fromhex(said["audit"]["digest"])),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"The list of erasures {where} cannot be read ({type(error).__name__}). Without it what was erased would "
            "come back. Put an older copy of it there, or take the place's own version of the file."
        ) from None


def _certificate(act: Act) -> Certificate:
    return Certificate(act.id, act.created_at, act.actor, act.facts, act.digest)


def _stone(stone: Tombstone) -> dict[str, str | None]:
    return {
        "before": str(stone.before),
        "request_id": str(stone.request_id) if stone.request_id else None,
        "subject": stone.subject.hex() if stone.subject else None,
        "owner": stone.owner.hex() if stone.owner else None,
    }


def _tombstone(said: dict[str, Any]) -> Tombstone:
    return Tombstone(
        UUID(said["before"]),
        UUID(said["request_id"]) if said["request_id"] else None,
        bytes.fromhex(said["subject"]) if said["subject"] else None,
        bytes.fromhex(said["owner"]) if said["owner"] else None,
    )
