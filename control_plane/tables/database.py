"""PostgreSQL: the pool, the migrations, and the one place where driver errors become DatabaseUnavailable."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from control_plane.errors import DatabaseUnavailable
from control_plane.telemetry import tracing

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
PREPARE_SECONDS = 300.0  # a migration of a large table, or another replica at it
MIGRATION_LOCK = 7309862314  # any number; one for the whole service
BREAKS = b"-- Breaks older versions."
"""First line of a migration after which the version before cannot work any more. Else a rollback needs no database."""
SAFE_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "zero_damaged_pages": "off",
    "default_transaction_read_only": "off",
    "server_encoding": "UTF8",
}
_NAMED = re.compile(r"\b(?:INTO|FROM|UPDATE|TABLE)\s+(\w+)", re.IGNORECASE)
Connection = AsyncConnection[TupleRow]
REFUSED_ROW = (psycopg.DataError, psycopg.IntegrityError)
"""What PostgreSQL says of a row that it will never take."""
Answer = TypeVar("Answer")


@lru_cache(maxsize=256)
def statement(sql: str) -> str:
    """What traces call a statement: its verb and table."""
    words = _NAMED.search(sql)
    return " ".join([sql.split(None, 1)[0].upper(), *([words[1]] if words else [])]) if sql.strip() else "SQL"


def described(name: str) -> tracing.Attributes:
    """What a trace says of a statement; never a value."""
    verb, _, table = name.partition(" ")
    about = {"db.system.name": "postgresql", "db.operation.name": verb, "db.query.summary": name}
    return {**about, "db.collection.name": table} if table else about


class _Traced(psycopg.AsyncCursor[Any]):
    """Each statement of a request whose trace is recorded is a span of it."""

    async def execute(self, query: Any, params: Any = None, **more: Any) -> "_Traced":
        if (span := tracing.current.get()) is None:
            return await super().execute(query, params, **more)
        began = monotonic()
        try:
            return await super().execute(query, params, **more)
        finally:
            name = statement(query if isinstance(query, str) else "")
            span.add(name, began, monotonic(), described(name), "client")


class UnsafeDatabase(Exception):
    """The database would lose acknowledged records; the service does not start on it."""


async def within(seconds: float, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Wait at most `seconds`; unlike asyncio.timeout it does not wait for the cancelled work to end.

    psycopg answers a cancellation by talking to the server, which never returns when the server is frozen.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        raise DatabaseUnavailable
    return task.result()


@dataclass(frozen=True)
class Usage:
    """Of the pool: its connections, how many it may have, and who waits for one."""

    used: int
    free: int
    limit: int
    waiting: int


class Database:
    """A pool of connections.

    `ready` is True once the schema is current; `up` says whether the newest unit of work succeeded, else `reason` why.
    """

    def __init__(self, url: str, *, timeout_seconds: float, pool_size: int, traced: bool = False) -> None:
        self.timeout_seconds = timeout_seconds
        self.ready = False
        self.up = False
        self.reason: str | None = "not asked yet"
        self._url = url
        self._options: dict[str, Any] = {
            "autocommit": True,
            "connect_timeout": max(2, int(timeout_seconds)),
            "application_name": "weedwatch",
            "tcp_user_timeout": 10_000,
            **({"cursor_factory": _Traced} if traced else {}),
        }
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=pool_size,
            timeout=timeout_seconds,
            max_waiting=1000,
            reconnect_timeout=1,  # then the next who asks tries again at once
            open=False,
            check=AsyncConnectionPool.check_connection,
            kwargs=self._options,
        )
        self._own: dict[str, Connection] = {}

    @property
    def usage(self) -> "Usage":
        said = self._pool.get_stats()
        free = said.get("pool_available", 0)
        return Usage(said.get("pool_size", 0) - free, free, self._pool.max_size, said.get("requests_waiting", 0))

    async def open(self) -> None:
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=5)
        for own in self._own.values():
            await own.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for one unit of work.

        Raises:
            DatabaseUnavailable: No connection in time, or it broke; the cause is kept.
        """
        try:
            async with self._pool.connection() as connection:
                yield connection
            # Not "up": a heartbeat that succeeds says nothing of the table that records go to.
        except REFUSED_ROW:
            raise
        except (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests) as error:
            # Read-only, no privilege, no table, no memory: whatever it is, it is not the row's fault.
            self._is("away", str(error) or type(error).__name__)
            raise DatabaseUnavailable from error

    @asynccontextmanager
    async def own_connection(self, purpose: str) -> AsyncIterator[Connection]:
        """Always the same connection for a purpose: not checked before use, replaced when it breaks.

        Raises:
            DatabaseUnavailable: It cannot be made, or it broke; the cause is kept.
        """
        try:
            own = self._own.get(purpose)
            if own is None or own.closed:
                own = self._own[purpose] = await AsyncConnection.connect(self._url, **self._options)
            yield own
        except REFUSED_ROW:
            raise
        except psycopg.Error as error:
            self._own.pop(purpose, None)
            self._is("away", str(error) or type(error).__name__)
            raise DatabaseUnavailable from error
        self._is("up")

    def _is(self, state: str, reason: str | None = None) -> None:
        self.up, self.reason = state == "up", reason

    def is_slow(self) -> None:
        """Somebody waited for it in vain: nobody else shall, until it is seen up again."""
        self._own.clear()  # whoever waits on one still will close it
        self._is("away", f"no answer within {self.timeout_seconds:g} s")

    async def is_up(self) -> bool:
        try:
            await within(self.timeout_seconds, self._ask())
        except DatabaseUnavailable as error:
            if error.__cause__ is None:  # else the reason is known
                self.is_slow()
        return self.up

    async def _ask(self) -> None:
        async with self.own_connection("ask") as connection:  # slow readers may hold all of the pool
            # Takes the lock and the privileges that recording needs, and writes nothing.
            await connection.execute("INSERT INTO predictions SELECT * FROM predictions WHERE false")

    async def prepare(self) -> None:
        """Check that the database keeps what it acknowledges, and bring its schema up to date.

        Raises:
            UnsafeDatabase: fsync, synchronous_commit or full_page_writes is off.
            DatabaseUnavailable: It cannot be reached.
        """
        try:
            await within(PREPARE_SECONDS, self._prepare())
        except psycopg.Error as error:
            self._is("away", str(error) or type(error).__name__)
            raise DatabaseUnavailable from error
        except UnsafeDatabase as error:
            self._is("away", str(error))
            raise
        self.ready = True

    async def _prepare(self) -> None:
        async with await AsyncConnection.connect(self._url, **self._options) as connection:
            await _refuse_unsafe(connection)
            await migrate(connection)


