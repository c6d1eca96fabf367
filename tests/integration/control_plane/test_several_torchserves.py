"""Two real TorchServes behind one control plane: both are brought to the wanted state, and one may end under load."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.integration.handlers import torchserve
from tests.integration.handlers.archives import build_tiny_archive
from tests.integration.handlers.torchserve import ROOT, TorchServe
from tests.load import asking
from tests.proofs.samples import samples
from tests.proofs.stack import clean_environment, free_port
from tests.waiting import eventually


@dataclass
class Service:
    first: TorchServe
    second: TorchServe
    port: int
    process: "subprocess.Popen[bytes]"

    def is_ready(self) -> bool:
        assert self.process.poll() is None
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=10).status_code == 200
        except httpx2.TransportError:
            return False

    def metric(self, line: str) -> bool:
        return line in httpx2.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text.splitlines()


@pytest.fixture
def service() -> Iterator[Service]:
    """Without a database: the spool takes the records, and the newest archive of the store answers."""
    folder = Path(tempfile.mkdtemp(prefix="ww-", dir="/tmp"))
    started: list[TorchServe] = []
    process = None
    try:
        for name in ("a", "b"):
            (folder / name).mkdir()
            started.append(torchserve.start(folder / name))
        archive = build_tiny_archive("tiny", started[0].store)
        shutil.copy(archive, started[1].store)
        port = free_port()
        with (folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "control_plane"], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT,
                env=clean_environment() | _settings(started, folder, port),
            )  # fmt: skip
        service = Service(started[0], started[1], port, process)
        eventually(service.is_ready, what="the service is ready")
        yield service
    finally:
        if process is not None:
            process.terminate()
            process.wait(60)
        for each in started:
            each.stop()
        shutil.rmtree(folder)


def _settings(torchserves: list[TorchServe], folder: Path, port: int) -> dict[str, str]:
    addresses = {
        f"WEEDWATCH_TORCHSERVE_{api.upper()}": ",".join(f"http://127.0.0.1:{each.ports[api]}" for each in torchserves)
        for api in ("inference", "management", "metrics")
    }
    return {
        **addresses,
        "DATABASE_URL": "postgresql://127.0.0.1:1/nowhere",
        "WEEDWATCH_PORT": str(port),
        "WEEDWATCH_STATE_DIR": str(folder / "state"),
        "WEEDWATCH_MODEL_STORE": str(torchserves[0].store),
        "WEEDWATCH_MODEL": "tiny",
        "WEEDWATCH_WORKERS": "1",
    }


def test_each_is_brought_to_the_wanted_state_and_no_request_fails_when_one_ends(service: Service) -> None:
    both = 'weedwatch_version_workers{model="tiny",part="stable",state="ready",version="1"} 2.0'
    eventually(lambda: service.metric(both), what="both have a worker")
    with asking([service.port], [next(iter(samples(ROOT).values()))]) as log:
        eventually(lambda: len(log.all()) > 20, what="they are answered")
        service.second.process.kill()
        eventually(lambda: service.metric('weedwatch_torchserve_up{torchserve="2"} 0.0'), what="it is seen to be down")
        before = len(log.all())
        eventually(lambda: len(log.all()) > before + 20, what="they are answered by the other")
    assert log.failed() == []
