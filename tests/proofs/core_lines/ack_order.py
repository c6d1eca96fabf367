"""F11: every acknowledgement leaves after its record is durable, and a database that would lose it is refused."""

import time

import psycopg

from tests.checker.order import judge_order
from tests.faults.postgres import OwnPostgres, own_postgres
from tests.faults.strace import read_trace, traced
from tests.load import asking
from tests.proofs.core_lines.arena import Arena
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, at_least, is_true, none_of

FULL_REQUESTS = 1000
NOTICE_SECONDS = 10.0
CALLS = "openat,read,readv,recvfrom,recvmsg,write,writev,pwrite64,sendto,sendmsg,fsync,fdatasync"
DATA_BYTES = 32_768
UNSAFE_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "zero_damaged_pages": "on",
    "default_transaction_read_only": "on",
}


def run(arena: Arena) -> list[Figure]:
    one = arena.replica("order", state=arena.context.folder / "order")
    try:
        one.start()
        one.wait_until_ready()
        figures = _ordered(arena, one, "PostgreSQL")
        arena.proxy.refuse()
        figures += _ordered(arena, one, "the spool")
        arena.proxy.forward()
    finally:
        one.stop()
    return figures + _unsafe_settings(arena)


def _ordered(arena: Arena, one: Replica, where: str) -> list[Figure]:
    wanted, trace = arena.context.count(FULL_REQUESTS, 50), arena.context.folder / "trace"
    smallest = sorted(arena.pictures, key=len)[:1]
    with traced(one.pid, trace, calls=CALLS, data_bytes=DATA_BYTES):
        with asking([one.port], smallest, clients=4) as log:
            deadline = time.monotonic() + wanted
            while len(log.ok()) < wanted and time.monotonic() < deadline:
                time.sleep(0.1)
        time.sleep(0.5)
    ids = [each.request_id for each in log.ok()]
    order = judge_order(read_trace(trace), ids, service_port=one.port, database_port=arena.proxy.port)
    early = sorted(order.early)
    return [
        at_least(f"F11 acknowledgements seen, kept in {where}", len(order.acknowledged), min(wanted, len(ids))),
        none_of(
            f"F11 sent before the record was durable in {where}", early, len(order.acknowledged), arena.context.say
        ),
        *arena.judged(f"F11 kept in {where}", log.all(), spools=[one.state / "spool"], settle=where == "PostgreSQL"),
    ]


def _unsafe_settings(arena: Arena) -> list[Figure]:
    figures = []
    with own_postgres(arena.context.folder / "unsafe") as server:
        for name, value in UNSAFE_SETTINGS.items():
            server.options = {name: value}
            server.end(server.prepared.program(server.log).stop_signal)
            server.start()
            one = arena.replica(f"unsafe-{name}", url=server.url, state=arena.context.folder / "unsafe-state")
            figures.append(_refusal(server, one, f"{name}={value}"))
    return figures


def _refusal(server: OwnPostgres, one: Replica, setting: str) -> Figure:
    """It does not start, says why, and has written nothing."""
    one.start()
    try:
        code = one.wait(NOTICE_SECONDS)
    finally:
        one.stop()
    try:
        rows = int(server.ask("SELECT count(*) FROM predictions"))
    except psycopg.errors.UndefinedTable:
        rows = 0
    named = f"with {setting}" in one.said()
    measured = f"exit code {code}, {rows} rows, {'named' if named else 'not named'}"
    return is_true(f"F11 does not start on {setting}", bool(code) and rows == 0 and named, measured)
