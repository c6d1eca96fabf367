"""Whether the audit is whole.

Each replica keeps the newest row that it saw outside the database: rows missing at the end, or a chain that was
computed anew, are found too.
"""

import asyncio
import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from control_plane.errors import Conflict, DatabaseUnavailable
from control_plane.tables import audit
from control_plane.tables.audit import Act, Head
from control_plane.tables.database import Connection, Database, within

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
VERIFY_SECONDS = 600.0
READ_AGAIN_SECONDS = 3600.0
TRY_AGAIN_SECONDS = 60.0
ROWS_AT_ONCE = 10_000
MOST_ROWS = 2**62

Fault = Literal["changed", "missing", "reordered", "cut off"]
_SENTENCES: dict[Fault, str] = {
    "changed": "Row {number} is not what was written: its content, or the row before it, has another digest.",
    "missing": "Row {number} is missing.",
    "reordered": "Row {number} stands in a wrong place: what stands there belongs elsewhere.",
    "cut off": "Row {number} is missing: {replica} saw row {seen}, and the table ends before it.",
}


@dataclass(frozen=True)
class Broken:
    """The first row that does not hold, and why."""

    number: int
    fault: Fault
    sentence: str


@dataclass(frozen=True)
class Seen:
    """What a replica keeps: the newest row that it saw, and the digest of the newest restore that it knew of then."""

    head: Head
    restore: bytes | None = None


@dataclass(frozen=True)
class Verified:
    """`rows` were looked at, up to `head`; `following` is the number to go on from when there are more."""

    rows: int
    head: Head
    total: int
    broken: Broken | None
    following: int | None


