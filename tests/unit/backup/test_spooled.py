"""Segments are read whole or not at all, also those that move while they are read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backup import spooled


def segment(root: Path, name: str, content: bytes) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_what_is_being_written_is_left_out(tmp_path: Path) -> None:
    segment(tmp_path, "one/00000001.log", b"a\nb\nhalf")
    segment(tmp_path, "one/00000002.log", b"half")
    segment(tmp_path, "quarantine/one-00000001.log", b"rotten\n")
    assert dict(spooled.read(tmp_path)) == {
        "one/00000001.log": b"a\nb\n",
        "quarantine/one-00000001.log": b"rotten\n",
    }
    assert dict(spooled.read(tmp_path / "nothing")) == {}


def test_a_segment_that_another_replica_takes_over_is_read_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment(tmp_path, "one/00000001.log", b"a\n")
    moving = segment(tmp_path, "two/00000001.log", b"b\n")
    glob = Path.glob
    passes = 0

    def and_then_it_moves(folder: Path, pattern: str) -> Iterator[Path]:
        nonlocal passes
        found = list(glob(folder, pattern))
        passes += 1
        if passes == 1:  # it was listed here, and lies in the folder that is read already
            moving.rename(tmp_path / "one/00000002.log")
        return iter(found)

    monkeypatch.setattr(Path, "glob", and_then_it_moves)
    assert sorted(content for _, content in spooled.read(tmp_path)) == [b"a\n", b"b\n"]
    assert passes == 2


def test_a_segment_is_brought_back_beside_those_that_are_there(tmp_path: Path) -> None:
    count = spooled.bring_back(tmp_path, "one/00000001.log", b"a\nb\n", "B")
    assert (count, (tmp_path / "one.B/00000001.log").read_bytes()) == (2, b"a\nb\n")
    assert spooled.bring_back(tmp_path, "two/00000001.log", b"\n", "B") == 0
    assert not (tmp_path / "two.B").exists()
    spooled.bring_back(tmp_path, "quarantine/one-1.log", b"x\n", "B")
    assert (tmp_path / "quarantine/B-one-1.log").read_bytes() == b"x\n"
