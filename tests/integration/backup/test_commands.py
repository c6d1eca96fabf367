"""The commands as they are called: what they say, how they end, and the schedule."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backup import embedded, erased, keeping
from backup.destination import Destination
from control_plane.tables import erasures
from tests.integration.backup.service import COUNT, Service

Words = Callable[..., "subprocess.CompletedProcess[str]"]
SECONDS = 120


@pytest.fixture
def environment(service: Service, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "url").write_text(f"{service.url}\n")
    return {
        **os.environ,
        "PYTHONPATH": str(embedded.ROOT),
        "DATABASE_URL_FILE": str(tmp_path / "url"),
        "WEEDWATCH_STATE_DIR": str(service.folder / "state"),
        "WEEDWATCH_MODEL_STORE": str(service.place.model_store),
        "WEEDWATCH_KEY_SECRET_FILE": str(service.folder / "key-secret"),
    }


@pytest.fixture
def call(environment: dict[str, str], tmp_path: Path) -> Words:
    def run(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "backup", *words], env=environment | more, cwd=tmp_path, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    return run


def test_they_say_what_they_did_and_how_it_ended(call: Words, tmp_path: Path, service: Service) -> None:
    made = call("make", "--to", "place")
    assert made.returncode == 0, made.stderr
    name = made.stdout.split()[1].rstrip(":")
    assert f"{COUNT} records, {COUNT // 3} photos, 2 files of the model store" in made.stdout
    assert "photos 100 %" in made.stderr
    assert (tmp_path / "place" / name / "manifest.json").stat().st_mode & 0o077 == 0
    assert call("list", "--at", "place").stdout.startswith(name)
    assert call("check", "--at", "place", "-q").stdout.startswith(f"Backup {name} is whole")
    refused = call("restore", "--from", "place")
    assert (refused.returncode, refused.stderr.splitlines()[-1][:31]) == (3, "This database is not empty. Giv")
    done = call("restore", name, "--from", "place", "--replace", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Restored {name}" in done.stdout
    other = call("make", "--to", "place", "--prune", "-q", WEEDWATCH_BACKUP_DAILY="1", WEEDWATCH_BACKUP_WEEKLY="0")
    assert other.stdout.splitlines()[1:] == [f"Removed {name}."]
    name = other.stdout.split()[1].rstrip(":")
    (tmp_path / "place/erasures.json").unlink()
    assert (call("erasures", "--at", "place").returncode, (tmp_path / "place/erasures.json").exists()) == (0, True)
    (tmp_path / "place" / name / "database.dump").write_bytes(b"x")
    damaged = call("check", "--at", "place")
    assert (damaged.returncode, "database.dump" in damaged.stderr) == (1, True)
    assert service.ask("SELECT count(*) FROM predictions") == COUNT


@pytest.mark.parametrize(
    ("words", "more", "code", "said"),
    [
        (("make",), {}, 3, "WEEDWATCH_BACKUP_URL"),
        (("make", "--to", "x"), {"WEEDWATCH_BACKUP_HOURS": "0"}, 3, "WEEDWATCH_BACKUP_HOURS is wrong"),
        (("restore", "yesterday", "--from", "x"), {}, 3, "no name of a backup"),
        (("list",), {}, 3, "WEEDWATCH_BACKUP_URL"),
        (("make", "--to", "x"), {"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c"}, 3, "Both DATABASE_URL"),
        (("nothing",), {}, 2, "usage"),
    ],
)
def test_what_cannot_be_done_is_said(
    call: Words, words: tuple[str, ...], more: dict[str, str], code: int, said: str
) -> None:
    done = call(*words, **more)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_away_is_said_without_its_password(call: Words, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://weedwatch:hunter22@127.0.0.1:1/weedwatch")
    done = call("make", "--to", "x")
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr
    assert "hunter22" not in done.stderr


def test_the_schedule_makes_one_and_keeps_the_list(
    environment: dict[str, str], tmp_path: Path, service: Service
) -> None:
    told = environment | {"WEEDWATCH_BACKUP_URL": str(tmp_path / "place")}
    keeper = subprocess.Popen(
        [sys.executable, "-m", "backup", "keep"], env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        until = time.monotonic() + SECONDS
        while service.ask("SELECT count(*) FROM backups") == 0:
            assert keeper.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
    finally:
        keeper.send_signal(signal.SIGTERM)
        out, _ = keeper.communicate(timeout=SECONDS)
    assert keeper.returncode == 0
    assert b'"message": "backup made"' in out
    assert (tmp_path / "place" / "erasures.json").exists()
    assert len(list((tmp_path / "place").glob("*/manifest.json"))) == 1


async def test_an_erasure_is_in_the_list_long_before_the_next_look_and_what_fails_is_tried_again(
    environment: dict[str, str], tmp_path: Path, service: Service
) -> None:
    place, log = tmp_path / "place", tmp_path / "keep.log"
    told = environment | {"WEEDWATCH_BACKUP_URL": str(place), "WEEDWATCH_BACKUP_ERASURES_MINUTES": "1440"}

    def listed(what: str) -> list[Any]:
        file = place / "erasures.json"
        return list(json.loads(file.read_text())[what]) if file.is_file() else []

    def wait_for(holds: Callable[[], bool]) -> None:
        until = time.monotonic() + SECONDS
        while not holds():
            assert keeper.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)

    with log.open("wb") as out:
        command = [sys.executable, "-m", "backup", "keep"]
        keeper = subprocess.Popen(command, env=told, stdout=out, stderr=out)  # noqa: ASYNC220 - nobody else waits
    try:
        wait_for((place / "erasures.json").exists)
        first = await service.erase(subject="Ada")
        wait_for(lambda: [each["facts"]["id"] for each in listed("certificates")] == [first["id"]])
        async with service.database.connection() as connection:
            await erasures.put_withdrawal(connection, service.rows[-1].request_id)
        wait_for(lambda: listed("withdrawn") == [str(service.rows[-1].request_id)])
        place.rename(tmp_path / "aside")
        place.touch()  # not even root writes into it now
        second = await service.erase(subject="Grace")
        wait_for(lambda: "the list of erasures is not written" in log.read_text())
        place.unlink()
        (tmp_path / "aside").rename(place)
        wait_for(lambda: [each["facts"]["id"] for each in listed("certificates")] == [first["id"], second["id"]])
    finally:
        keeper.send_signal(signal.SIGTERM)
        keeper.wait(SECONDS)
    assert keeper.returncode == 0


async def test_two_that_write_the_list_do_not_take_away_what_the_other_wrote(service: Service, tmp_path: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()

    class Slow(Destination):
        def put(self, name: str, content: bytes) -> None:
            reached.set()
            assert go_on.wait(SECONDS)
            super().put(name, content)

    slow, fast = Slow(str(tmp_path / "place")), Destination(str(tmp_path / "place"))
    await service.erase(subject="Ada")
    early = asyncio.create_task(keeping.list_again(service.place, slow))
    assert await asyncio.to_thread(reached.wait, SECONDS)
    await service.erase(subject="Grace")
    late = asyncio.create_task(keeping.list_again(service.place, fast))
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while not late.done() and service.ask(waits) == 0:
        await asyncio.sleep(0.05)
    go_on.set()
    await asyncio.gather(early, late)
    assert len(erased.of_destination(fast).certificates) == 2
