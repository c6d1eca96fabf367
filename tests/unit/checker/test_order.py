"""An acknowledgement that leaves before its record is durable is caught; one that leaves after it is not."""

from pathlib import Path

import pytest

from tests.checker.order import Order, judge_order
from tests.faults.strace import read_trace

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
REPLY = b"C\x00\x00\x00\x0bCOMMIT\x00Z\x00\x00\x00\x05I"
SERVICE, DATABASE = 8000, 5432
CLIENT_FD = "9<TCP:[127.0.0.1:8000->127.0.0.1:41000]>"
DATABASE_FD = "12<TCP:[127.0.0.1:50000->127.0.0.1:5432]>"
FILE = "/s/spool/replica-1/00000001.log"


def hexed(data: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


ACK = f"7 sendto({CLIENT_FD}, {hexed(b'HTTP/1.1 200 OK ' + ID.encode())}, 60, 0, NULL, 0) = 60"
SENT = f"7 sendto({DATABASE_FD}, {hexed(b'INSERT ' + bytes.fromhex(ID.replace('-', '')))}, 30, 0, NULL, 0) = 30"
COMMITTED = f"7 recvfrom({DATABASE_FD}, {hexed(REPLY)}, 16384, 0, NULL, NULL) = 12"
MADE = f'8 openat(AT_FDCWD</s>, "{FILE}", O_WRONLY|O_CREAT|O_EXCL|O_APPEND, 0600) = 20<{FILE}>'
FOLDER = "8 fsync(21</s/spool/replica-1>) = 0"
WRITTEN = f"8 write(20<{FILE}>, {hexed(ID.encode())}, 36) = 36"
SYNCED = f"8 fsync(20<{FILE}>) = 0"
NOT_SYNCED = f"8 fsync(20<{FILE}>) = -1 EIO (Input/output error) (INJECTED)"
SPLIT_SYNC = [
    f"8 fsync(20<{FILE}> <unfinished ...>",
    '7 read(3<pipe:[1]>, "\\x00", 8) = 1',
    "8 <... fsync resumed>) = 0",
]


def judged(tmp_path: Path, *lines: str) -> Order:
    trace = tmp_path / "trace"
    trace.write_text("\n".join(lines) + "\n")
    return judge_order(read_trace(trace), [ID], service_port=SERVICE, database_port=DATABASE)


@pytest.mark.parametrize(
    "lines",
    [
        [SENT, COMMITTED, ACK],
        [MADE, FOLDER, WRITTEN, SYNCED, ACK],
        [MADE, FOLDER, WRITTEN, *SPLIT_SYNC, ACK],
        [WRITTEN, SYNCED, ACK],
    ],
    ids=["after COMMIT's reply", "after both syncs", "after a sync in pieces", "in a file of before"],
)
def test_an_acknowledgement_after_its_record_is_in_order(tmp_path: Path, lines: list[str]) -> None:
    assert judged(tmp_path, *lines) == Order(frozenset({ID}), frozenset())


@pytest.mark.parametrize(
    "lines",
    [
        [ACK],
        [SENT, ACK, COMMITTED],
        [COMMITTED, SENT, ACK],
        [MADE, FOLDER, WRITTEN, ACK, SYNCED],
        [MADE, WRITTEN, SYNCED, ACK],
        [MADE, FOLDER, WRITTEN, NOT_SYNCED, ACK],
        [MADE, FOLDER, SYNCED, WRITTEN, ACK],
    ],
    ids=["of nothing", "before COMMIT's reply", "of another COMMIT", "before the sync", "folder not synced",
         "sync failed", "synced before"],
)  # fmt: skip
def test_an_early_acknowledgement_is_caught(tmp_path: Path, lines: list[str]) -> None:
    assert judged(tmp_path, *lines) == Order(frozenset({ID}), frozenset({ID}))


def test_what_was_not_acknowledged_is_not_early(tmp_path: Path) -> None:
    assert judged(tmp_path, SENT) == Order(frozenset(), frozenset())
