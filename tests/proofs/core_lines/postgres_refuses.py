"""F05: PostgreSQL is there and refuses: the answers go on, nothing is lost, and /health/detailed says why."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import psycopg

from tests.checker.record import Operation
from tests.faults.disk import fill, small_disk
from tests.faults.postgres import END_SESSIONS, OwnPostgres, own_postgres
from tests.load import asking
from tests.proofs.core_lines.arena import Arena, enough, within
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, for_the_record, is_true
from tests.proofs.wire import get

FAULT_SECONDS = 5.0
LOCK_SECONDS = 8.0
BACK_SECONDS = 30.0
DISK_BYTES = 200 * 2**20
WRITABLE = "-c default_transaction_read_only=off"
DEADLOCK = """
CREATE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$
"""


def run(arena: Arena) -> list[Figure]:
    faults = {
        "no connection left": no_connection_left,
        "read-only": read_only,
        "table locked": table_locked,
        "deadlocks": deadlocks,
        "password changed": password_changed,
    }
    figures: list[Figure] = []
    for _ in range(arena.context.count(5)):
        for name, fault in faults.items():
            figures += _refused(arena, f"F05 {name}", fault)
    return figures + _on_a_small_disk(arena)


def _refused(arena: Arena, name: str, fault: Callable[[OwnPostgres], Iterator[None]]) -> list[Figure]:
    with asking([arena.stack.port], arena.pictures, clients=4, per_second=20) as log:
        with contextmanager(fault)(arena.postgres):
            time.sleep(LOCK_SECONDS if fault is table_locked else FAULT_SECONDS)
            reason = _reason(arena.stack.port)
        back = arena.writes_again(arena.stack.port)
    return [*arena.judged(name, log.all()), *_usual(name, log.all(), reason, back)]


def _usual(name: str, operations: list[Operation], reason: str, back: float | None) -> list[Figure]:
    failed = sum(each.status != 200 for each in operations)
    return [
        enough(f"{name}: acknowledged", operations, 10),
        for_the_record(f"{name}: refused with a documented code", str(failed)),
        is_true(f"{name}: the reason stands in /health/detailed", bool(reason), reason[:80]),
        within(f"{name}: writes again", back, BACK_SECONDS),
    ]


def _reason(port: int) -> str:
    database = get(port, "/health/detailed").body.get("database", {})
    return "" if database.get("up") else str(database.get("detail") or "")


def no_connection_left(server: OwnPostgres) -> Iterator[None]:
    with ExitStack() as held:
        for _ in range(3):  # the service is quick to come back between the end of its sessions and ours
            _take_all(server, held)
        yield


def _take_all(server: OwnPostgres, held: ExitStack) -> None:
    with suppress(psycopg.OperationalError):
        while True:
            connection = held.enter_context(psycopg.connect(server.url, autocommit=True, connect_timeout=5))
            connection.execute(END_SESSIONS)


def read_only(server: OwnPostgres) -> Iterator[None]:
    server.execute("ALTER DATABASE weedwatch SET default_transaction_read_only = on")
    server.new_sessions()
    yield
    with psycopg.connect(server.url, autocommit=True, options=WRITABLE) as connection:
        connection.execute("ALTER DATABASE weedwatch RESET default_transaction_read_only")
    server.new_sessions()


def table_locked(server: OwnPostgres) -> Iterator[None]:
    with psycopg.connect(server.url) as connection:
        connection.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        yield


def deadlocks(server: OwnPostgres) -> Iterator[None]:
    """Every insert fails as PostgreSQL lets a deadlock's victim fail."""
    trigger = "CREATE TRIGGER deadlock BEFORE INSERT ON predictions FOR EACH ROW EXECUTE FUNCTION deadlock()"
    server.execute(DEADLOCK, trigger)
    yield
    server.execute("DROP TRIGGER deadlock ON predictions", "DROP FUNCTION deadlock")


def password_changed(server: OwnPostgres) -> Iterator[None]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER ROLE CURRENT_USER PASSWORD 'another'")
        connection.execute(END_SESSIONS)
        yield
        connection.execute(f"ALTER ROLE CURRENT_USER PASSWORD '{server.prepared.password}'".encode())


def _on_a_small_disk(arena: Arena) -> list[Figure]:
    """A server and a replica of their own: the tables cannot be made at first, then the disk fills up."""
    with (
        small_disk(arena.context.folder / "small", DISK_BYTES) as disk,
        own_postgres(disk / "pg", [("max_wal_size", "64MB"), ("min_wal_size", "32MB")]) as server,
    ):
        one = arena.replica("full", url=server.url, state=arena.context.folder / "full")
        place = replace(arena, postgres=server)
        try:
            return _not_migrated(place, one) + _disk_full(place, one)
        finally:
            one.stop()


def _not_migrated(arena: Arena, one: Replica) -> list[Figure]:
    name, spool = "F05 migration not run", one.state / "spool"
    arena.postgres.execute("REVOKE CREATE ON SCHEMA public FROM pg_database_owner")
    one.start()
    with asking([one.port], arena.pictures, clients=2, per_second=10) as log:
        time.sleep(FAULT_SECONDS + 5)
        reason = _reason(one.port)
        arena.postgres.execute("GRANT CREATE ON SCHEMA public TO pg_database_owner")
        back = arena.writes_again(one.port)
    return [*arena.judged(name, log.all(), spools=[spool], may_break=True), *_usual(name, log.all(), reason, back)]


def _disk_full(arena: Arena, one: Replica) -> list[Figure]:
    name, spool, server = "F05 disk full", one.state / "spool", arena.postgres
    with asking([one.port], arena.pictures, clients=4, per_second=20) as log:
        ballast = fill(server.prepared.data.parent)
        # What is written now does not fit into the segment that is open: the server must ask for space.
        with suppress(psycopg.Error):
            server.execute("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 50000)")
        time.sleep(FAULT_SECONDS)
        reason = _reason(one.port)
        ballast.unlink()
        with suppress(psycopg.Error):
            server.execute("DROP TABLE IF EXISTS filler")
        if server.child is None or server.child.exit_code is not None:
            server.end(signal.SIGKILL)
            server.start()
        back = arena.writes_again(one.port)
    return [*arena.judged(name, log.all(), spools=[spool]), *_usual(name, log.all(), reason or "up", back)]
