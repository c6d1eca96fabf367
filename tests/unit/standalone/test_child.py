"""A child's log tells why it died, and its end is orderly first and forced later."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from standalone.child import ROTATE_BYTES, Child, Program, message, rotate, telling_line


def program(folder: Path, code: str, stop_seconds: float = 20.0) -> Program:
    return Program(
        name="sample",
        command=(sys.executable, "-c", code),
        environment={"PATH": os.environ["PATH"]},
        folder=folder,
        log=folder / "sample.log",
        stop_seconds=stop_seconds,
    )


async def wait_for_line(child: Child, line: str) -> None:
    async with asyncio.timeout(60):
        while child.last_line() != line:
            await asyncio.sleep(0.01)


async def test_the_cause_is_the_last_telling_line_of_this_start(tmp_path: Path) -> None:
    (tmp_path / "sample.log").write_text("error: an older one\n")
    child = Child(program(tmp_path, "print('starting'); print('disk full: cannot write'); print('bye')"))

    assert await child.ended() == 0
    assert child.cause() == "disk full: cannot write"


async def test_a_child_that_wrote_nothing_says_so(tmp_path: Path) -> None:
    child = Child(program(tmp_path, "raise SystemExit(3)"))

    assert await child.ended() == 3
    assert child.cause() == "it wrote nothing"


async def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"
    child = Child(program(tmp_path, code, stop_seconds=0.1))
    await wait_for_line(child, "up")

    await child.stop(asyncio.Event())

    assert child.exit_code == -signal.SIGKILL


async def test_haste_does_not_wait(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"
    child = Child(program(tmp_path, code, stop_seconds=600))
    await wait_for_line(child, "up")
    haste = asyncio.Event()
    haste.set()

    await child.stop(haste)

    assert child.exit_code == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()

    deadline = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(pid)


PARENT = """
import sys, time
from pathlib import Path
from standalone.child import Child, Program

folder = Path(sys.argv[1])
command = (sys.executable, "-c", "import time; time.sleep(600)")
print(Child(Program("sample", command, {}, folder, folder / "sample.log")).pid, flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_json_log_lines_give_their_sentence() -> None:
    assert message('{"level": "error", "msg": "no space", "error": "disk"}') == "no space: disk"
    assert message('{"level": "info", "message": "up"}') == "up"
    assert message('{"message": "it fell", "exception": "java.io.IOException: full\\n\\tat x.y"}') == (
        "it fell: java.io.IOException: full"
    )
    assert message('{"message": "it fell", "exception": "Traceback (most recent)\\n  at x\\nOSError: full"}') == (
        "it fell: OSError: full"
    )
    assert message('{"message": "up", "exception": ""}') == "up"
    assert message("plain\n") == "plain"
    assert message("[1, 2]") == "[1, 2]"


def test_without_a_telling_line_the_last_one_is_told() -> None:
    assert telling_line(["first", "last"]) == "last"
    assert telling_line([]) is None


def test_a_large_log_is_put_aside_and_a_small_one_stays(tmp_path: Path) -> None:
    large, small = tmp_path / "large.log", tmp_path / "small.log"
    large.write_bytes(b"x" * (ROTATE_BYTES + 1))
    small.write_text("x")

    rotate(large)
    rotate(small)

    assert not large.exists()
    assert (tmp_path / "large.log.1").stat().st_size > ROTATE_BYTES
    assert small.exists()