async def _refuse_unsafe(connection: Connection) -> None:
    rows = await connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%(names)s) ORDER BY name",
        {"names": list(SAFE_SETTINGS)},
    )
    found = [f"{name}={value}" for name, value in await rows.fetchall() if value != SAFE_SETTINGS[name]]
    if found:
        wanted = ", ".join(f"{name}={value}" for name, value in SAFE_SETTINGS.items())
        raise UnsafeDatabase(
            f"This PostgreSQL runs with {', '.join(found)} and can lose or refuse records. "
            f"Change that and start again (wanted: {wanted})."
        )


def _refuse_newer(applied: Mapping[str, bool], known: set[str]) -> None:
    """An older version goes on working on a newer one's tables, unless a migration says that it breaks that."""
    newer = [name for name in applied if name not in known]
    if broken := [name for name in newer if applied[name]]:
        raise UnsafeDatabase(
            f"This database was changed by a newer version of the service in a way that this one cannot work with "
            f"({', '.join(broken)}). Start the newer version, or restore a backup from before the update."
        )
    if newer:
        log.info("the database is of a newer version, which this one can work with", extra={"migrations": newer})


async def migrate(connection: Connection) -> None:
    """Apply the numbered files that are missing, each in a transaction of its own; replicas take turns."""
    await connection.execute("SELECT pg_advisory_lock(%(key)s)", {"key": MIGRATION_LOCK})
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations "
            "(name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        known = "SELECT FROM information_schema.columns WHERE table_name = 'migrations' AND column_name = 'breaks'"
        if not (await connection.execute(known)).rowcount:
            await connection.execute("ALTER TABLE migrations ADD COLUMN breaks boolean NOT NULL DEFAULT false")
        rows = await connection.execute("SELECT name, breaks FROM migrations ORDER BY name")
        applied: dict[str, bool] = dict(await rows.fetchall())
        files = sorted(MIGRATIONS.glob("*.sql"))
        _refuse_newer(applied, {file.name for file in files})
        for file in files:
            if file.name in applied:
                continue
            text = file.read_bytes()
            row = {"name": file.name, "breaks": text.startswith(BREAKS)}
            async with connection.transaction():
                await connection.execute(text)
                await connection.execute("INSERT INTO migrations VALUES (%(name)s, now(), %(breaks)s)", row)
            log.info("migration applied", extra={"migration": file.name})
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%(key)s)", {"key": MIGRATION_LOCK})
