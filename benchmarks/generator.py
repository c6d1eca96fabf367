"""Starts a load generator as a process of its own, and what such a process does first.

The generators stand for other machines. So they go before the servers when both want the CPU, and what they take
is measured. tests/load.py is not for that: its clients are threads beside whoever watches them.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PRIORITY = -10
PATIENCE_SECONDS = 120.0  # beyond the time that was asked for


def stand_apart() -> None:
    """Take precedence over the servers, where that is allowed, and as many connections as the system gives."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def cpu_seconds() -> float:
    """What this process has used so far."""
    times = os.times()
    return times.user + times.system


def run_generator(module: str, job: dict[str, Any], seconds: float) -> Any:
    """Run `python -m <module>` with a job on its standard input; gives what it printed, as JSON.

    Raises:
        RuntimeError: It failed; holds the end of what it said.
        subprocess.TimeoutExpired: It took much longer than `seconds`.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=seconds + PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"The load generator failed: {done.stderr[-1000:]}")
    return json.loads(done.stdout)
