"""(d) Our handler's functions in a bare loop, one process a core: the limit of what any server of them can reach."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from benchmarks.archive import ROOT, unpacked
from benchmarks.closed_loop import Measured
from benchmarks.contestants.contestant import CORES, Load


class BareLoop:
    """`clients` are processes here, at most one a core."""

    key, name = "d", "bare loop, no server"

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []
        self._pictures: dict[str, Path] = {}

    def start(self, folder: Path, pictures: dict[str, Path]) -> None:
        model, self._pictures = unpacked(folder / "model"), pictures
        command = [sys.executable, "-m", "benchmarks.bare_loop", str(model)]
        for _ in range(CORES):
            self._processes.append(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        for process in self._processes:
            self._line(process)

    def measure(self, load: Load) -> Measured:
        picture = str(self._pictures[load.kind])
        job = json.dumps({"picture": picture, "warm_up": load.warm_up, "seconds": load.seconds})
        asked = self._processes[: load.clients]
        for process in asked:
            assert process.stdin is not None  # noqa: S101 - it was asked for
            process.stdin.write(job + "\n")
            process.stdin.flush()
        latencies = [latency for process in asked for latency in json.loads(self._line(process))]
        return Measured(load.seconds, latencies)

    @staticmethod
    def _line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("A process of the bare loop ended by itself.")
        return line

    def roots(self) -> list[psutil.Process]:
        return [psutil.Process(process.pid) for process in self._processes]

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(timeout=10)
