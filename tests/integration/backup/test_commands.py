"""The commands as they are called: what they say, how they end, and the schedule."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backup import embedded
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
