"""The clock of a process is moved while it runs, and its monotonic clock is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.clock import Clock, clock

PROGRAM = """
import sys, time
for line in sys.stdin:
    print(int(time.time()), int(time.monotonic()), flush=True)
"""


@pytest.fixture
def moved(tmp_path: Path) -> Clock:
    try:
        return clock(tmp_path / "clock")
    except RuntimeError as error:
        pytest.skip(str(error))  # a tool of the proofs only; the proof itself falls short without it


def test_the_wall_clock_moves_and_the_monotonic_one_does_not(moved: Clock) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **moved.environment}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        said = []
        for when in ("+0", "-3600"):
            moved.set(when)
            process.stdin.write("\n")
            process.stdin.flush()
            said.append([int(word) for word in process.stdout.readline().split()])
        process.stdin.close()
    assert 3500 < said[0][0] - said[1][0] <= 3600
    assert 0 <= said[1][1] - said[0][1] < 60


def test_a_missing_library_is_an_error_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIBFAKETIME", raising=False)
    monkeypatch.setattr("tests.faults.clock.PLACES", ())
    with pytest.raises(RuntimeError, match="install faketime"):
        clock(tmp_path / "clock")
