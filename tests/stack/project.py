"""The Compose stack of a proof: a clone of what is committed, its own name, ports, secrets and `.env`."""

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from observability import generate
from observability.channels import Channels
from observability.places import Places
from tests.proofs.stack import clone, free_port
from tests.stack.docker import Docker, DockerFailed
from tests.stack.standins import without_stand_in

WATCHES = ("prometheus", "alertmanager")
SERVICES = ("edge", "control-plane-1", "control-plane-2", "quarantine", *WATCHES)
"""What is started by name; all else follows from what they need."""
SINK = "sink"
FASTER = 30.0
"""By so much are scrapes, rules and waits of alerts faster than in earnest."""
UP_SECONDS = 900.0
T = TypeVar("T")
_SINK = """
import http.server, sys
class Take(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Take).serve_forever()
"""


@dataclass
class Project:
    """`folder`: the clone that it runs from."""

    docker: Docker
    folder: Path
    name: str
    tag: str = "latest"
    http_port: int = field(default_factory=free_port)
    https_port: int = field(default_factory=free_port)

    def prepare(self, built: Path) -> None:
        """Secrets, settings, alerts that reach the sink; the built archives of another tree."""
        for archive in built.glob("*.mar"):
            (self.folder / "model_store" / archive.name).write_bytes(archive.read_bytes())
        self.deploy("secrets")
        hook = self.folder / "deploy" / "secrets" / "alerting" / "hook"
        hook.write_text(f"http://{SINK}:8080/")
        channels = Channels.from_environment({"ALERT_WEBHOOK_URL_FILE": str(hook), "HEARTBEAT_URL_FILE": str(hook)})
        setup = generate.Setup(Places(self.url), channels=channels.at("/run/secrets"), factor=FASTER)
        generate.write(self.folder / "deploy" / "observability", generate.files(setup))
        settings = {
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": "compose.yaml:deploy/compose.prod.yaml",
            "WEEDWATCH_TAG": self.tag,
            "WEEDWATCH_ADDRESS": "127.0.0.1",
            "WEEDWATCH_FRONT_SUBNET": f"172.30.{os.getpid() % 256}.0/24",
            "WEEDWATCH_HTTP_PORT": str(self.http_port),
            "WEEDWATCH_HTTPS_PORT": str(self.https_port),
            "WEEDWATCH_OBSERVABILITY": "./deploy/observability",
            # Load of a proof comes from one address.
            "EDGE_REQUESTS_PER_SECOND": "2000",
            "EDGE_BURST": "2000",
            "EDGE_CONNECTIONS": "1000",
        }
        (self.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https_port}"

    @property
    def environment(self) -> dict[str, str]:
        ours = ("WEEDWATCH_", "EDGE_", "COMPOSE_")
        return {name: value for name, value in self.docker.environment.items() if not name.startswith(ours)}

    def deploy(self, *arguments: str, seconds: float = UP_SECONDS) -> str:
        """`python3 -m deploy …` as an operator's shell runs it; gives what it prints.

        Raises:
            DockerFailed: It ended with an error.
        """
        done = subprocess.run(
            [sys.executable, "-m", "deploy", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode != 0:
            raise DockerFailed(f"deploy {' '.join(arguments)}: {(done.stdout + done.stderr)[-3000:]}\n{self.faults()}")
        return done.stdout

    def compose(self, *arguments: str, seconds: float = 300) -> str:
        return Docker(self.environment).run("compose", *arguments, seconds=seconds, folder=self.folder)

    def faults(self) -> str:
        """What those say that are not well; for the text of a failure."""
        try:
            rows = [json.loads(line) for line in self.compose("ps", "--all", "--format", "json").splitlines()]
            bad = [each for each in rows if each.get("Health") == "unhealthy" or each.get("ExitCode")]
            return "\n".join(
                f"{each['Service']}: {each['Status']}\n{self.compose('logs', '--tail', '15', each['Service'])}"
                for each in bad
            )
        except DockerFailed as problem:
            return str(problem)

    def container(self, service: str) -> dict[str, Any]:
        """Its description by the engine."""
        (number,) = self.compose("ps", "--all", "--quiet", service).split()
        (found,) = self.docker.inspect("container", number)
        return found

    def process(self, service: str) -> int:
        """The host's id of its first process."""
        return int(self.container(service)["State"]["Pid"])

    @cached_property
    def token(self) -> str:
        return (self.folder / "deploy" / "secrets" / "admin_token").read_text().strip()

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """Trusts the stack's own certificate, and no other."""
        chain = self.compose("exec", "-T", "edge", "cat", "/certificates/fullchain.pem")
        return ssl.create_default_context(cadata=chain)

    def client(self, **more: Any) -> httpx2.Client:
        """To the edge, as somebody who may do everything."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx2.Client(base_url=self.url, verify=self.trust, headers=headers, timeout=60, **more)

    def query(self, sql: str) -> list[str]:
        """Rows of one column, by PostgreSQL's own program in its container."""
        psql = ("psql", "-U", "postgres", "-d", "weedwatch", "-Atc", sql)
        return self.compose("exec", "-T", "postgres", *psql).split()

    def ask_prometheus(self, path: str) -> Any:
        """GET from its API, by a program in its container: nobody else reaches it."""
        text = self.compose("exec", "-T", "prometheus", "wget", "-q", "-O", "-", f"http://127.0.0.1:9090{path}")
        return json.loads(text)["data"]

    def start_sink(self, image: str) -> None:
        """Somebody for Alertmanager to tell."""
        network = f"{self.name}_monitoring"
        self.docker.run(
            "run", "--detach", "--name", f"{self.name}-{SINK}", "--network", network, "--network-alias", SINK,
            "--read-only", "--user", "10001:10001", image, "python3", "-u", "-c", _SINK,
        )  # fmt: skip

    def told(self) -> list[dict[str, Any]]:
        """What Alertmanager has told the sink, alert by alert."""
        lines = self.docker.run("logs", f"{self.name}-{SINK}").splitlines()
        return [alert for line in lines if line.startswith("{") for alert in json.loads(line)["alerts"]]

    def end_sink(self) -> None:
        self.docker.attempt("rm", "--force", f"{self.name}-{SINK}")

    def left(self) -> list[str]:
        """Containers, volumes and networks with its name."""
        own = f"label=com.docker.compose.project={self.name}"
        found = [
            *self.docker.run("ps", "--all", "--filter", own, "--format", "{{.Names}}").split(),
            *self.docker.run("volume", "ls", "--filter", own, "--format", "{{.Name}}").split(),
            *self.docker.run("network", "ls", "--filter", own, "--format", "{{.Name}}").split(),
        ]
        return sorted(found)

    def end(self) -> None:
        """Everything, volumes too."""
        self.end_sink()
        with_all = Docker({**self.environment, "COMPOSE_PROFILES": "*"})
        with_all.attempt("compose", "down", "--volumes", "--timeout", "20", seconds=300, folder=self.folder)


@contextmanager
def project(docker: Docker, root: Path, folder: Path, tag: str) -> Iterator[Project]:
    """A prepared one, not started; whatever was started of it ends with the block, and its volumes go."""
    place = clone(root, folder / "clone")
    made = Project(docker, place, f"ww-{os.getpid()}", tag)
    made.prepare(root / "model_store")
    try:
        yield made
    finally:
        made.end()


def cannot_run(made: Project) -> list[str]:
    """Images of the whole stack that cannot be had here."""
    images = made.compose("--profile", "*", "config", "--images").split()
    return without_stand_in(each for each in images if not each.startswith("weedwatch/"))


def wait_for(seconds: float, look: Callable[[], T], every: float = 0.3) -> T | None:
    """What `look` gives once it is true; None when it never was."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(every)
    return None
