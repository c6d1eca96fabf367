"""(e) LitServe with our handler's functions, as many workers as there are cores."""

import asyncio
import os
import subprocess
from pathlib import Path

import psutil

from benchmarks.archive import ROOT, unpacked
from benchmarks.contestants import programs
from benchmarks.contestants.contestant import CORES, Server
from benchmarks.environment import benchmark_python
from standalone.child import Program
from standalone.http import request
from standalone.ports import free_ports


class LitServe(Server):
    key, name = "e", "LitServe, our functions"

    def __init__(self) -> None:
        super().__init__("/predict", "image/jpeg")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, folder: Path, pictures: dict[str, Path]) -> None:
        self.prepare_requests(folder, pictures)
        model = unpacked(folder / "model")
        [self.port] = free_ports(1)
        words = ("-m", "benchmarks.litserve_app", str(model), str(self.port), str(CORES))
        program = Program(
            name=self.name,
            command=(str(benchmark_python()), *words),
            environment={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            folder=folder,
            log=folder / "litserve.log",
        )
        self._process = programs.start(program)
        programs.wait_until(self._is_healthy, self._process, program.log)

    def _is_healthy(self) -> bool:
        answer = asyncio.run(request("/health", at=f"http://127.0.0.1:{self.port}", timeout_seconds=2))
        return answer is not None and answer.status == 200

    def roots(self) -> list[psutil.Process]:
        return [psutil.Process(self._process.pid)] if self._process else []

    def stop(self) -> None:
        programs.end(self._process)
