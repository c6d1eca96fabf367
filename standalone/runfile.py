"""What a run tells other commands: the lock that it holds and the file that describes it."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Run:
    """One run, as `run.json` in the state folder describes it."""

    front: int
    supervisor: int = 0
    status: str = "starting"
    """starting, ready or stopping"""
    private: str = ""
    """The short folder under the system's temporary folder; goes at the end."""
    ports: dict[str, int] = field(default_factory=dict)
    torchserve: dict[str, str] = field(default_factory=dict)
    """The addresses of its APIs: sockets in the private folder."""
    children: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Process id and time of creation by name; both, since process ids are used again."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the printed block says; there when ready."""


def run_path(state_dir: Path) -> Path:
    return state_dir / "run.json"


def write_run(state_dir: Path, run: Run) -> None:
    fresh = run_path(state_dir).with_suffix(".new")
    fresh.write_text(json.dumps(asdict(run), indent=1))
    fresh.replace(run_path(state_dir))


def read_run(state_dir: Path) -> Run | None:
    try:
        return Run(**json.loads(run_path(state_dir).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def take_lock(state_dir: Path) -> int | None:
    """Take the state folder's lock; None when a run holds it.

    The kernel lets go of it when the last process that inherited the descriptor is gone.
    """
    descriptor = os.open(state_dir / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
