"""Every answer is kept before it is given.

Rows of concurrent requests share one commit; the spool takes over when PostgreSQL is away, and gives back when it
returns.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from control_plane.domain.subjects import Subjects
from control_plane.errors import DatabaseUnavailable, HistoryUnavailable
from control_plane.metrics import Metrics
from control_plane.records.spool import Spool, SpoolUnavailable, encode
from control_plane.tables import database, erasures, history
from control_plane.tables.database import Connection, Database, within
from control_plane.tables.history import Prediction
from control_plane.telemetry import tracing
from control_plane.telemetry.tracing import Span

log = logging.getLogger(__name__)

MAX_GROUP = 256
MAX_WAITING = 4096
REPLAY_ROWS = 500
_INSERT = "INSERT predictions"
_SQL = database.described(_INSERT)
REPLAY_PAUSE_SECONDS = 0.5
# The driver refuses some values before PostgreSQL sees them: a lone surrogate, a number beyond 64 bits.
REFUSED_ROW = (*database.REFUSED_ROW, ValueError, OverflowError)


@dataclass(eq=False)
class _Waiting:
    row: Prediction
    kept: "asyncio.Future[bool]"  # whether in the database
    span: Span | None = None


class Recorder:
    def __init__(self, database: Database, spool: Spool, metrics: Metrics, subjects: Subjects) -> None:
        self._database = database
        self._spool = spool
        self._metrics = metrics
        self._subjects = subjects
        self._landing = asyncio.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self.spool_works = True

    @property
    def can_record(self) -> bool:
        """Whether an answer given now would be kept."""
        return (self._database.ready and self._database.up) or self.spool_works

    async def record(self, row: Prediction) -> bool:
        """Keep one row; it is in the database (True) or on the disk (False) when this returns.

        Raises:
            HistoryUnavailable: Neither can hold it.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise HistoryUnavailable(retry_after_seconds=2)
        began = monotonic()
        request = tracing.current.get()
        span = request.begin("record", at=began) if request else None
        waiting = _Waiting(row, asyncio.get_running_loop().create_future(), span)
        self._waiting.append(waiting)
        self._wake.set()
        try:
            in_database = await waiting.kept
        finally:
            if span:
                span.end()
        self._metrics.stages["record"].observe(monotonic() - began)
        return in_database

    async def run(self) -> None:
        """Until cancelled; what waits then is kept first."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._keep_waiting()
        finally:
            await self._keep_waiting()

    async def replay(self) -> None:
        """Until cancelled: bring home what the spool holds, whenever the database is there."""
        while True:
            try:
                if not self.spool_works:
                    self.spool_works = await self._spool.works()
                await self.bring_home()
            except Exception:
                log.exception("replay failed; it tries again")
            await asyncio.sleep(REPLAY_PAUSE_SECONDS)

    async def bring_home(self) -> None:
        """What the spool holds now, when the database is there."""
        async with self._landing:
            try:
                if self._database.ready and self._database.up:
                    for segment in await self._spool.take():
                        await self._try_to_land(segment)
            except DatabaseUnavailable as error:
                log.warning("the spool cannot be brought home yet", extra={"cause": repr(error)})

    async def _keep_waiting(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(MAX_GROUP, len(self._waiting)))]
            group = [each for each in group if not each.kept.done()]
            if group:
                await self._keep(group)

    async def _keep(self, group: list[_Waiting]) -> None:
        self._metrics.group_size.observe(len(group))
        try:
            if await self._commit(group):
                return
        except Exception:  # whatever it is, the spool can still hold the records
            log.exception("committing failed")
        try:
            group = self._storable([each for each in group if not each.kept.done()])
            if not group:
                return
            began = monotonic()
            await self._spool.append([each.row for each in group])
            for each in group:
                if each.span:
                    each.span.add("spool", began, monotonic())
        except SpoolUnavailable as error:
            self.spool_works = False
            log.exception("records refused", extra={"records": len(group)})
            self._end(group, HistoryUnavailable(retry_after_seconds=2, cause=str(error)))
        except Exception as error:  # never leave a request without an answer
            log.exception("spooling failed")
            self._end(group, HistoryUnavailable(retry_after_seconds=2, cause=repr(error)))
        else:
            self.spool_works = True
            self._end(group, in_database=False)

    def _storable(self, group: list[_Waiting]) -> list[_Waiting]:
        """Without those that PostgreSQL would refuse later: what is acknowledged must land."""
        good = []
        for each in group:
            try:
                history.to_json(each.row)
            except ValueError:
                log.exception("a record cannot be stored")
                self._end([each], HistoryUnavailable("This record cannot be stored; the log has the cause."))
            else:
                good.append(each)
        return good

    async def _commit(self, group: list[_Waiting]) -> bool:
        """Whether the database decided over every row: stored, or (alone) refused."""
        if not (self._database.ready and self._database.up):
            return False
        began = monotonic()
        try:
            await within(self._database.timeout_seconds, self._insert([each.row for each in group]))
        except DatabaseUnavailable:
            if self._database.up:
                self._database.is_slow()
            return False
        except REFUSED_ROW:
            if len(group) > 1:
                return all([await self._commit([each]) for each in group])
            log.exception("a record cannot be stored")
            self._end(group, HistoryUnavailable("This record cannot be stored; the log has the cause."))
        else:
            ended = monotonic()
            for each in group:
                if each.span:
                    each.span.add(_INSERT, began, ended, {**_SQL, "db.operation.batch.size": len(group)}, "client")
            self._end(group)
        return True

    async def _insert(self, rows: list[Prediction]) -> None:
        async with self._database.own_connection("record") as connection:
            await history.record_all(connection, rows)

    async def _insert_replayed(self, rows: list[Prediction]) -> None:
        async with self._database.connection() as connection, connection.transaction():
            await history.hold_off_deletion(connection)
            rows = await self._not_erased(connection, rows)
            if rows:
                await history.record_all(connection, rows, replayed=True)

    async def _not_erased(self, connection: Connection, rows: list[Prediction]) -> list[Prediction]:
        names = {name for row in rows for name in (row.subject, row.owner) if name is not None}
        digests = [digest for name in names for digest in self._subjects.digests(name)]
        stones = await erasures.tombstones_of(connection, [row.request_id for row in rows], digests)
        covers = self._subjects.covers
        return [
            row for row in rows if not any(covers(stone, row.request_id, row.subject, row.owner) for stone in stones)
        ]

    async def _try_to_land(self, segment: Path) -> None:
        try:
            await self._land(segment)
        except OSError:
            log.exception("a segment of the spool cannot be read; the others go on", extra={"segment": str(segment)})

    async def _land(self, segment: Path) -> None:
        """Bring one segment home; what is rotten, or refused for good, is put aside when all else has landed."""
        rows, aside = await self._spool.read(segment)
        for start in range(0, len(rows), REPLAY_ROWS):
            aside += await self._land_rows(rows[start : start + REPLAY_ROWS])
        if aside:
            await self._spool.quarantine(segment, aside)
        await self._spool.remove(segment)
        self._metrics.replayed.inc(len(rows))

    async def _land_rows(self, rows: list[Prediction]) -> list[bytes]:
        """The lines of those that PostgreSQL will never take."""
        try:
            await within(10 * self._database.timeout_seconds, self._insert_replayed(rows))
        except REFUSED_ROW:
            if len(rows) > 1:
                return [line for row in rows for line in await self._land_rows([row])]
            log.exception("a spooled record cannot be stored")
            return [encode(rows[0]).rstrip(b"\n")]
        return []

    def _end(self, group: list[_Waiting], error: HistoryUnavailable | None = None, *, in_database: bool = True) -> None:
        for each in group:
            if each.kept.done():
                continue
            if error:
                each.kept.set_exception(error)
            else:
                each.kept.set_result(in_database)
