"""Records that were acknowledged and wait on a disk for the database: copied before the dump, brought back beside it.

A record moves one way only, from a spool into the database. Whoever reads the spools first and the database after
that has it at least once; landing twice changes nothing.
"""

import os
from collections.abc import Iterator, Set
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from control_plane.records import spool
from control_plane.records.spool import ASIDE
from control_plane.tables import history

MOST_PASSES = 20


def read(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every segment below `root`, by `replica/file`, as far as its lines are whole; also what was put aside.

    A replica may take over the folder of another meanwhile: what was to be read and has gone is looked for again.
    """
    given: set[tuple[int, int]] = set()  # inodes: a segment that is renamed is the same one
    for _ in range(MOST_PASSES):
        vanished = False
        for file in sorted(root.glob("*/*.log")):
            try:
                with file.open("rb") as opened:
                    found = os.fstat(opened.fileno())
                    key = (found.st_dev, found.st_ino)
                    if key in given:
                        continue
                    content = opened.read()
            except FileNotFoundError:
                vanished = True
                continue
            given.add(key)
            # Behind the last line's end stands what is being written, and is acknowledged to nobody yet.
            whole = content[: content.rfind(b"\n") + 1]
            if whole:
                yield f"{file.parent.name}/{file.name}", whole
        if not vanished:
            return


def rows(content: bytes) -> list[history.Prediction]:
    """The records of a segment; what is no record is passed over."""
    return [row for line in content.split(b"\n") if (row := _row(line)) is not None]


def without_photos(content: bytes, withdrawn: Set[UUID]) -> bytes:
    """Records whose consent was taken back meanwhile, when they had landed, say so and show no photo."""
    return b"\n".join(_plain(line, withdrawn) for line in content.split(b"\n"))


def _plain(line: bytes, withdrawn: Set[UUID]) -> bytes:
    row = _row(line)
    if row is None or row.request_id not in withdrawn:
        return line
    return spool.encode(replace(history.without_picture(row), consent=False)).rstrip(b"\n")


def _row(line: bytes) -> history.Prediction | None:
    try:
        return spool.decode(line)
    except (ValueError, TypeError, KeyError):
        return None


def bring_back(root: Path, name: str, content: bytes, backup: str) -> int:
    """Put a segment where a starting replica takes it over; how many lines it has."""
    replica, file = name.split("/")
    lines = [line for line in content.split(b"\n") if line]
    if not lines:
        return 0
    is_aside = replica == ASIDE
    target = root / ASIDE / f"{backup}-{file}" if is_aside else root / f"{replica}.{backup}" / file
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as opened:
        opened.write(b"\n".join(lines) + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
    return len(lines)