class Anchor:
    def __init__(self, database: Database, folder: Path, replica: str) -> None:
        """`folder` may be shared by replicas: each has a file of its own, and all are compared."""
        self._database = database
        self._folder = folder
        self._replica = replica
        self._one = asyncio.Semaphore(1)
        self._told: Head | None = None
        self._is_kept = True
        self._broken: Broken | None = None  # as it was last read

    @property
    def is_intact(self) -> bool:
        """Whether the newest row that was seen is there, and the chain held when it was last read."""
        return self._is_kept and self._broken is None

    async def run(self) -> None:
        """Until cancelled: keep the newest row, and say loudly when the one kept is gone; read all now and then."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_on())
            tasks.create_task(self._read_again())

    async def _read_again(self) -> None:
        while True:
            try:
                if self._database.ready and self._database.up:
                    await self.read_all()
                    await asyncio.sleep(READ_AGAIN_SECONDS)
            except DatabaseUnavailable:
                pass
            except Exception:
                log.exception("the audit cannot be read through")
                await asyncio.sleep(TRY_AGAIN_SECONDS)  # all that has been read will be read once more
            await asyncio.sleep(LOOK_SECONDS)

    async def read_all(self) -> None:
        """All of it, in parts."""
        following: int | None = 1
        while following is not None:
            first, following = following, None
            found = await within(VERIFY_SECONDS, self._verify(first, ROWS_AT_ONCE))
            if found.broken:  # or another replica was faster than this look
                await asyncio.sleep(LOOK_SECONDS)
                found = await within(VERIFY_SECONDS, self._verify(first, ROWS_AT_ONCE))
            self._note(first if found.following else 1, found)
            if found.broken:
                log.error("the audit is not what was written", extra={"cause": found.broken.sentence})
            else:
                following = found.following

    async def _keep_on(self) -> None:
        while True:
            try:
                if self._database.ready and self._database.up:
                    await self.keep()
            except DatabaseUnavailable:
                pass
            except Exception:
                log.exception("the newest row of the audit cannot be kept")
            await asyncio.sleep(LOOK_SECONDS)

    async def keep(self) -> None:
        """Keep the newest row that the database has committed."""
        await within(self._database.timeout_seconds, self._keep())

    async def verify(self, first: int = 1, at_most: int = MOST_ROWS) -> Verified:
        """Read rows in their order and compare; the newest rows that the replicas saw are looked up too.

        Raises:
            Conflict: Somebody else is at it.
            DatabaseUnavailable: It cannot be read, or not in time.
        """
        if self._one.locked():
            raise Conflict("The audit is being verified already. Ask again when that has ended.")
        async with self._one:
            found = await within(VERIFY_SECONDS, self._verify(first, at_most))
        self._note(first, found)
        return found

    async def _keep(self) -> None:
        async with self._database.connection() as connection:
            known = self._kept().get(self._replica)
            newest = await audit.head(connection)
            if known and known.head == newest:
                self._is_kept = True
                return
            # Set once it is known: whoever scrapes meanwhile sees what was found last.
            self._is_kept = known is None or await _is_there(connection, known.head)
            if known and not self._is_kept:
                self._is_kept = await _went_with_a_restore(connection, known)
                if not self._is_kept:
                    if self._told != newest:
                        log.error("the audit has lost rows that this replica saw", extra={"row": known.head.number})
                        self._told = newest
                    return
                log.warning("rows of the audit went with a restore", extra={"row": known.head.number})
            restore = await audit.newest_restore(connection)
        log.info("audit", extra={"row": newest.number, "digest": newest.digest.hex()})
        seen = Seen(newest, restore.digest if restore else None)
        await asyncio.to_thread(_write, self._folder / f"{self._replica}.json", seen)

    async def _verify(self, first: int, at_most: int) -> Verified:
        async with self._database.connection() as connection, connection.transaction():
            found = await look_through(connection, first, at_most)
            if not (found.broken or found.following):
                found = replace(found, broken=await self._cut_off(connection, found.head))
        return found

    def _note(self, first: int, found: Verified) -> None:
        if found.broken:
            self._broken = found.broken
        elif self._broken and first <= self._broken.number and found.following is None:
            self._broken = None  # it was put right

    async def _cut_off(self, connection: Connection, newest: Head) -> Broken | None:
        for replica, seen in sorted(self._kept().items(), key=lambda item: item[1].head.number):
            head = seen.head
            if await _is_there(connection, head) or await _went_with_a_restore(connection, seen):
                continue
            if head.number > newest.number:
                return _broken(newest.number + 1, "cut off", replica=replica, seen=head.number)
            return _broken(head.number, "changed")
        return None

    def _kept(self) -> dict[str, Seen]:
        """By replica; a file that cannot be read counts as none, and is said."""
        found = {}
        for file in self._folder.glob("*.json"):
            try:
                content = json.loads(file.read_text())
                head = Head(int(content["row"]), bytes.fromhex(content["digest"]))
                restore = content.get("restore")
                found[file.stem] = Seen(head, bytes.fromhex(restore) if restore else None)
            except (OSError, ValueError, KeyError, TypeError):
                log.exception("what a replica saw of the audit cannot be read", extra={"file": str(file)})
        return found


async def look_through(connection: Connection, first: int = 1, at_most: int = MOST_ROWS) -> Verified:
    """The table by itself, from a row on whose predecessor an earlier call has found whole; inside a transaction."""
    newest = await audit.head(connection)
    act = await audit.find(connection, first - 1)
    before, rows = Head(first - 1, act.digest if act else audit.GENESIS), 0
    async for act in audit.acts_from(connection, first, at_most):
        if not audit.follows(act, before):
            return Verified(rows, before, newest.number, await _fault(connection, act, before), None)
        before, rows = Head(act.id, act.digest), rows + 1
        if rows % audit.ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return Verified(rows, before, newest.number, None, before.number + 1 if before.number < newest.number else None)


async def _is_there(connection: Connection, head: Head) -> bool:
    if head == audit.START:
        return True
    act = await audit.find(connection, head.number)
    return act is not None and act.digest == head.digest


async def _went_with_a_restore(connection: Connection, seen: Seen) -> bool:
    """Whether the row was lost by a restore that its replica did not know of: the restore's row stands at or before it.

    A row that says so is as hard to forge as any other, and no harder: it is there to be looked at.
    """
    restore = await audit.newest_restore(connection)
    return restore is not None and restore.number <= seen.head.number and restore.digest != seen.restore


async def _fault(connection: Connection, act: Act, before: Head) -> Broken:
    number = before.number + 1
    near = {act.id - 1, act.id + 1}
    if any(audit.is_whole(act, each) for each in near | set(await audit.places_of(connection, act)) if each != act.id):
        return _broken(number, "reordered")
    return _broken(number, "missing" if act.id != number else "changed")


def _broken(number: int, fault: Fault, **facts: object) -> Broken:
    return Broken(number, fault, _SENTENCES[fault].format(number=number, **facts))


def _write(file: Path, seen: Seen) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    with fresh.open("w") as out:
        restore = seen.restore.hex() if seen.restore else None
        out.write(json.dumps({"row": seen.head.number, "digest": seen.head.digest.hex(), "restore": restore}))
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
