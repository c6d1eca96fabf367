"""`python -m standalone run` starts everything, says so truly, and however it ends it leaves nothing behind."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from standalone.ports import free_ports
from tests.acceptance.running import COMMAND, ROOT, Running, environment, start
from tests.waiting import eventually


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """One state folder for all starts of this module; each finds what the one before left."""
    folder = Path(tempfile.mkdtemp(prefix="weedwatch-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def run(state: Path) -> Iterator[Running]:
    running = start(state, free_ports(1)[0])
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.process.terminate()
        running.process.wait(120)


def supervisor_of(run: Running) -> int:
    return int(run.description()["supervisor"])


def test_the_block_shows_a_prediction_and_its_curl_line_works_where_the_command_ran(run: Running) -> None:
    steps = [line.split("]")[0] for line in run.output.splitlines() if line.startswith("[")]
    curl = next(line.split("Try", 1)[1].strip() for line in run.block.splitlines() if "curl" in line)
    answer = subprocess.run(["/bin/sh", "-c", curl], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    assert sorted(steps) == [f"[{number}/5" for number in range(1, 6)]
    assert " -> " in run.block
    assert "reference pictures answer as pinned" in run.output
    assert '"request_id"' in answer.stdout


def test_running_again_prints_the_same_block_and_stop_ends_it(run: Running) -> None:
    belongings = run.belongings()

    again = run.command("run")
    status = run.command("status")
    stopped = run.command("stop")

    assert (again.returncode, again.stdout[again.stdout.index("Ready in") :].rstrip()) == (0, run.block)
    assert status.returncode == 0
    assert "ready, http://localhost" in status.stdout
    assert stopped.returncode == 0
    assert run.process.wait(1) == 0
    assert belongings.left() == []
    assert run.command("status").returncode == 3
    assert run.command("stop").stdout == "Nothing runs.\n"


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param(lambda run: os.killpg(run.process.pid, signal.SIGINT), 0, id="Ctrl-C"),
        pytest.param(lambda run: run.process.terminate(), 0, id="SIGTERM to the front"),
        pytest.param(lambda run: run.process.kill(), -signal.SIGKILL, id="SIGKILL to the front"),
        pytest.param(lambda run: os.kill(supervisor_of(run), signal.SIGKILL), 1, id="SIGKILL to the supervisor"),
    ],
)
def test_however_it_ends_nothing_is_left(run: Running, ending: Callable[[Running], None], code: int) -> None:
    belongings = run.belongings()

    ending(run)

    assert run.process.wait(60) == code
    belongings.wait_until_gone()
    assert not (run.state / "run.json").exists()


def test_when_all_of_it_is_killed_at_once_the_next_start_repairs_what_is_left(run: Running) -> None:
    belongings = run.belongings()
    pids = [supervisor_of(run), *(process.pid for process in belongings.processes), run.process.pid]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.process.wait(60)

    again = start(run.state, free_ports(1)[0])
    try:
        again.wait_until_ready()
        assert belongings.left() == []
    finally:
        again.process.terminate()
        assert again.process.wait(120) == 0


@pytest.mark.parametrize("name", ["TorchServe", "PostgreSQL", "control plane"])
def test_a_part_that_dies_comes_back(run: Running, name: str) -> None:
    pid = run.description()["children"][name][0]

    os.kill(pid, signal.SIGKILL)

    eventually(lambda: f"{name} started again." in run.output, 60)
    assert f"{name} was ended by signal 9" in run.output
    eventually(lambda: run.command("status").returncode == 0 and predicts(run), 120)


def predicts(run: Running) -> bool:
    sample = next((ROOT / "model_store" / "sources" / "plants" / "1" / "samples").glob("*.jpg"))
    curl = ["curl", "-sf", "-o", os.devnull, "-F", f"image=@{sample}", f"http://127.0.0.1:{run.port}/predict"]
    return subprocess.run(curl, timeout=60, check=False).returncode == 0


def test_the_death_of_make_ends_it(state: Path, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(f"run:\n\t@cd {ROOT} && exec {' '.join(COMMAND)} run\n")
    run = start(state, free_ports(1)[0], ("make", "-f", str(tmp_path / "Makefile"), "run"))
    run.wait_until_ready()
    belongings = run.belongings()

    run.process.kill()

    run.process.wait(60)
    belongings.wait_until_gone()


def test_no_secret_stands_on_a_command_line_or_in_torchserves_environment(run: Running) -> None:
    password = (run.state / "postgres" / "password").read_text().strip()
    processes = psutil.Process(run.process.pid).children(recursive=True)
    java = psutil.Process(run.description()["children"]["TorchServe"][0])

    assert all(password not in " ".join(process.cmdline()) for process in processes)
    for process in (java, *java.children(recursive=True)):
        assert all(password not in value for value in process.environ().values())


def test_a_busy_port_is_refused_at_once_with_who_holds_it(state: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free_ports(1)[0]))
        holder.listen()
        run = start(state, holder.getsockname()[1])

        assert run.process.wait(60) == 1
    assert f"pid {os.getpid()}" in run.output
    assert "make run`" in run.output


def test_open_to_the_network_without_a_credential_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    state = tmp_path / "state"
    given = environment(state, free_ports(1)[0]) | {"WEEDWATCH_HOST": "0.0.0.0"}  # noqa: S104
    done = subprocess.run(
        [*COMMAND, "run"], cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert "make run: WEEDWATCH_HOST is 0.0.0.0, and WEEDWATCH_AUTH is off" in done.stdout
    assert not state.exists()


def test_a_part_that_cannot_start_is_told_with_its_cause_and_all_else_is_stopped(state: Path, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(BROKEN_JAVA)
    java.chmod(0o755)

    run = start(state, free_ports(1)[0], JAVA_HOME=str(tmp_path))

    assert run.process.wait(120) == 1
    assert "make run: TorchServe ended with code 1: Error: no room for the heap" in run.output
    assert f"Log: {state}/logs/torchserve-jvm.log" in run.output
    assert not (state / "run.json").exists()


BROKEN_JAVA = """#!/bin/sh
if [ "$1" = -version ]; then echo 'openjdk version "21.0.8"' >&2; exit 0; fi
echo 'Error: no room for the heap'
exit 1
"""


def test_a_database_that_does_not_let_us_in_is_told_without_its_password(state: Path) -> None:
    run = start(state, free_ports(1)[0], DATABASE_URL="postgresql://ann:unguessable@127.0.0.1:1/records")

    assert run.process.wait(120) == 1
    assert "make run: The PostgreSQL server that DATABASE_URL names does not let us in" in run.output
    assert "unguessable" not in run.output


def test_ctrl_c_during_the_start_ends_it(state: Path) -> None:
    run = start(state, free_ports(1)[0])
    eventually(lambda: (state / "run.json").exists() and len(run.description()["children"]) > 0, 60)
    belongings = run.belongings()
    time.sleep(0.5)

    os.killpg(run.process.pid, signal.SIGINT)

    assert run.process.wait(60) == 130
    belongings.wait_until_gone()


def test_a_second_start_while_the_first_is_starting_waits_and_prints_its_block(state: Path) -> None:
    first = start(state, free_ports(1)[0])
    eventually((state / "run.json").exists, 60)
    try:
        second = subprocess.run(
            [*COMMAND, "run"], cwd=ROOT, env=environment(state, first.port), capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip

        assert second.returncode == 0
        assert "Ready in" in second.stdout
    finally:
        first.process.terminate()
        first.process.wait(120)
