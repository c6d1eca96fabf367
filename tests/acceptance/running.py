"""One run in a state folder of its own, seen from outside: its output, its processes, and what it leaves."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.proofs.processes import is_alive
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
START_SECONDS = 300.0
GONE_SECONDS = 60.0
COMMAND = (sys.executable, "-m", "standalone")


@dataclass
class Running:
    """A started `run`."""

    state: Path
    port: int
    process: subprocess.Popen[bytes]
    output_path: Path

    @property
    def output(self) -> str:
        return self.output_path.read_text(errors="replace")

    @property
    def block(self) -> str:
        return self.output[self.output.index("Ready in") :].split("\nStopping")[0].rstrip()

    def description(self) -> dict[str, Any]:
        description: dict[str, Any] = json.loads((self.state / "run.json").read_text())
        return description

    def wait_until_ready(self) -> None:
        eventually(lambda: self.process.poll() is not None or "Stop  " in self.output, START_SECONDS)
        assert self.process.poll() is None, self.output

    def command(self, name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, name], cwd=ROOT, env=environment(self.state, self.port), capture_output=True, text=True,
            timeout=START_SECONDS, check=False,
        )  # fmt: skip

    def belongings(self) -> "Belongings":
        """All that it must not leave; ask while it runs."""
        description = self.description()
        processes = psutil.Process(self.process.pid).children(recursive=True)
        return Belongings(processes, Path(description["private"]), [*description["ports"].values(), self.port])


@dataclass(frozen=True)
class Belongings:
    """What a run holds outside its state folder."""

    processes: list[psutil.Process]
    private: Path
    ports: list[int]

    def left(self) -> list[str]:
        alive = [str(process) for process in self.processes if is_alive(process)]
        folders = [str(self.private)] if self.private.exists() else []
        sockets = [line for line in unix_sockets() if str(self.private) in line]
        listening = {
            each.laddr.port for each in psutil.net_connections("tcp") if each.laddr and each.status == "LISTEN"
        }
        return [*alive, *folders, *sockets, *(f"port {port}" for port in self.ports if port in listening)]

    def wait_until_gone(self) -> None:
        deadline = time.monotonic() + GONE_SECONDS
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == []


def start(state: Path, port: int, command: tuple[str, ...] = (*COMMAND, "run"), **extra: str) -> Running:
    state.mkdir(exist_ok=True)
    output_path = state / "output.txt"
    with output_path.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(state, port) | extra,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(state, port, process, output_path)


def environment(state: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WEEDWATCH_", "MAKE"))}
    return kept | {"WEEDWATCH_STATE_DIR": str(state), "WEEDWATCH_PORT": str(port)}


def unix_sockets() -> list[str]:
    path = Path("/proc/net/unix")
    return path.read_text().splitlines() if path.exists() else []
