"""Judges from a trace of system calls whether each acknowledgement left after its record was durable.

Durable is: PostgreSQL's reply to COMMIT was read after the record's bytes were sent to it; or the record was written
to a file that was then synced, in a folder that was synced after the file was made.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tests.faults.pgwire import ends_transaction
from tests.faults.strace import Call

SENDS = frozenset({"sendto", "sendmsg", "write", "writev", "pwrite64"})
READS = frozenset({"recvfrom", "recvmsg", "read", "readv"})
SYNCS = frozenset({"fsync", "fdatasync"})
OK_HEAD = b"HTTP/1.1 200"


@dataclass
class _State:
    """What of the records that are watched has become durable so far."""

    waiting_in_database: dict[str, set[str]] = field(default_factory=dict)  # connection → ids sent on it
    waiting_in_file: dict[str, set[str]] = field(default_factory=dict)  # path → ids written to it
    synced_folders: set[str] = field(default_factory=set)
    made_files: set[str] = field(default_factory=set)  # folder not synced since
    durable: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Order:
    """Which of the ids were seen acknowledged, and which of these too early."""

    acknowledged: frozenset[str]
    early: frozenset[str]


def judge_order(calls: Iterable[Call], ids: Iterable[str], *, service_port: int, database_port: int) -> Order:
    """Walk through the calls in the order in which they returned."""
    state, early = _State(), set[str]()
    forms = {key: _forms(key) for key in ids}
    for call in calls:
        if call.failed:
            continue
        if call.name == "openat":
            _note_open(state, call)
        elif call.name in SYNCS:
            _note_sync(state, call.path)
        elif f":{database_port}]" in call.target:
            _note_database(state, call, forms)
        elif call.name in SENDS and f":{service_port}->" in call.target and OK_HEAD in call.data:
            said = set(_found(call.data, forms))
            state.acknowledged |= said
            early |= said - state.durable
        elif call.name in SENDS and call.path:
            state.waiting_in_file.setdefault(call.path, set()).update(_found(call.data, forms))
    return Order(frozenset(state.acknowledged), frozenset(early))


def _note_open(state: _State, call: Call) -> None:
    if "O_CREAT" in call.text and call.result_path.endswith(".log"):
        state.made_files.add(call.result_path)


def _note_sync(state: _State, path: str) -> None:
    if Path(path).suffix == ".log":
        if path not in state.made_files:
            state.durable |= state.waiting_in_file.pop(path, set())
    else:
        state.made_files = {file for file in state.made_files if str(Path(file).parent) != path}


def _note_database(state: _State, call: Call, forms: dict[str, tuple[bytes, ...]]) -> None:
    if call.name in SENDS:
        state.waiting_in_database.setdefault(call.target, set()).update(_found(call.data, forms))
    elif call.name in READS and ends_transaction(call.data):
        state.durable |= state.waiting_in_database.pop(call.target, set())


def _forms(key: str) -> tuple[bytes, ...]:
    """How an id may look on its way: as text, or as the sixteen bytes of PostgreSQL's binary form."""
    parsed = UUID(key)
    return (key.encode(), parsed.hex.encode(), parsed.bytes)


def _found(data: bytes, forms: dict[str, tuple[bytes, ...]]) -> Iterator[str]:
    return (key for key, shapes in forms.items() if any(shape in data for shape in shapes))
