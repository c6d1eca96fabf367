"""Code that got past every scanner runs in the place of a check: what it could do there."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from quarantine.order import Refused
from quarantine.place import Place, place
from tests.hostile.payload import PAYLOAD, tried

GIB = 2**30


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Place, Path]]:
    state = tmp_path / "state"
    state.mkdir()
    (state / "admin-token").write_text("secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    temporary = tmp_path / "t"
    temporary.mkdir()
    with place(temporary, [state], allow_network=False) as made:
        yield made, state
    assert list(temporary.iterdir()) == []


def run(made: Place, *command: str, seconds: float = 60.0, space: int = 2 * GIB) -> str:
    made.run(command, seconds=seconds, address_space=space, file_size=2**20)
    return (made.work / "said.txt").read_text()


def test_a_payload_reaches_nothing(somewhere: tuple[Place, Path], tmp_path: Path) -> None:
    made, state = somewhere
    with socket.create_server(("127.0.0.1", 0)) as listener:
        aims = [str(listener.getsockname()[1]), str(state / "admin-token"), str(tmp_path / "marker"), str(os.getpid())]
        said = run(made, sys.executable, "-c", PAYLOAD, *aims)
    assert tried(said) == {"connect": False, "token": False, "marker": False, "kill": False, "secrets": False}
    assert not (tmp_path / "marker").exists()


def test_memory_and_files_are_bounded(somewhere: tuple[Place, Path]) -> None:
    made, _ = somewhere
    with pytest.raises(Refused, match="MemoryError"):
        run(made, sys.executable, "-c", "bytes(3 * 2**30)")
    with pytest.raises(Refused, match="File too large"):
        run(made, sys.executable, "-c", "open('large', 'wb').write(bytes(2**22))")


def test_nothing_outlives_its_time(somewhere: tuple[Place, Path]) -> None:
    made, _ = somewhere
    child = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)', 'left-in-place'], start_new_session=True); time.sleep(99)"  # noqa: E501
    with pytest.raises(Refused, match="not over after"):
        run(made, sys.executable, "-c", child, seconds=2.0)
    deadline = time.monotonic() + 10
    while left := [p.pid for p in psutil.process_iter(["cmdline"]) if "left-in-place" in (p.info["cmdline"] or ())]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_the_last_line_is_the_reason(somewhere: tuple[Place, Path]) -> None:
    made, _ = somewhere
    with pytest.raises(Refused, match=r"^The model is sick\.$"):
        run(made, sys.executable, "-c", "import sys; print('first'); print('The model is sick.'); sys.exit(1)")
    with pytest.raises(Refused, match="code 3"):
        run(made, sys.executable, "-c", "import sys; sys.exit(3)")
