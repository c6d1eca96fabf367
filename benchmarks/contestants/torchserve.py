"""(b) and (c): TorchServe asked directly, one picture a call, with as many workers as there are cores."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from os import environ
from pathlib import Path

import psutil

from benchmarks.archive import MODEL, SOURCE, plants_archive
from benchmarks.contestants import programs
from benchmarks.contestants.contestant import CORES, Server
from benchmarks.contestants.stock_archive import MODEL as STOCK_MODEL
from benchmarks.contestants.stock_archive import build_stock_archive
from benchmarks.environment import benchmark_python
from standalone.http import Answer, request
from standalone.java import find_java
from standalone.ports import free_ports
from standalone.torchserve import Addresses, TorchServe


class DirectTorchServe(Server):
    """A TorchServe of its own with the settings of `make run`."""

    key, name = "b", "TorchServe, our handler"
    model = MODEL

    def __init__(self) -> None:
        super().__init__(f"/predictions/{self.model}", "application/octet-stream")
        self._process: subprocess.Popen[bytes] | None = None
        self._management = ""

    def start(self, folder: Path, pictures: dict[str, Path]) -> None:
        self.prepare_requests(folder, pictures)
        archive = self.archive(folder)
        ports = free_ports(3)  # not sockets: the load generator asks all contestants over TCP
        addresses = Addresses(*(f"http://127.0.0.1:{port}" for port in ports))
        private = folder / "t"
        private.mkdir()
        server = TorchServe(find_java(environ), addresses, archive.parent, private)
        program = server.program(folder, environ)
        words = (self.worker_python() if word == sys.executable else word for word in program.command)
        self._process = programs.start(replace(program, command=tuple(words)))
        self.port, self._management = ports[0], addresses.management
        programs.wait_until(lambda: asyncio.run(server.is_ready()), self._process, program.log)
        self._manage(f"/models?url={archive.name}&initial_workers={CORES}&synchronous=false", b"")
        programs.wait_until(self._has_workers, self._process, folder / "torchserve.log")

    def archive(self, _folder: Path) -> Path:
        return plants_archive()

    def worker_python(self) -> str:
        return sys.executable

    def _manage(self, path: str, body: bytes | None = None) -> Answer:
        answer = asyncio.run(request(path, at=self._management, body=body, timeout_seconds=30))
        if answer is None or answer.status >= 400:
            raise RuntimeError(f"TorchServe's management API answered {answer} to {path}.")
        return answer

    def _has_workers(self) -> bool:
        return self._manage(f"/models/{self.model}").body.count(b'"READY"') == CORES

    def roots(self) -> list[psutil.Process]:
        return [psutil.Process(self._process.pid)] if self._process else []

    def stop(self) -> None:
        programs.end(self._process)


class StockTorchServe(DirectTorchServe):
    """The handler that TorchServe brings along, in eager mode; it needs captum, so another Python runs it."""

    key, name = "c", "TorchServe, its image_classifier"
    model = STOCK_MODEL

    def archive(self, folder: Path) -> Path:
        return build_stock_archive(folder / "store", SOURCE)

    def worker_python(self) -> str:
        return str(benchmark_python())
