"""A throw-away place for one check: a folder, a clean environment, limits, and its end."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quarantine.enter import CANNOT_ENTER
from quarantine.order import Refused

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "q"
TAIL_BYTES = 65_536
# What programs need to be found and to run; nothing else of our environment gets in there, so no credentials do.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "JAVA_HOME")


@dataclass(frozen=True)
class Place:
    """`work` is the one folder that a check can write to."""

    work: Path
    hide: Sequence[Path]
    allow_network: bool

    def run(
        self,
        command: Sequence[str],
        *,
        seconds: float,
        address_space: int,
        file_size: int,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """Run a command in there and wait for it; `tick` is called several times a second.

        Raises:
            Refused: It ended with anything but 0, or not in time; the sentence is its last line.
        """
        limits = {"as": address_space, "fsize": file_size, "cpu": max(1, round(2 * seconds)), "nofile": 4096}
        hide = [str(path) for path in self.hide]
        options = {"work": str(self.work), "hide": hide, "allow_network": self.allow_network, "limits": limits}
        said = self.work / "said.txt"
        with said.open("wb") as output:
            process = subprocess.Popen(
                (sys.executable, "-m", "quarantine.enter", json.dumps(options), *command),
                cwd=self.work,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise Refused(f"The check was not over after {seconds:.0f} s, so the upload is not taken.")
                tick()
                time.sleep(0.05)
        finally:
            with contextlib.suppress(ProcessLookupError):  # where there is no namespace that ends with it
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.returncode != 0:
            raise Refused(_last_line(said, process.returncode))

    def _environment(self) -> dict[str, str]:
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        own = {"HOME": self.work, "TMPDIR": self.work, "TEMP": self.work, "PYTHONPATH": ROOT}
        fixed = {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "MALLOC_ARENA_MAX": "2",
        }
        return {**passed, **{name: str(path) for name, path in own.items()}, **fixed}


@contextmanager
def place(temporary: Path, hide: Sequence[Path], *, allow_network: bool) -> Iterator[Place]:
    """A folder of its own, removed afterwards."""
    work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary))
    try:
        yield Place(work, hide, allow_network)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _last_line(said: Path, code: int) -> str:
    with said.open("rb") as content:
        content.seek(max(0, said.stat().st_size - TAIL_BYTES))
        lines = [line.strip() for line in content.read().decode("utf-8", "replace").splitlines() if line.strip()]
    last = "".join(char if char.isprintable() else " " for char in lines[-1])[:600] if lines else ""
    if code in (1, CANNOT_ENTER) and last:
        return last
    how = f"signal {code - 128}" if code > 128 else f"code {code}"
    return f"The check ended with {how}{f': {last}' if last else ''}, so the upload is not taken."
