"""A running Compose project, as the engine describes it and as it looks from inside its containers."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.stack.docker import Docker
from tests.stack.standins import OURS, PYTHON

PROBE = Path(__file__).with_name("probe.py")
AT_ONCE = 3
PROBE_SECONDS = 90.0
ENTERING = "runc init"
FOREIGN = "bridge"
"""The engine's own network, where nothing of the project is: whoever is there is outside."""

Door = tuple[str, int]


@dataclass(frozen=True)
class Process:
    command: str
    uid: int
    effective: int
    bounding: int
    no_new_privileges: bool
    seccomp: int


@dataclass(frozen=True)
class Inside:
    """How a running container looks from inside. Limits are None where there is none."""

    processes: Sequence[Process]
    root: str
    memory: int | None
    pids: int | None
    cpus: float | None
    listening: Sequence[int]


@dataclass(frozen=True)
class Container:
    """One container of the project; `inside` is None when it does not run (any more)."""

    service: str
    described: Mapping[str, Any]
    inside: Inside | None = None

    @property
    def id(self) -> str:
        return str(self.described["Id"])

    @property
    def is_ours(self) -> bool:
        return str(self.described["Config"]["Image"]).startswith(OURS)

    @property
    def host(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.described["HostConfig"]
        return found

    @property
    def addresses(self) -> dict[str, str]:
        """Network → its address there."""
        networks: Mapping[str, Any] = self.described["NetworkSettings"]["Networks"]
        return {name: each["IPAddress"] for name, each in networks.items() if each.get("IPAddress")}


@dataclass(frozen=True)
class Reached:
    """What a probing container got: of each door how it is, and the addresses of each name."""

    doors: Mapping[Door, str]
    names: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Subject:
    """`config`: what `docker compose config --format json` gives with the same files."""

    docker: Docker
    config: Mapping[str, Any]
    containers: Sequence[Container]
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Where a secret is from → its value."""

    @property
    def running(self) -> list[Container]:
        return [each for each in self.containers if each.inside is not None]

    @property
    def networks(self) -> dict[str, str]:
        """The name of a network in the file → its name in the engine."""
        return {short: str(each["name"]) for short, each in self.config["networks"].items() if self._is_used(short)}

    def _is_used(self, network: str) -> bool:
        name = self.config["networks"][network]["name"]
        return any(name in each.addresses for each in self.containers)

    def declared(self, service: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.config["services"].get(service, {})
        return found


def look(docker: Docker, folder: Path, files: Sequence[Path] = (), secrets: Mapping[str, str] | None = None) -> Subject:
    """Look at a project that runs.

    Args:
        docker: With the environment that the project was started with.
        folder: Where it was started.
        files: Its Compose files in their order; those of COMPOSE_FILE when empty.
        secrets: Where a secret is from → its value.

    Raises:
        DockerFailed: It cannot be looked at.
    """
    options = [word for path in files for word in ("--file", str(path))]
    config = json.loads(docker.run("compose", *options, "--profile", "*", "config", "--format", "json", folder=folder))
    wanted = f"label=com.docker.compose.project={config['name']}"
    ids = docker.run("ps", "--all", "--quiet", "--filter", wanted).split()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        containers = list(pool.map(lambda each: _container(docker, each), docker.inspect("container", *ids)))
    containers.sort(key=lambda each: each.service)
    return Subject(docker, config, containers, secrets or {})


def _container(docker: Docker, described: Mapping[str, Any]) -> Container:
    service = str(described["Config"]["Labels"]["com.docker.compose.service"])
    if not described["State"]["Running"]:
        return Container(service, described)
    here = f"container:{described['Id']}"
    # It may look at processes of other users, and try to write as root: that must not help.
    options = (f"--pid={here}", f"--network={here}", "--cap-add=SYS_PTRACE", "--user=0")
    return Container(service, described, read_inside(_probe(docker, options, {"inside": True})))


def read_inside(seen: Mapping[str, Any]) -> Inside:
    processes = [
        Process(
            each["command"],
            int(each["Uid"]),
            int(each["CapEff"], 16),
            int(each["CapBnd"], 16),
            each["NoNewPrivs"] == "1",
            int(each["Seccomp"]),
        )
        for each in seen["processes"]
        # The engine itself, just before it becomes the program of a health check.
        if each["command"] != ENTERING
    ]
    return Inside(processes, **{name: seen[name] for name in ("root", "memory", "pids", "cpus", "listening")})


def reach(docker: Docker, network: str, doors: Sequence[Door], names: Sequence[str]) -> Reached:
    """Knock from a container that is on this network of the engine only."""
    given = {"doors": [list(door) for door in doors], "names": list(names)}
    answer = _probe(docker, (f"--network={network}",), given)
    return Reached(dict(zip(doors, answer["doors"], strict=True)), dict(zip(names, answer["names"], strict=True)))


def _probe(docker: Docker, options: Sequence[str], given: Mapping[str, object]) -> dict[str, Any]:
    command = ("run", "--rm", "--interactive", "--pull=never", *options, PYTHON, "python", "-", json.dumps(given))
    answer: dict[str, Any] = json.loads(docker.run(*command, seconds=PROBE_SECONDS, text=PROBE.read_text("utf-8")))
    return answer
