"""Control planes beside the one that `standalone run` started: same TorchServe, same database, a port of their own."""

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from standalone import control_plane
from standalone.child import Program
from standalone.settings import read_settings
from standalone.torchserve import Addresses
from tests.proofs.stack import Stack, clean_environment, free_port, run_description
from tests.proofs.wire import get

READY_SECONDS = 90.0
END_SECONDS = 40.0


def torchserve_addresses(stack: Stack) -> Addresses:
    return Addresses(**run_description(stack)["torchserve"])


@dataclass
class Replica:
    """`state` is its state folder; several may share one, then their spool folders lie beside each other."""

    stack: Stack
    name: str
    database_url: str
    state: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def spool(self) -> Path:
        return self.state / "spool" / self.name

    @property
    def output(self) -> Path:
        return self.stack.folder / f"{self.name}.txt"

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError(f"{self.name} was not started.")
        return self.process.pid

    def start(self) -> None:
        program, environment = self._program()
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                program.command, cwd=program.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    def environment_of_start(self) -> dict[str, str]:
        """What it is told; for another program that is to be told the same."""
        return self._program()[1]

    def _program(self) -> tuple[Program, dict[str, str]]:
        self.state.mkdir(parents=True, exist_ok=True)
        own = {
            "WEEDWATCH_STATE_DIR": str(self.state),
            "WEEDWATCH_PORT": str(self.port),
            "WEEDWATCH_REPLICA": self.name,
            "WEEDWATCH_LOG_DIR": str(self.stack.folder / f"log-{self.name}"),
        }
        settings = read_settings(clean_environment() | self.stack.environment | own | dict(self.environment))
        program = control_plane.program(settings, self.database_url, torchserve_addresses(self.stack))
        return program, {**program.environment, **self.environment}

    def is_ready(self) -> bool:
        return get(self.port, "/health/ready", timeout_seconds=3).is_ok

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> float:
        """Give the seconds that it took.

        Raises:
            RuntimeError: It ended or was not ready in time.
        """
        started = time.monotonic()
        while not self.is_ready():
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended by itself: {self.said()}")
            if time.monotonic() - started > seconds:
                raise RuntimeError(f"{self.name} is not ready after {seconds:g} s: {self.said()}")
            time.sleep(0.05)
        return time.monotonic() - started

    def said(self) -> str:
        """The end of what it wrote, to its output and to its log."""
        files = [self.output, *(self.stack.folder / f"log-{self.name}").glob("*.jsonl")]
        return "\n".join(file.read_text(errors="replace")[-2000:] for file in files if file.exists())

    def wait(self, seconds: float) -> int | None:
        """Its exit code; None when it still runs."""
        try:
            return self.process.wait(seconds) if self.process else None
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(END_SECONDS)

    def stop(self) -> float:
        """End it in order, by force when it does not; gives the seconds."""
        if self.process is None or self.process.poll() is not None:
            return 0.0
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        if self.wait(END_SECONDS) is None:
            self.kill()
        return time.monotonic() - started

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)


@contextmanager
def replica(
    stack: Stack, name: str, database_url: str, *, state: Path | None = None, **environment: str
) -> Iterator[Replica]:
    """A started, ready replica; it is ended afterwards."""
    one = Replica(stack, name, database_url, state or stack.state, environment)
    try:
        one.start()
        one.wait_until_ready()
        yield one
    finally:
        one.stop()
