"""Removing what a run left that was ended by force."""

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

import psutil

from standalone.runfile import Run, read_run, run_path

PREFIX = "weedwatch-"
GRACE_SECONDS = 15.0
LONGEST_TEMPORARY_FOLDER = 65
"""The path of a worker's socket in it must stay below the 104 bytes that macOS allows; Linux allows 108."""


def repair(state_dir: Path) -> None:
    """End and remove the remains of an earlier run. Call it with the lock held: then that run is over."""
    run = read_run(state_dir)
    if run is not None:
        clean(state_dir, run)


def clean(state_dir: Path, run: Run) -> None:
    """End what still runs of a run, then remove its private folder and its description."""
    end(survivors(run))
    remove_private(run.private)
    run_path(state_dir).unlink(missing_ok=True)


def survivors(run: Run) -> list[psutil.Process]:
    """Processes of a run that still live: those that we adopted, and those that carry its private folder's name."""
    found = {process.pid: process for process in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter():
        if run.private and process.pid != os.getpid() and carries(process, run.private):
            found[process.pid] = process
    for pid, created in run.children.values():
        if created and created_at(pid) == created:
            with contextlib.suppress(psutil.NoSuchProcess):
                found[pid] = psutil.Process(pid)
    return list(found.values())


def carries(process: psutil.Process, private: str) -> bool:
    try:
        return any(private in part for part in process.cmdline()) or process.environ().get("TEMP") == private
    except (psutil.Error, OSError):
        return False


def created_at(pid: int) -> float:
    """When a process was created, in seconds of the clock; 0 if there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def end(processes: list[psutil.Process], grace_seconds: float = GRACE_SECONDS) -> None:
    """Wait for processes that the kernel has already told to end, then insist."""
    deadline = time.monotonic() + grace_seconds
    alive = processes
    while alive and time.monotonic() < deadline:
        _, alive = psutil.wait_procs(alive, timeout=0.5)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=5)


def private_name() -> Path:
    """Name a folder with a short path, not made yet; a long TMPDIR is passed over, since socket paths are bounded."""
    folder = tempfile.gettempdir()
    if len(folder) > LONGEST_TEMPORARY_FOLDER:
        folder = "/tmp"  # noqa: S108 - ours is made with mode 0700
    return Path(folder) / f"{PREFIX}{secrets.token_hex(4)}"


def exchange_folder(private: str) -> Path:
    """Where the control plane hands photos to TorchServe's workers: in memory, where the system has such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - ours is made with mode 0700
    home = memory if os.access(memory, os.W_OK) else Path(private)
    return home / f"{Path(private).name}-exchange"


def make_private(private: str) -> None:
    Path(private).mkdir(mode=0o700)
    exchange_folder(private).mkdir(mode=0o700)


def remove_private(private: str) -> None:
    if not private:
        return
    for path in (exchange_folder(private), Path(private)):
        if path.name.startswith(PREFIX) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
