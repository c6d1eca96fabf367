"""One child process: its command, its log file, its end."""

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from standalone.identity import Identity
from standalone.kernel import at_most, die_with_parent

ROTATE_BYTES = 10_000_000
HARMLESS = re.compile(r"nvidia-smi not available|Reflection.getCallerClass")
TELLING = re.compile(r"error|fatal|panic|exception|refused|denied|cannot|in use|not found|no space", re.IGNORECASE)


@dataclass(frozen=True)
class Program:
    """What to start."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    """What ends it in order; also what the kernel sends it when the supervisor dies."""
    stop_seconds: float = 20.0
    identity: Identity = field(default_factory=Identity)
    more_logs: tuple[Path, ...] = ()
    is_service: bool = True
    """Whether its end, whatever its exit code, is a failure."""
    largest_file: int | None = None
    """Bytes; it and what it starts cannot write a larger one."""


class Child:
    """A started program. The thread that starts it must live as long as it: the kernel watches threads."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.started = time.monotonic()
        logs = (program.log, *program.more_logs)
        self._log_starts = {log: log.stat().st_size if log.exists() else 0 for log in logs}
        with program.log.open("ab") as output:
            self.process = spawn(program, output.fileno())

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self.process.poll()

    async def ended(self) -> int:
        while (code := self.exit_code) is None:
            await asyncio.sleep(0.05)
        return code

    async def stop(self, hurry: asyncio.Event) -> None:
        """End it in order; by force when that takes too long or when there is haste."""
        if self.exit_code is None:
            self.process.send_signal(self.program.stop_signal)
        deadline = time.monotonic() + self.program.stop_seconds
        while self.exit_code is None and time.monotonic() < deadline and not hurry.is_set():
            await asyncio.sleep(0.02)
        if self.exit_code is None:
            self.process.kill()
            await self.ended()

    @property
    def log(self) -> Path:
        return self.program.log

    def last_line(self) -> str:
        """The last line that it wrote since this start."""
        return (read_lines(self.log, self._log_starts[self.log]) or [""])[-1]

    def end(self) -> str:
        """Say how it ended and, unless a signal ended it, the line of its logs that most likely tells why."""
        code = self.exit_code
        if code is None:
            return f"{self.name} runs"
        if code < 0:
            return f"{self.name} was ended by signal {-code}"
        return f"{self.name} ended with code {code}: {self.cause()}"

    def cause(self) -> str:
        """Give the line of this start's logs that most likely tells what went wrong."""
        lines = [line for log, start in self._log_starts.items() for line in read_lines(log, start)]
        return telling_line(lines) or "it wrote nothing"


def spawn(program: Program, output: int) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def last() -> None:
        if program.largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, at_most(resource.RLIMIT_FSIZE, program.largest_file))
        die_with_parent(program.stop_signal, parent)

    return subprocess.Popen(
        program.command,
        cwd=program.folder,
        env=dict(program.environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        **program.identity.arguments(last),
    )


def rotate(log: Path) -> None:
    """Put a log aside that has grown large; one older log is kept."""
    if log.exists() and log.stat().st_size > ROTATE_BYTES:
        log.replace(log.with_name(log.name + ".1"))


def read_lines(log: Path, start: int) -> list[str]:
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - 65_536))
        return [text for line in file.read().decode("utf-8", "replace").splitlines() if (text := message(line))]


def message(line: str) -> str:
    """Take the sentence out of a JSON log line; other lines stay as they are."""
    try:
        record = json.loads(line)
    except ValueError:
        return line.strip()
    if not isinstance(record, dict):
        return line.strip()
    text = next((record[key] for key in ("message", "msg", "event") if record.get(key)), line)
    detail = record.get("error") or record.get("cause") or _kind(str(record.get("exception") or ""))
    return f"{text}: {detail}" if detail else str(text)


def _kind(trace: str) -> str:
    """What Java says first of a trace, and Python last."""
    lines = trace.strip().splitlines() or [""]
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def telling_line(lines: list[str]) -> str | None:
    telling = [line for line in lines if TELLING.search(line) and not HARMLESS.search(line)] or lines
    return telling[-1] if telling else None
