"""Kept pictures that no record shows any more: their files go, also when the store or this process fails meanwhile.

Whoever takes the last record away writes the digest down in the same transaction; the row goes when the file is gone.
"""

import asyncio
import logging
from collections.abc import Sequence

from control_plane.errors import DatabaseUnavailable
from control_plane.photos.pictures import Pictures
from control_plane.photos.stores import StoreUnavailable
from control_plane.tables import history
from control_plane.tables.database import Connection, Database, within

log = logging.getLogger(__name__)

AGAIN_SECONDS = 60.0
AT_ONCE = 500
REMOVE_SECONDS = 300.0


class Removals:
    def __init__(self, database: Database, pictures: Pictures) -> None:
        self._database = database
        self._pictures = pictures

    async def want(self, connection: Connection, digests: Sequence[bytes]) -> tuple[int, int]:
        """In a transaction that took records away: how many pictures go, and how many another record still shows."""
        shown = await history.still_shown(connection, list(digests))
        gone = [digest for digest in digests if digest not in shown]
        await history.want_removed(connection, gone)
        return len(gone), len(shown)

    async def carry_out(self) -> bool:
        """Remove what is wanted away; False when some of it must wait for another try, which is made by itself."""
        try:
            return await within(REMOVE_SECONDS, self._carry_out())
        except DatabaseUnavailable:
            return False

    async def run(self) -> None:
        """Until cancelled: what could not be removed at once."""
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            try:
                if self._database.ready and self._database.up:
                    await self.carry_out()
            except Exception:
                log.exception("pictures cannot be removed")

    async def _carry_out(self) -> bool:
        while True:
            async with self._database.connection() as connection:
                wanted = await history.wanted_removed(connection, AT_ONCE)
                shown = await history.still_shown(connection, wanted)
            gone = []
            for digest in wanted:
                try:
                    if digest not in shown:  # kept again meanwhile
                        await self._pictures.remove(digest)
                except StoreUnavailable as error:
                    log.warning("a picture cannot be removed yet", extra={"cause": str(error)})
                else:
                    gone.append(digest)
            async with self._database.connection() as connection:
                await history.removed(connection, gone)
            if len(gone) < len(wanted):
                return False
            if len(wanted) < AT_ONCE:
                return True
