"""The embedded PostgreSQL keeps what it acknowledged, lets nobody in without a password, and repairs itself."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from standalone import postgres
from standalone.child import Child
from standalone.errors import CannotRun
from standalone.identity import Identity
from standalone.ports import free_ports
from standalone.postgres_owner import NOBODY, choose_home, move_out
from tests.waiting import eventually

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as another user")


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A folder that other users may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="weedwatch-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def served(state_dir: Path) -> Iterator[tuple[postgres.Postgres, Child]]:
    database = postgres.prepare(state_dir, free_ports(1)[0])
    child = Child(database.program(state_dir / "postgres.log"))
    try:
        asyncio.run(until_ready(database, child))
        yield database, child
    finally:
        asyncio.run(child.stop(asyncio.Event()))


async def until_ready(database: postgres.Postgres, child: Child) -> None:
    async with asyncio.timeout(120):
        while not await database.is_ready():
            assert child.exit_code is None, child.cause()
            await asyncio.sleep(0.02)


def test_committed_rows_survive_a_kill(state_dir: Path) -> None:
    with served(state_dir) as (database, child), closing(psycopg.connect(database.url)) as connection:
        connection.execute("CREATE TABLE sighting (number int)")
        connection.execute("INSERT INTO sighting SELECT generate_series(1, 1000)")
        connection.commit()
        connection.execute("INSERT INTO sighting VALUES (1001)")
        child.process.kill()
        child.process.wait(60)

    with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT count(*) FROM sighting").fetchone() == (1000,)


def test_the_application_role_owns_its_database_and_is_no_superuser(state_dir: Path) -> None:
    with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
        role = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        owner = connection.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        ).fetchone()

    assert role == (False, False, False)
    assert owner == ("weedwatch",)


def test_nobody_gets_in_without_the_password_not_even_the_superuser(state_dir: Path) -> None:
    with served(state_dir) as (database, _):
        for user, password in (("weedwatch", ""), ("weedwatch", "guess"), ("postgres", ""), ("postgres", "postgres")):
            with pytest.raises(psycopg.OperationalError, match=r"authentication failed|no password supplied"):
                psycopg.connect(host="127.0.0.1", port=database.port, user=user, password=password, dbname="weedwatch")
    password_file = state_dir / "postgres" / "password"
    assert password_file.stat().st_mode & 0o777 == 0o600
    assert password_file.read_text().strip() not in (state_dir / "postgres.log").read_text()


def test_acknowledged_means_on_disk(state_dir: Path) -> None:
    with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
        settings = [
            connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
        ]

    assert settings == [("on",)] * 4


def test_the_server_listens_on_loopback_only(state_dir: Path) -> None:
    with served(state_dir) as (database, child):
        listening = [each.laddr.ip for each in psutil.Process(child.pid).net_connections() if not each.raddr]

    assert listening == ["127.0.0.1"]
    assert database.port > 0


def test_a_second_server_on_the_same_data_is_refused_with_the_first_ones_pid(state_dir: Path) -> None:
    with served(state_dir) as (_, child), pytest.raises(CannotRun, match=f"pid {child.pid}"):
        postgres.prepare(state_dir, free_ports(1)[0])


def test_a_half_made_data_folder_is_made_anew(state_dir: Path) -> None:
    half = state_dir / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not half.exists()


def test_a_pid_file_whose_number_another_program_has_by_now_is_no_hindrance(state_dir: Path) -> None:
    postgres.prepare(state_dir, free_ports(1)[0])
    pid_file = state_dir / "postgres" / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n1\n5432\n\n127.0.0.1\n")

    with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_lost_password_is_replaced_and_the_data_stays(state_dir: Path) -> None:
    with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
        connection.execute("CREATE TABLE kept ()")
        connection.commit()
    (state_dir / "postgres" / "password").unlink()

    with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
        connection.execute("SELECT FROM kept")


@needs_root
def test_root_runs_it_as_nobody_and_changes_no_other_folder(state_dir: Path) -> None:
    before = (state_dir.stat().st_mode, state_dir.stat().st_uid)
    with served(state_dir) as (database, child):
        if all(folder.stat().st_mode & 0o001 for folder in database.home.binaries.parents):
            assert psutil.Process(child.pid).uids().effective == NOBODY
        else:  # nobody else reaches the programs of this environment
            assert database.home.identity == Identity(namespace_id=NOBODY)

    assert (state_dir.stat().st_mode, state_dir.stat().st_uid) == before


@needs_root
def test_root_runs_it_below_a_closed_folder_without_opening_that(state_dir: Path) -> None:
    state_dir.chmod(0o700)

    with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert database.home.identity == Identity(namespace_id=NOBODY)
    assert state_dir.stat().st_mode & 0o777 == 0o700


@needs_root
def test_data_follows_when_a_folder_is_closed_or_opened_between_two_starts(state_dir: Path) -> None:
    for mode in (0o755, 0o700, 0o755):
        state_dir.chmod(mode)
        with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept ()")


@needs_root
def test_a_copy_outside_serves_where_user_namespaces_are_forbidden(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_dir.chmod(0o700)
    own = state_dir / "postgres"
    own.mkdir()
    moved = move_out(postgres.find_binaries(), own)
    monkeypatch.setattr(postgres, "choose_home", lambda *_: moved)
    try:
        with served(state_dir) as (database, _), psycopg.connect(database.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            assert database.data.is_relative_to("/var/tmp")
    finally:
        subprocess.run(["rm", "-r", str(moved.folder.parent)], check=True, timeout=60)


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_the_server_ends_in_order_when_the_process_that_started_it_is_killed(mode: int, state_dir: Path) -> None:
    state_dir.chmod(mode)
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(state_dir), str(free_ports(1)[0])], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)

    eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert "database system is shut down" in (state_dir / "postgres.log").read_text()


STARTER = """
import asyncio, sys, time
from pathlib import Path
from standalone import postgres
from standalone.child import Child

database = postgres.prepare(Path(sys.argv[1]), int(sys.argv[2]))
child = Child(database.program(Path(sys.argv[1]) / "postgres.log"))
async def until_ready():
    while not await database.is_ready():
        await asyncio.sleep(0.02)
asyncio.run(until_ready())
print(child.pid, flush=True)
time.sleep(600)
"""


def test_choosing_a_home_for_another_user_than_root_changes_nothing(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    home = choose_home(Path("/nowhere"), state_dir)

    assert home.identity == Identity()
    assert home.folder == state_dir
