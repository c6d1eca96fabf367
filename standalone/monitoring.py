"""Prometheus and Alertmanager as children, for `make observe`."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from standalone.child import Program
from standalone.errors import CannotRun
from standalone.family import Family
from standalone.http import request
from standalone.ports import free_ports, is_free
from standalone.progress import Progress
from standalone.settings import ROOT, Settings, without_secrets
from standalone.waiting import wait_ended, wait_ready

STEP = 6
USUAL_PORTS = (9090, 9093)
GRAFANA = "WEEDWATCH_GRAFANA_URL"
PREPARE_SECONDS = 600.0
"""The programs may have to be fetched first."""
READY_SECONDS = 120.0


@dataclass(frozen=True)
class Ports:
    """All on 127.0.0.1; `metrics`: where the control plane's are."""

    prometheus: int
    alertmanager: int
    metrics: int

    @property
    def prometheus_url(self) -> str:
        return f"http://127.0.0.1:{self.prometheus}"

    @property
    def alertmanager_url(self) -> str:
        return f"http://127.0.0.1:{self.alertmanager}"


def choose_ports(settings: Settings) -> Ports:
    """The usual ones where they are free. Metrics get a port of their own where the main one asks for credentials."""
    others = free_ports(3)
    prometheus, alertmanager = (
        usual if is_free(usual) else other for usual, other in zip(USUAL_PORTS, others[:2], strict=True)
    )
    own = settings.environment.get("WEEDWATCH_METRICS_PORT")
    metrics = int(own) if own else settings.port if settings.auth == "off" else others[2]
    return Ports(prometheus, alertmanager, metrics)


def environment(settings: Settings, ports: Ports | None) -> dict[str, str]:
    """What the control plane is told of them."""
    if ports is None:
        return {}
    own = {} if ports.metrics == settings.port else {"WEEDWATCH_METRICS_PORT": str(ports.metrics)}
    return {"WEEDWATCH_PROMETHEUS_URL": ports.prometheus_url, **own}


def listed(ports: Ports | None) -> dict[str, int]:
    """As `run.json` names them."""
    return {} if ports is None else {"prometheus": ports.prometheus, "alertmanager": ports.alertmanager}


async def start(family: Family, progress: Progress, ports: Ports) -> None:
    """Write their configuration, start them, and wait until they answer.

    Raises:
        CannotRun: They cannot be had, or do not answer in time.
    """
    progress.begin(STEP, "monitoring")
    starts = await prepare(family, progress, ports)
    for name, port in (("prometheus", ports.prometheus), ("alertmanager", ports.alertmanager)):
        child = family.spawn(_program(family.settings, name, tuple(starts[name])))

        async def is_ready(port: int = port) -> bool:
            answer = await request("/-/ready", at=f"http://127.0.0.1:{port}", timeout_seconds=2)
            return answer is not None and answer.status == 200

        await wait_ready(family, child, is_ready, READY_SECONDS)
    progress.finish(STEP, "ready", f"Prometheus {ports.prometheus}, Alertmanager {ports.alertmanager}")


async def has_pages(ports: Ports) -> bool:
    """Whether both have web pages; Debian's packages leave them out, and Alertmanager's says so in their place."""
    rules = await request("/alerts", at=ports.prometheus_url, timeout_seconds=5)
    front = await request("/", at=ports.alertmanager_url, timeout_seconds=5)
    if rules is None or front is None:
        return False
    return rules.status == front.status == 200 and b"does not include a web" not in front.body


async def prepare(family: Family, progress: Progress, ports: Ports) -> Mapping[str, list[str]]:
    """Name → the command that starts it."""
    settings = family.settings
    command = (
        *(sys.executable, "-m", "observability", "prepare", str(settings.state_dir / "monitoring")),
        *("--control-plane", f"127.0.0.1:{ports.metrics}", "--service", settings.own_url),
        *(("--grafana", grafana) if (grafana := settings.environment.get(GRAFANA, "")) else ()),
        *("--prometheus-port", str(ports.prometheus), "--alertmanager-port", str(ports.alertmanager)),
    )
    log = settings.logs / "monitoring.log"
    # Alertmanager's secrets are in files that variables name.
    child = family.spawn(Program("monitoring", command, settings.environment, ROOT, log, is_service=False))
    code = await wait_ended(child, PREPARE_SECONDS, lambda: progress.note(STEP, child.last_line()[:60]))
    family.forget(child)
    if code != 0:
        raise CannotRun(f"{child.last_line()}\n  Log: {child.log}")
    starts: Mapping[str, list[str]] = json.loads(child.last_line())
    return starts


def _program(settings: Settings, name: str, command: tuple[str, ...]) -> Program:
    folder = settings.state_dir / "monitoring"
    return Program(
        name={"prometheus": "Prometheus", "alertmanager": "Alertmanager"}[name],
        command=command,
        environment=without_secrets(settings.environment),
        folder=Path(folder),
        log=settings.logs / f"{name}.log",
    )
