"""What is older than it may be goes: kept pictures, and whole records. The leader's work, a part at a time.

The audit has a row of each run that found something: it is written with the first part, and says what is meant to go.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from control_plane.errors import DatabaseUnavailable
from control_plane.records.removals import Removals
from control_plane.replicas import Share
from control_plane.tables import audit, history
from control_plane.tables.database import Connection, Database, within

log = logging.getLogger(__name__)

FIRST_SECONDS = 20.0
PAUSE_SECONDS = 600.0
ROWS_AT_ONCE = 500
COUNT_SECONDS = 60.0
ACTOR = "retention"
Remove = Callable[[Connection, UUID, int], Awaitable[tuple[int, list[bytes]]]]


class Retention:
    def __init__(
        self, database: Database, share: Share, removals: Removals, *, pictures_days: int, history_days: int
    ) -> None:
        """Days of 0: for ever."""
        self._database = database
        self._share = share
        self._removals = removals
        self._pictures_days = pictures_days
        self._history_days = history_days

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.sleep(FIRST_SECONDS)
        while self._pictures_days or self._history_days:
            try:
                if self._database.ready and self._database.up and self._share.leads:
                    await self.remove_old()
            except DatabaseUnavailable:
                pass
            except Exception:
                log.exception("what is too old cannot be removed; it is tried again")
            await asyncio.sleep(PAUSE_SECONDS)

    async def remove_old(self) -> None:
        """One run: records first, since their pictures go with them."""
        now = datetime.now(UTC)
        if self._history_days:
            await self._run("history", now - timedelta(days=self._history_days), history.delete_some_before)
        if self._pictures_days:
            await self._run("pictures", now - timedelta(days=self._pictures_days), history.hide_pictures_before)

    async def _run(self, what: str, before: datetime, remove: Remove) -> None:
        bound = history.first_id_at(before)
        first = True
        while self._share.leads:
            left = await within(COUNT_SECONDS, self._part(what, before, bound, remove, first=first))
            first = False
            await self._removals.carry_out()
            if not left:
                return

    async def _part(self, what: str, before: datetime, bound: UUID, remove: Remove, *, first: bool) -> bool:
        """Whether there may be more; a part and what the audit says of it are one transaction."""
        async with self._database.connection() as connection, connection.transaction():
            if first:
                records, pictures = await history.count_before(connection, bound)
                count = records if what == "history" else pictures
                if not count:
                    return False
                facts = {"what": what, "before": before.isoformat(), "count": count}
                await audit.write(connection, actor=ACTOR, action="retention", facts=facts)
            removed, digests = await remove(connection, bound, ROWS_AT_ONCE)
            await self._removals.want(connection, digests)
        return removed == ROWS_AT_ONCE
