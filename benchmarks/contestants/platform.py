"""(a) The platform as `make run` starts it: `POST /predict`, every answer recorded in its history."""

from pathlib import Path

import psutil

from benchmarks.archive import ROOT
from benchmarks.contestants.contestant import Server
from tests.proofs.processes import belonging_to
from tests.proofs.stack import Stack


class Platform(Server):
    key, name = "a", "Weedwatch"

    def __init__(self) -> None:
        super().__init__("/predict", "image/jpeg")
        self._stack: Stack | None = None

    def start(self, folder: Path, pictures: dict[str, Path]) -> None:
        self.prepare_requests(folder, pictures)
        self._stack = Stack(ROOT, folder)
        self._stack.start()
        self._stack.wait_until_ready()
        self.port = self._stack.port

    def roots(self) -> list[psutil.Process]:
        return belonging_to(self._stack.folder) if self._stack else []

    def stop(self) -> None:
        if self._stack:
            self._stack.stop()
