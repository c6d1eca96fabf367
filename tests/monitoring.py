"""A real Prometheus, a real Alertmanager and somebody who is told: each in a folder of its own, ended by its pid.

The configuration is the one that is generated; the factor of the setup makes all intervals and windows shorter.
"""

import json
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from observability import commands, generate
from observability.generate import Setup
from observability.prometheus import Targets
from tests.proofs.stack import clean_environment, free_port

P = TypeVar("P", bound="Program")
START_SECONDS = 60.0
STOP_SECONDS = 30.0
ASK_SECONDS = 20.0


class DidNotStart(Exception):
    """It ended by itself or was not ready in time; the text holds the end of its log."""


@dataclass
class Program:
    """A running program that answers HTTP on loopback."""

    name: str
    port: int
    folder: Path
    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        path = self.folder / f"{self.name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Raises DidNotStart."""
        with (self.folder / f"{self.name}.log").open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise DidNotStart(f"{self.name}: {self.log[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)
        self.process = None

    def get(self, path: str, **params: Any) -> Any:
        """What an API below `/api` says, parsed."""
        answer = httpx2.get(self.url + path, params=params, timeout=ASK_SECONDS)
        if answer.status_code >= 500:
            answer.raise_for_status()
        return answer.json()

    def _is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/-/ready", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False


class Refused(Exception):
    """Prometheus refuses a query; its own words."""


@dataclass
class Prometheus(Program):
    """Prometheus with the generated rules."""

    def ask(self, path: str, **params: Any) -> Any:
        """The `data` of an answer of `/api/v1/PATH`.

        Raises:
            Refused: It answers an error.
        """
        said = self.get(f"/api/v1/{path}", **params)
        if said.get("status") != "success":
            raise Refused(str(said.get("error", said)))
        return said["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The samples at this moment, each {"metric", "value": [time, text]}."""
        found = self.ask("query", query=expr)
        result: list[dict[str, Any]] = found["result"]
        return result if found["resultType"] == "vector" else [{"metric": {}, "value": result}]

    def value(self, expr: str) -> float | None:
        """The number of the first sample; None when there is none."""
        found = self.query(expr)
        return float(found[0]["value"][1]) if found else None

    def exemplars(self, expr: str, seconds: float = 3600) -> list[dict[str, Any]]:
        """The exemplars of the series within the last seconds, each {"labels", "value", "timestamp"}."""
        now = time.time()
        found = self.ask("query_exemplars", query=expr, start=now - seconds, end=now + 60)
        return [each for series in found for each in series["exemplars"]]

    def alerts(self) -> list[dict[str, Any]]:
        """What is pending or firing, as Prometheus says it."""
        found: list[dict[str, Any]] = self.ask("alerts")["alerts"]
        return found

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        return {each["labels"]["alertname"] for each in self.alerts() if each["state"] == "firing"}

    def targets(self) -> dict[str, str]:
        """Health by job: up, down or unknown."""
        return {each["labels"]["job"]: each["health"] for each in self.ask("targets")["activeTargets"]}

    def reload(self) -> None:
        httpx2.post(f"{self.url}/-/reload", timeout=ASK_SECONDS).raise_for_status()


@dataclass
class Alertmanager(Program):
    """Alertmanager with the generated routes."""

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/v2/alerts")
        return found


def targets(*control_planes: str, credentials_file: str | None = None) -> Targets:
    """What is scraped, with free ports for Prometheus and Alertmanager themselves."""
    prometheus, alertmanager = (f"127.0.0.1:{free_port()}" for _ in range(2))
    return Targets(control_planes, prometheus, alertmanager, credentials_file=credentials_file)


@contextmanager
def running_prometheus(folder: Path, setup: Setup, *more: str) -> Iterator[Prometheus]:
    """Prometheus as generated, below `folder`, until the block is left; `more`: flags.

    It listens where `setup` says that it is scraped. `folder`/prometheus/data may hold blocks already.

    Raises:
        DidNotStart: With the end of its log.
    """
    generate.write(folder, generate.monitoring(setup))
    port = _port(setup.targets.prometheus)
    with _running(Prometheus("prometheus", port, folder, (*commands.prometheus(folder, port), *more))) as started:
        yield started


@contextmanager
def running_alertmanager(folder: Path, setup: Setup) -> Iterator[Alertmanager]:
    """Alertmanager as generated, below `folder`, until the block is left.

    Raises:
        DidNotStart: With the end of its log.
    """
    generate.write(folder, generate.monitoring(setup))
    port = _port(setup.targets.alertmanager)
    with _running(Alertmanager("alertmanager", port, folder, commands.alertmanager(folder, port))) as started:
        yield started


def _port(target: str) -> int:
    return int(target.rsplit(":", 1)[1])


@contextmanager
def _running(started: P) -> Iterator[P]:
    try:
        started.start()
        yield started
    finally:
        started.stop()


@dataclass(frozen=True)
class Received:
    """One request that a sink got; `at` is a time of `time.time()`."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Sink:
    """Somebody on loopback who is told by POST, and keeps all of it."""

    port: int
    received: list[Received] = field(default_factory=list)
    status: int = 200
    """What it answers."""
    delay_seconds: float = 0
    """How long it thinks first."""
    location: str | None = None
    """Where else it sends who asks, with a status that says so."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def notices(self) -> list[tuple[float, dict[str, Any]]]:
        """The single alerts of Alertmanager's webhook messages, each with when it came."""
        return [
            (each.at, alert)
            for each in list(self.received)
            if each.body.startswith(b"{")
            for alert in each.json().get("alerts", ())
        ]

    def told(self, alertname: str, status: str, since: float = 0) -> dict[str, Any] | None:
        """The first notice that an alert is `firing` or `resolved`, which came after `since`."""
        return next(
            (
                alert
                for at, alert in self.notices()
                if at >= since and alert["labels"]["alertname"] == alertname and alert["status"] == status
            ),
            None,
        )


@contextmanager
def running_sink() -> Iterator[Sink]:
    """A sink on a free port of loopback, until the block is left."""
    sink: Sink

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            time.sleep(sink.delay_seconds)
            sink.received.append(Received(self.path, headers, body, time.time()))
            self.send_response(sink.status)
            # Slack's own word; whoever else is stood in for does not mind.
            if sink.location:
                self.send_header("Location", sink.location)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Who hangs up while the sink thinks is no error of ours."""

    with Server(("127.0.0.1", 0), Handler) as server:
        sink = Sink(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join(STOP_SECONDS)
