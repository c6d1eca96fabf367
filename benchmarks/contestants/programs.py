"""Starting a contestant's process, waiting for it, and ending it with all below it."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.family import with_descendants
from standalone.child import Program, spawn

READY_SECONDS = 240.0


def start(program: Program) -> subprocess.Popen[bytes]:
    """Its output goes to its log; it ends when this process does."""
    program.log.parent.mkdir(parents=True, exist_ok=True)
    with program.log.open("ab") as output:
        return spawn(program, output.fileno())


def wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Raises RuntimeError when the process ends, or is not ready in time; holds the end of its log."""
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready():
        if process.poll() is not None:
            raise RuntimeError(f"It ended by itself. Its log: {log.read_text(errors='replace')[-2000:]}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"It was not ready in time. Its log: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)


def end(process: subprocess.Popen[bytes] | None) -> None:
    """Asked first, then without asking; all that it started ends too."""
    if process is None or process.poll() is not None:
        return
    family = with_descendants([psutil.Process(process.pid)])
    process.terminate()
    _, left = psutil.wait_procs(family, timeout=20)
    for one in left:
        one.kill()
    psutil.wait_procs(left, timeout=10)
    process.wait(timeout=10)
