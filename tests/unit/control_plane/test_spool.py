"""What the spool acknowledged comes back, once, whatever became of its files."""

import asyncio
import errno
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uuid_utils.compat as uuid

from control_plane.metrics import Metrics
from control_plane.records.spool import LOCK, Spool, SpoolUnavailable, decode, encode
from control_plane.tables.history import Prediction


def prediction(**changes: Any) -> Prediction:
    values: dict[str, Any] = {
        "request_id": uuid.uuid7(), "correlation_id": "ü\n\x7f", "created_at": datetime.now(UTC), "model": "plants",
        "version": "1", "verdict": "species", "label": "Reynoutria japonica", "common_name": None, "confidence": 0.93,
        "predictions": [{"label": "Reynoutria japonica", "confidence": 0.93}], "processing_seconds": 0.02,
        "image_sha256": bytes(range(32)), "image_bytes": 1, "image_format": "JPEG", "image_width": 1,
        "image_height": 1, "consent": False, "picture_sha256": None, "latitude": None, "longitude": None,
        "subject": "Ufer süd",
    }  # fmt: skip
    return Prediction(**{**values, **changes})


@pytest.fixture
def spools(tmp_path: Path) -> Iterator[Any]:
    opened: list[Spool] = []

    def open_spool(replica: str = "one", max_bytes: int = 10**8) -> Spool:
        spool = Spool(tmp_path, replica, max_bytes=max_bytes, metrics=Metrics())
        spool.open()
        opened.append(spool)
        return spool

    yield open_spool
    for spool in opened:
        spool.close()


async def everything(spool: Spool) -> list[Prediction]:
    return [row for segment in await spool.take() for row in (await spool.read(segment))[0]]


def test_a_record_comes_back_as_it_was() -> None:
    row = prediction(picture_sha256=bytes(32))
    assert decode(encode(row).rstrip(b"\n")) == row


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\\", "u0000", "\u2028\ud7ff", "'\"{}"])
def test_text_that_only_looks_like_a_nul_is_kept(text: str) -> None:
    row = prediction(subject=text)
    assert decode(encode(row).rstrip(b"\n")) == row


@pytest.mark.parametrize("text", ["\0", "a\\\0", "\ud800"])
def test_text_that_postgresql_never_takes_is_refused_before_the_disk(text: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        encode(prediction(subject=text))


async def test_what_was_appended_is_there_after_a_restart(spools: Any) -> None:
    rows = [prediction() for _ in range(5)]
    spool = spools()
    await spool.append(rows[:2])
    await spool.append(rows[2:])
    spool.close()
    assert await everything(spools()) == rows


async def test_a_folder_has_one_owner_and_is_adopted_when_the_owner_is_gone(spools: Any, tmp_path: Path) -> None:
    one = spools("one")
    with pytest.raises(SpoolUnavailable, match="Another process"):
        spools("one")
    rows = [prediction()]
    await one.append(rows)
    two = spools("two")
    assert await everything(two) == []
    one.close()
    assert await everything(two) == rows
    assert not (tmp_path / "one").exists()


async def test_a_segment_that_landed_is_forgotten(spools: Any) -> None:
    spool = spools()
    await spool.append([prediction()])
    (segment,) = await spool.take()
    await spool.remove(segment)
    assert await everything(spool) == []
    assert spool.is_empty


async def test_a_torn_last_record_never_harms_the_others(spools: Any) -> None:
    rows = [prediction() for _ in range(3)]
    whole = b"".join(encode(row) for row in rows)
    last = len(encode(rows[-1]))
    spool = spools()
    for cut in range(1, last):
        (segment := spool._folder / "00000001.log").write_bytes(whole[:-cut])
        assert (await spool.read(segment))[0][:2] == rows[:2]


async def test_a_flipped_byte_costs_its_record_alone_and_is_put_aside(spools: Any, tmp_path: Path) -> None:
    rows = [prediction() for _ in range(3)]
    lines = [encode(row) for row in rows]
    spool = spools()
    generator = random.Random(1)
    for position in range(len(lines[1]) - 1):
        middle = bytearray(lines[1])
        middle[position] ^= generator.choice([1, 2, 4, 16, 64])
        (segment := spool._folder / "00000001.log").write_bytes(lines[0] + bytes(middle) + lines[2])
        found, rotten = await spool.read(segment)
        assert rotten
        assert found in ([rows[0], rows[2]], rows[:1] + rows[2:])
    await spool.quarantine(segment, rotten)
    assert (tmp_path / "quarantine" / "one-00000001.log").read_bytes() == rotten[0] + b"\n"


async def test_a_page_of_zeros_costs_only_what_it_covers(spools: Any) -> None:
    rows = [prediction() for _ in range(4)]
    spool = spools()
    data = encode(rows[0]) + bytes(len(encode(rows[1]))) + b"\n" + encode(rows[2]) + encode(rows[3])
    (segment := spool._folder / "00000001.log").write_bytes(data)
    assert (await spool.read(segment))[0] == [rows[0], rows[2], rows[3]]


async def test_a_full_spool_refuses_and_keeps_what_it_has(spools: Any) -> None:
    rows = [prediction() for _ in range(3)]
    spool = spools(max_bytes=2 * len(encode(rows[0])) + 10)
    await spool.append(rows[:2])
    with pytest.raises(SpoolUnavailable, match="full"):
        await spool.append(rows[2:])
    assert await everything(spool) == rows[:2]


@pytest.mark.parametrize("fails", ["write", "fsync"])
async def test_a_disk_that_fails_acknowledges_nothing_and_the_file_is_never_used_again(
    spools: Any, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """The kernel is made to refuse: the real faults are in the proofs."""
    spool = spools()
    first, refused, last = prediction(), prediction(), prediction()
    await spool.append([first])
    write = os.write

    def refuse(file: int, *rest: Any) -> Any:
        if fails == "write" and rest:
            write(file, rest[0][:20])  # part of it reaches the disk
        raise OSError(errno.EIO, "the disk is broken")

    with monkeypatch.context() as broken:
        broken.setattr(os, fails, refuse)
        with pytest.raises(SpoolUnavailable):
            await spool.append([refused])
    await spool.append([last])
    segments = await spool.take()
    assert len(segments) == 2
    assert [row for segment in segments for row in (await spool.read(segment))[0]] == [first, last]


async def test_many_appends_at_once_are_all_kept(spools: Any) -> None:
    spool = spools()
    rows = [prediction() for _ in range(200)]
    await asyncio.gather(*(spool.append([row]) for row in rows))
    assert {row.request_id for row in await everything(spool)} == {row.request_id for row in rows}


def test_the_lock_is_no_segment(tmp_path: Path, spools: Any) -> None:
    spools()
    assert (tmp_path / "one" / LOCK).exists()
