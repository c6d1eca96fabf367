"""Reads what is kept: the table over a session that cannot write, and spool folders by a reader of its own.

It shares no code with the service: a fault that both have would not show.
"""

import json
import zlib
from pathlib import Path

import psycopg

from tests.checker.record import Kept, Record

QUARANTINE = "quarantine"
READ_ONLY = "-c default_transaction_read_only=on"
ROWS = "SELECT request_id::text, label, version, encode(image_sha256, 'hex') FROM predictions"


def read_kept(database_url: str, *spools: Path, deadline_seconds: int = 60) -> Kept:
    """The table first, then the folders: a record that moves meanwhile is seen in neither, so read at rest."""
    rows = read_table(database_url, deadline_seconds)
    waiting, aside, rotten = [], [], 0
    for root in spools:
        for file in sorted(root.rglob("*.log")):
            good, bad = read_segment(file)
            if QUARANTINE in file.relative_to(root).parts:
                aside += good
            else:
                waiting += good
                rotten += bad
    return Kept(tuple(rows), tuple(waiting), tuple(aside), rotten)


def read_table(database_url: str, deadline_seconds: int = 60) -> list[Record]:
    options = f"{READ_ONLY} -c statement_timeout={1000 * deadline_seconds}"
    with psycopg.connect(database_url, connect_timeout=5, options=options) as connection:
        return [Record(*row) for row in connection.execute(ROWS)]


def read_segment(file: Path) -> tuple[list[Record], int]:
    """The records of one segment and the number of its lines that are none."""
    good: list[Record] = []
    bad = 0
    for line in file.read_bytes().split(b"\n"):
        if line:
            try:
                good.append(read_line(line))
            except (ValueError, KeyError, TypeError):
                bad += 1
    return good, bad


def read_line(line: bytes) -> Record:
    """A line is the CRC-32 of a JSON text as eight hex digits, a blank, and the text.

    Raises:
        ValueError, KeyError, TypeError: It is not.
    """
    text = line[9:]
    if line[:9] != b"%08x " % (zlib.crc32(text) & 0xFFFFFFFF):
        raise ValueError("The checksum is not that of the text.")
    record = json.loads(text)
    return Record(record["request_id"], record["label"], record["version"], record["image_sha256"])
