"""Takes a record, or all records of a person, away for good, and says what was removed."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import uuid_utils.compat as uuid

from control_plane.domain.callers import Caller
from control_plane.domain.subjects import Subjects, Tombstone
from control_plane.errors import DatabaseUnavailable, InvalidRequest, NotFound
from control_plane.records.recording import Recorder
from control_plane.records.removals import Removals
from control_plane.records.spool import Spool
from control_plane.tables import audit, erasures, history
from control_plane.tables.audit import Act
from control_plane.tables.database import Connection, Database, within

log = logging.getLogger(__name__)

ERASE_SECONDS = 300.0
VACUUM_SECONDS = 1800.0
LOOK_SECONDS = 5.0
ACTION = "erasure"


@dataclass(frozen=True)
class Wanted:
    """One record, or those of a subject."""

    request_id: UUID | None = None
    subject: str | None = None


class Erasure:
    def __init__(
        self, database: Database, recorder: Recorder, spool: Spool, removals: Removals, subjects: Subjects
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._spool = spool
        self._removals = removals
        self._subjects = subjects
        self._known = 0  # tombstones by which this replica's disk was looked through
        self._vacuum_wanted = asyncio.Event()

    async def erase(self, wanted: Wanted, caller: Caller) -> Act:
        """Remove, and give the audit's row: the certificate.

        Raises:
            NotFound: There is no such record that this caller may see.
            InvalidRequest: Nobody knows whose records are meant.
            DatabaseUnavailable: Nothing was removed.
        """
        if wanted.request_id is None and wanted.subject is None:
            if caller.owner is None:
                raise InvalidRequest('Say whose records shall go: {"subject": "…"}.')
            wanted = Wanted(subject=caller.owner)
        await self._recorder.bring_home()  # what waits on this disk is a record like the others then
        act = await within(ERASE_SECONDS, self._erase(wanted, caller))
        self._vacuum_wanted.set()
        with contextlib.suppress(DatabaseUnavailable):  # what is left to do is done by itself
            await self._look()
            await self._removals.carry_out()
        return act

    async def certificate(self, number: UUID, caller: Caller) -> Act:
        """That of an earlier erasure.

        Raises:
            NotFound: There is none that this caller asked for.
        """

        async def find() -> Act | None:
            async with self._database.connection() as connection:
                return await erasures.certificate(connection, number)

        act = await within(self._database.timeout_seconds, find())
        if act is None or (caller.sees is not None and act.facts["asked_by"] not in self._hexadecimal(caller.sees)):
            raise NotFound("There is no certificate of erasure with this id.")
        return act

    async def run(self) -> None:
        """Until cancelled: what was erased leaves this replica's disk too, and the tables' files."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if self._database.ready and self._database.up:
                    await self._look()
                    if self._vacuum_wanted.is_set():
                        self._vacuum_wanted.clear()
                        await within(VACUUM_SECONDS, self._vacuum())
            except (DatabaseUnavailable, psycopg.Error) as error:
                log.warning("after an erasure: another try follows", extra={"cause": type(error).__name__})
            except Exception:
                log.exception("after an erasure: another try follows")

    async def _erase(self, wanted: Wanted, caller: Caller) -> Act:
        number, bound = uuid.uuid7(), uuid.uuid7()
        async with self._database.connection() as connection, connection.transaction():
            await history.lock_deletions(connection)
            subject = wanted.subject
            if wanted.request_id is not None:
                row = await history.find_to_change(connection, wanted.request_id)
                if row is None or (caller.sees is not None and row.owner != caller.sees):
                    raise NotFound("There is no prediction with this request id; it may have been deleted.")
                ids, subject = [row.request_id], row.subject or row.owner
                stone = Tombstone(bound, request_id=row.request_id)
            else:
                assert subject is not None  # noqa: S101 - one of the two is wanted
                ids = await erasures.of_subject(connection, subject, caller.sees, bound)
                owner = None if caller.sees is None else self._subjects.digest(caller.sees)
                stone = Tombstone(bound, subject=self._subjects.digest(subject), owner=owner)
            await erasures.put_tombstone(connection, stone)
            caller_of_keys = wanted.subject if caller.sees in (None, wanted.subject) else None
            removed = await self._remove(connection, ids, stone, caller_of_keys)
            facts = {
                "id": str(number),
                "request_id": str(wanted.request_id) if wanted.request_id else None,
                "subject": self._subjects.digest(subject).hex() if subject else None,
                "asked_by": self._subjects.digest(caller.owner).hex() if caller.owner else None,
                "removed": removed,
            }
            head = await audit.write(connection, actor=self._name(caller), action=ACTION, facts=facts)
            act = await audit.find(connection, head.number)
            assert act is not None  # noqa: S101 - just written
        return act

    async def _remove(
        self, connection: Connection, ids: list[UUID], stone: Tombstone, caller_of_keys: str | None
    ) -> dict[str, Any]:
        shadows = await erasures.delete_shadows(connection, ids)
        keys = await erasures.delete_keys(connection, ids, caller_of_keys)
        evaluations = await erasures.delete_from_evidence(connection, ids)
        records, digests = await erasures.delete_records(connection, ids)
        pictures, shared = await self._removals.want(connection, digests)
        return {
            "records": records,
            "pictures": pictures,
            "pictures_still_shown": shared,
            "shadows": shadows,
            "idempotency_keys": keys,
            "evaluations": evaluations,
            "quarantined_lines": await self._spool.count_aside(lambda line: self._subjects.covers_line([stone], line)),
        }

    async def _look(self) -> None:
        """Take what was erased, here or by another replica, out of the lines that were put aside."""
        newest, stones = await within(self._database.timeout_seconds, self._tombstones())
        if stones:
            await self._spool.forget_aside(lambda line: self._subjects.covers_line(stones, line))
        self._known = newest

    async def _tombstones(self) -> tuple[int, list[Tombstone]]:
        async with self._database.connection() as connection:
            return await erasures.tombstones(connection, self._known)

    async def _vacuum(self) -> None:
        async with self._database.connection() as connection:
            await erasures.vacuum(connection)

    def _name(self, caller: Caller) -> str:
        """Of who asks, for the audit, which is for ever: never the name of a person."""
        if caller.owner is not None and caller.owner in caller.name:
            return f"token of {self._subjects.digest(caller.owner).hex()[:16]}"
        return caller.name

    def _hexadecimal(self, name: str) -> set[str]:
        return {digest.hex() for digest in self._subjects.digests(name)}
