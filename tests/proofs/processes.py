"""Who and what belongs to one started stack.

A stack lives in a folder of its own: its state, its temporary files, its output. Each process of it names that
folder on its command line or in its environment.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

MARKERS = ("WEEDWATCH_STATE_DIR", "TMPDIR", "TEMP")
ROOT = Path(__file__).resolve().parents[2]
TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/")
# Where in its folder a stack has its temporary files; the state beside it is meant to stay.
TEMPORARY_NAME = "t"


@dataclass(frozen=True)
class Footprint:
    """What a running stack holds: processes, listening ports, temporary files and socket paths."""

    processes: frozenset[psutil.Process]
    ports: frozenset[int]
    paths: frozenset[str]


def belonging_to(folder: Path) -> list[psutil.Process]:
    """The processes that were started in this folder, and their descendants."""
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _is_marked(process, str(folder)):
            found |= {process, *_descendants(process)}
    return [process for process in found if is_alive(process)]


def _is_marked(process: psutil.Process, folder: str) -> bool:
    try:
        if any(folder in word for word in process.cmdline()):
            return True
        environment = process.environ()
    except (psutil.Error, OSError):
        return False
    return any(environment.get(name, "").startswith(folder) for name in MARKERS)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Zombies are dead: they wait for their parent only."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:160] or process.name()
    except psutil.Error:
        return ""


def footprint(folder: Path) -> Footprint:
    processes, ports, paths = belonging_to(folder), set[int](), set[str]()
    for process in processes:
        try:
            ports |= _listening_among(process.net_connections("tcp"))
            paths |= _paths_among(process.net_connections("unix"))
            paths |= {file.path for file in process.open_files()}
            paths |= {region.path for region in process.memory_maps()}
        except psutil.Error:
            continue
    # What is installed is read, not left, also where the environment itself lies under /tmp.
    known = (f"{folder}/", f"{Path(sys.prefix).resolve()}/", f"{Path(sys.base_prefix).resolve()}/", f"{ROOT}/")
    outside = {path for path in paths if path.startswith(TEMPORARY) and not path.startswith(known)}
    return Footprint(frozenset(processes), frozenset(ports), frozenset(outside))


def leftovers(folder: Path, before: Footprint) -> list[str]:
    """What of the stack is still there, each in a few words."""
    remaining = {*belonging_to(folder), *filter(is_alive, before.processes)}
    sockets = _paths_among(psutil.net_connections("unix"))
    left = [f"process {process.pid} {command_of(process)}" for process in remaining]
    left += [f"port {port} still listens" for port in before.ports & _listening_among(psutil.net_connections("tcp"))]
    left += [f"file {path}" for path in before.paths if Path(path).exists()]
    left += [f"file {path}" for path in (folder / TEMPORARY_NAME).glob("*")]
    left += [f"socket {path}" for path in sockets if path.startswith(f"{folder}/")]
    return sorted(left)


def _listening_among(connections: Iterable[Any]) -> set[int]:
    return {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}


def _paths_among(connections: Iterable[Any]) -> set[str]:
    return {c.laddr for c in connections if isinstance(c.laddr, str) and c.laddr.startswith("/")}


def wait_until_gone(folder: Path, before: Footprint, seconds: float) -> tuple[float, list[str]]:
    """Wait for an empty place; gives the seconds it took and what was still there at the end."""
    started = time.monotonic()
    while True:
        left, took = leftovers(folder, before), time.monotonic() - started
        if not left or took > seconds:
            return took, left
        time.sleep(0.2)


def end_all(folder: Path, seconds: float = 20) -> None:
    """End what still runs in the folder: asked first, then without asking."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        remaining = belonging_to(folder)
        for process in remaining:
            try:
                process.send_signal(sign)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(remaining, timeout=seconds)
