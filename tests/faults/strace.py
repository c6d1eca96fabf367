"""strace on a running process: makes system calls fail or kill at their Nth time, and reads what it wrote down.

Counts are strace's: one count per thread of the process. strace comes from Debian's package of that name.
"""

import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ATTACH_SECONDS = 20.0
DETACH_SECONDS = 20.0
_LINE = re.compile(r"^(\d+)\s+(?:[\d.]+\s+)?(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_RESULT = re.compile(r"\)\s+= (-?\d+|\?)(<[^\n]*)?")
_FIRST_FD = re.compile(r"^(?:AT_FDCWD|\d+)<(.*?)>(?=[,)\s]|$)")
_BYTE = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True)
class Injection:
    """`what` is strace's word for it: error=EIO, error=ENOSPC, signal=SIGKILL, delay_exit=100000."""

    calls: str
    what: str
    when: str = "1+"

    @property
    def argument(self) -> str:
        return f"inject={self.calls}:{self.what}:when={self.when}"


@dataclass(frozen=True)
class Call:
    """One finished system call; `target` is what strace says of its first file descriptor."""

    name: str
    text: str
    result: int
    result_path: str = ""

    @property
    def failed(self) -> bool:
        return self.result < 0

    @property
    def target(self) -> str:
        found = _FIRST_FD.match(self.text)
        return _plain(found[1]) if found else ""

    @property
    def path(self) -> str:
        """The file or folder; empty for sockets and pipes."""
        return self.target if self.target.startswith("/") else ""

    @property
    def data(self) -> bytes:
        """The bytes of its buffers, where the trace was made with -xx."""
        return b"".join(bytes.fromhex("".join(_BYTE.findall(text))) for text in re.findall(r'"([^"]*)"', self.text))


@contextmanager
def traced(
    pid: int,
    output: Path,
    *,
    injections: Sequence[Injection] = (),
    calls: str = "",
    data_bytes: int = 0,
    paths: Sequence[Path] = (),
) -> Iterator[None]:
    """strace is attached to all threads of the process while the block runs.

    Args:
        pid: Of the process.
        output: The trace.
        injections: What shall go wrong.
        calls: What is written down beside, as `-e trace=` has it.
        data_bytes: How much of each buffer is written down, as hex; 0 for little.
        paths: Only calls on these files and folders are traced, counted and made to fail; all when empty.
    """
    traced_calls = ",".join(filter(None, [calls, *(each.calls for each in injections)]))
    command = ["strace", "-f", "-yy", "-o", str(output), "-e", f"trace={traced_calls}", "-p", str(pid)]
    command += [part for each in injections for part in ("-e", each.argument)]
    command += [part for path in paths for part in ("-P", str(path))]
    command += ["-xx", "-s", str(data_bytes)] if data_bytes else []
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _wait_until_attached(process)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(DETACH_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(DETACH_SECONDS)
        if process.stderr is not None:
            process.stderr.close()


def _wait_until_attached(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    deadline = time.monotonic() + ATTACH_SECONDS
    line = process.stderr.readline()
    while b"attached" not in line:
        if not line or time.monotonic() > deadline:
            raise RuntimeError(f"strace did not attach: {line.decode(errors='replace').strip() or 'it ended'}")
        line = process.stderr.readline()


def read_trace(path: Path) -> Iterator[Call]:
    """The calls of a trace in the order in which they returned."""
    begun: dict[str, str] = {}
    with path.open(errors="replace") as file:
        for line in file:
            if not (found := _LINE.match(line.rstrip("\n"))):
                continue
            thread, text = found[1], found[2]
            if text.endswith("<unfinished ...>"):
                begun[thread] = text.removesuffix("<unfinished ...>")
                continue
            if resumed := _RESUMED.match(text):
                text = begun.pop(thread, f"{resumed[1]}(") + resumed[2]
            if call := _parse(text):
                yield call


def _parse(text: str) -> Call | None:
    found, results = _CALL.match(text), list(_RESULT.finditer(text))
    if not found or not results or results[-1][1] == "?":
        return None
    last = results[-1]
    path = (last[2] or "").strip("<>").split(">")[0]
    return Call(found[1], found[2][: last.start() - len(found[1]) - 1], int(last[1]), _plain(path))


def _plain(text: str) -> str:
    return _BYTE.sub(lambda found: chr(int(found[1], 16)), text)
