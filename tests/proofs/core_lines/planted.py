"""Before anything is judged: defects are planted into what was really seen, and the checker must catch each."""

from collections.abc import Sequence
from dataclasses import replace
from time import sleep

from tests.checker.judge import faults_in_answers, faults_in_records
from tests.checker.order import judge_order
from tests.checker.record import Kept, Operation, Record
from tests.faults.pgwire import ends_transaction
from tests.faults.strace import read_trace, traced
from tests.load import asking
from tests.proofs.core_lines.ack_order import CALLS, DATA_BYTES
from tests.proofs.core_lines.arena import Arena
from tests.proofs.results import Figure

SECONDS = 2.0


def run(arena: Arena) -> list[Figure]:
    with asking([arena.stack.port], arena.pictures, clients=2) as log:
        sleep(SECONDS)
    operations, kept = log.ok(), arena.kept()
    if faults_in_records(operations, kept) or faults_in_answers(operations):
        return [Figure("the checker finds no fault where there is none", "it does", "none", holds=False)]
    planted = {name: bool(faults_in_records(*case)) for name, case in _record_plants(operations, kept).items()}
    planted |= {name: bool(faults_in_answers([case])) for name, case in _answer_plants(operations[0]).items()}
    planted["acknowledged before it was durable"] = _acknowledged_too_early(arena)
    for name, caught in planted.items():
        if not caught:
            arena.context.say(f"! not caught: {name}")
    found, total = sum(planted.values()), len(planted)
    return [Figure("planted defects that the checker catches", f"{found} of {total}", f"{total}", found == total)]


def _record_plants(operations: Sequence[Operation], kept: Kept) -> dict[str, tuple[Sequence[Operation], Kept]]:
    one = operations[0]
    row = next(each for each in kept.rows if each.request_id == one.request_id)
    others = tuple(each for each in kept.rows if each is not row)
    refused = replace(one, status=429, code="overloaded")
    plants: dict[str, tuple[Sequence[Operation], tuple[Record, ...]]] = {
        "a dropped row": (operations, others),
        "a doubled row": (operations, (*kept.rows, row)),
        "a row doubled under another id": (operations, (*kept.rows, replace(row, request_id="another"))),
        "a wrong label": (operations, (*others, replace(row, label="another"))),
        "a wrong version": (operations, (*others, replace(row, version="another"))),
        "a refused request that is stored": ([refused], kept.rows),
    }
    return {name: (asked, Kept(rows=rows)) for name, (asked, rows) in plants.items()}


def _answer_plants(one: Operation) -> dict[str, Operation]:
    return {
        "a hang": replace(one, status=0, code="silent", seconds=25.0),
        "a 500": replace(one, status=500, code="internal_error"),
    }


def _acknowledged_too_early(arena: Arena) -> bool:
    """A real trace in which PostgreSQL's replies are not seen: every acknowledgement must look early."""
    one, trace = arena.replica("planted"), arena.context.folder / "trace"
    try:
        one.start()
        one.wait_until_ready()
        with (
            traced(one.pid, trace, calls=CALLS, data_bytes=DATA_BYTES),
            asking([one.port], arena.pictures, clients=1) as log,
        ):
            sleep(SECONDS)
    finally:
        one.stop()
    ids = [each.request_id for each in log.ok()]
    ports = {"service_port": one.port, "database_port": arena.proxy.port}
    blind = (call for call in read_trace(trace) if not ends_transaction(call.data))
    order, seen = judge_order(blind, ids, **ports), judge_order(read_trace(trace), ids, **ports)
    return bool(order.acknowledged) and order.early == order.acknowledged and not seen.early
