"""Starts the whole service as a user would, in a place of its own, and ends it by its processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil

from tests.proofs.processes import TEMPORARY_NAME, belonging_to, end_all
from tests.proofs.wire import get

# Not for the stack: what make and the proof itself were started with.
NOT_INHERITED = (
    *("MAKELEVEL", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "LINE", "SHARE", "RESUME", "DATABASE_URL"),
    *("MODEL", "VERSION", "MODEL_PATH", "LABELS_PATH", "MODEL_ARCHITECTURE"),
)
READY_SECONDS = 240.0

# Which process is which, by the end of a word of its command line. A backend of PostgreSQL has a title, no path.
KINDS = {
    "worker": "/model_service_worker.py",
    "java": "org.pytorch.serve.ModelServer",
    "control plane": "control_plane",
    "postgres": "/bin/postgres",
    "quarantine": "quarantine",
}


def clean_environment() -> dict[str, str]:
    """Ours, without what would tell the started programs how the proof was started."""
    names = (name for name in os.environ if name not in NOT_INHERITED and not name.startswith("WEEDWATCH_"))
    return {name: os.environ[name] for name in names}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def read_admin_token(state: Path) -> str:
    """From the state folder of a control plane."""
    return (state / "admin-token").read_text().strip()


def _is_kind(process: psutil.Process, ending: str) -> bool:
    try:
        return any(word.endswith(ending) for word in process.cmdline())
    except psutil.Error:
        return False


@dataclass
class Stack:
    """One place to start in; `folder` gets the state, the temporary files and the output."""

    root: Path
    folder: Path
    command: Sequence[str] = (sys.executable, "-m", "standalone", "run")
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    front: subprocess.Popen[bytes] | None = None
    cold_seconds: float = 0.0
    """From its start until it said that it is ready; where somebody measured it."""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def temporary(self) -> Path:
        return self.folder / TEMPORARY_NAME

    @property
    def output_path(self) -> Path:
        return self.folder / "output.txt"

    def start(self) -> None:
        self.temporary.mkdir(parents=True, exist_ok=True)
        with self.output_path.open("wb") as output:
            self.front = subprocess.Popen(
                self.command,
                cwd=self.root,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        own = {
            "WEEDWATCH_STATE_DIR": str(self.state),
            "WEEDWATCH_PORT": str(self.port),
            "TMPDIR": str(self.temporary),
        }
        return clean_environment() | own | self.environment

    def output(self) -> str:
        return self.output_path.read_text(errors="replace") if self.output_path.exists() else ""

    def is_ready(self) -> bool:
        return get(self.port, "/health/ready", timeout_seconds=3).is_ok

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> float:
        """Give the seconds that it took.

        Raises:
            RuntimeError: It ended or was not ready in time; holds the end of its output.
        """
        started = time.monotonic()
        while not self.is_ready():
            if self.front is None or self.front.poll() is not None:
                raise RuntimeError(f"The start ended by itself: {self.output()[-2000:]}")
            if time.monotonic() - started > seconds:
                raise RuntimeError(f"Not ready after {seconds:g} s: {self.output()[-2000:]}")
            time.sleep(0.1)
        return time.monotonic() - started

    def processes(self, kind: str) -> list[psutil.Process]:
        """The running processes of a kind (a key of KINDS), oldest first."""
        found = [process for process in belonging_to(self.folder) if _is_kind(process, KINDS[kind])]
        return sorted(found, key=lambda process: process.create_time())

    def process(self, kind: str) -> psutil.Process:
        found = self.processes(kind)
        if not found:
            raise RuntimeError(f"There is no {kind} process.")
        return found[0]

    def stop(self) -> None:
        """End it as Ctrl-C does, which reaches the whole group; what remains then is ended by pid."""
        if self.front is not None:
            if self.front.poll() is None:
                os.killpg(self.front.pid, signal.SIGINT)
            try:
                self.front.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.front.kill()
                self.front.wait(timeout=10)
        end_all(self.folder)
        self.front = None


def run_description(stack: Stack) -> dict[str, Any]:
    description: dict[str, Any] = json.loads((stack.state / "run.json").read_text())
    return description


def ask_torchserve(stack: Stack, api: str, path: str) -> httpx2.Response:
    """GET from one of TorchServe's APIs, as only who owns its socket can."""
    address = run_description(stack)["torchserve"][api]
    transport = httpx2.HTTPTransport(uds=address.removeprefix("unix://"))
    with httpx2.Client(transport=transport, base_url="http://torchserve", timeout=10) as http:
        return http.get(path)


@contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """Start, wait until ready, and end it whatever happens."""
    try:
        stack.start()
        stack.wait_until_ready()
        yield stack
    finally:
        stack.stop()


def clone(root: Path, target: Path) -> Path:
    """A fresh clone of what is committed."""
    command = ["git", "clone", "--quiet", "--no-hardlinks", str(root), str(target)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return target
