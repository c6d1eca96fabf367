"""Line 2: `make test` is green in a fresh clone, and the tests without torch are quick."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_most, for_the_record, is_true
from tests.proofs.stack import clean_environment, clone

TEST_SECONDS = 3000.0
QUICK_SECONDS = 30.0
SUMMARY = re.compile(r"(?:\b\d+ failed, )?\b\d+ passed.*")


def run(context: Context) -> list[Figure]:
    root = clone(context.root, context.folder / "clone")
    python = str(root / ".venv" / "bin" / "python")
    status, output, seconds = _run(["make", "test"], root, TEST_SECONDS)
    if status:
        print(output[-6000:])
    figures = [is_true("make test is green", status == 0, f"exit {status}; {_summary(output)}")]
    figures.append(for_the_record("make test, setup included", f"{seconds / 60:.1f} minutes"))
    figures.append(for_the_record("coverage, as make test prints it", _coverage(output)))
    quick = [python, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", "tests/unit", "--ignore-glob=*/torch/*"]
    status, output, seconds = _run(quick, root, 300)
    figures.append(at_most("unit tests without torch", seconds, QUICK_SECONDS, "s"))
    figures.append(is_true("unit tests without torch are green", status == 0, f"exit {status}; {_summary(output)}"))
    return figures


def _summary(output: str) -> str:
    found = SUMMARY.findall(output)
    return "; ".join(line.strip("= ") for line in found) or "no summary"


def _coverage(output: str) -> str:
    total = [line.split()[-1] for line in output.splitlines() if line.startswith("TOTAL")]
    return total[0] if total else "not measured"


def _run(command: Sequence[str], root: Path, seconds: float) -> tuple[int, str, float]:
    """Run in the clone with its own state; ends the whole group when the time is over."""
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=root,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    return process.returncode, output, time.monotonic() - started
