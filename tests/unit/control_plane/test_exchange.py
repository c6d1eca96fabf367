"""Large pictures go by name; whatever happens to the folder, they arrive."""

import os
import time
from pathlib import Path

from control_plane.exchange import FORGOTTEN_SECONDS, LEAST_BYTES, Exchange
from handlers import frame

SMALL = frame.Part({"request_id": "a"}, b"small")
LARGE = frame.Part({"request_id": "b"}, bytes(LEAST_BYTES))


def test_a_large_picture_goes_by_name_and_its_file_goes_with_the_call(tmp_path: Path) -> None:
    with Exchange(tmp_path).lend([SMALL, LARGE]) as (first, second):
        assert first == SMALL
        assert second.body == b""
        assert second.header["request_id"] == "b"
        file = tmp_path / second.header[frame.FILE]
        assert file.read_bytes() == LARGE.body
        assert file.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_and_without_room_in_it_pictures_travel_in_the_call(tmp_path: Path) -> None:
    for exchange in (Exchange(None), Exchange(tmp_path / "gone")):
        with exchange.lend([LARGE]) as parts:
            assert list(parts) == [LARGE]


def test_a_folder_that_workers_do_not_see_is_not_used_again(tmp_path: Path) -> None:
    exchange = Exchange(tmp_path)
    exchange.is_not_shared()
    with exchange.lend([LARGE]) as parts:
        assert list(parts) == [LARGE]


def test_what_a_killed_process_left_is_removed_and_what_another_uses_is_not(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for file in (old, new):
        file.write_bytes(b"x")
    long_ago = time.time() - FORGOTTEN_SECONDS - 1
    os.utime(old, (long_ago, long_ago))

    Exchange(tmp_path).open()

    assert [file.name for file in tmp_path.iterdir()] == ["new"]
