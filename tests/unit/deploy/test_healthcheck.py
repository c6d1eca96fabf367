"""The check that containers run on themselves."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

SCRIPT = Path(__file__).parents[3] / "deploy" / "images" / "healthcheck.py"


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-IS", str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


WORKERS = {"none": [], "loading": ["UNLOADED"], "one": ["UNLOADED", "READY"]}


class Service(BaseHTTPRequestHandler):
    models: ClassVar[tuple[str, ...]] = ()
    """Of the TorchServe that it is too; each is named for its workers."""

    def do_GET(self) -> None:
        body = b"no worker" if self.path == "/bad" else b"fine"
        if self.path.startswith("/models?"):
            body = json.dumps({"models": [{"modelName": name} for name in self.models]}).encode()
        elif self.path.startswith("/models/"):
            workers = [{"status": status} for status in WORKERS[self.path.split("/")[2]]]
            body = json.dumps([{"workers": []}, {"workers": workers}]).encode()
        self.send_response(503 if self.path == "/bad" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        pass


@pytest.fixture
def port() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield str(server.server_port)
        server.shutdown()
        thread.join()


def test_an_answer_is_health_and_a_refusal_is_none(port: str) -> None:
    assert check("http", port, "/good").returncode == 0
    refused = check("http", port, "/bad")
    assert refused.returncode == 1
    assert refused.stdout == "/bad: 503 no worker\n"


def test_nobody_there_is_no_health() -> None:
    gone = check("http", "1", "/good")
    assert gone.returncode == 1
    assert "refused" in gone.stdout


@pytest.mark.parametrize(
    ("models", "code"), [((), 1), (("one",), 0), (("loading",), 1), (("one", "none"), 1), (("one", "one"), 0)]
)
def test_a_torchserve_is_ready_once_each_model_has_a_worker(
    port: str, models: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "models", models)
    assert check("loaded", port).returncode == code


def test_a_torchserve_that_does_not_answer_is_not_ready() -> None:
    assert check("loaded", "1").returncode == 1


def test_a_file_that_nobody_touches_is_no_health(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    assert check("fresh", str(alive), "30").returncode == 1
    alive.touch()
    assert check("fresh", str(alive), "30").returncode == 0
    os.utime(alive, (0, 0))
    assert check("fresh", str(alive), "30").returncode == 1
