"""What a running stack must not do and must not let reach, each asserted from a container beside it.

Every check gives its faults as sentences; `tests/stack/wrong.py` shows of each that it can find one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from tests.proofs.results import Figure, none_of
from tests.stack.subject import FOREIGN, Container, Door, Subject, reach

OUR_USER = 10001
CONTROL_PLANES = frozenset({"control-plane-1", "control-plane-2", "control-plane-surge"})
MAY_BE_REACHED: Mapping[str, frozenset[str]] = {
    "front": frozenset({"edge"}) | CONTROL_PLANES,
    "inference": frozenset({"torchserve"}) | CONTROL_PLANES,
    "data": frozenset({"postgres", "redis", "grafana"}) | CONTROL_PLANES,
    "monitoring": frozenset({"edge", "prometheus", "alertmanager", "loki", "alloy", "grafana"}) | CONTROL_PLANES,
    "engine": frozenset({"alloy", "docker-proxy"}),
    "outside": frozenset({"alertmanager", "grafana"}),
    FOREIGN: frozenset(),
}
"""Network → the services whose ports may be open from there; all others must not be."""
MUST_BE_REACHED: tuple[tuple[str, str, int], ...] = (
    ("front", "edge", 8443),
    ("front", "control-plane", 8000),
    *(("inference", "torchserve", port) for port in (8080, 8081, 8082)),
    ("data", "postgres", 5432),
    ("data", "redis", 6379),
    ("monitoring", "control-plane", 9100),
    ("monitoring", "edge", 9113),
    ("monitoring", "prometheus", 9090),
    ("monitoring", "alertmanager", 9093),
)
"""By name. Else a probe that reaches nothing at all would find no fault."""
ALIASES = {"control-plane": (frozenset({"front", "monitoring"}), CONTROL_PLANES)}
"""Another name → the networks that have it, the services that it leads to."""
LEADS_NOWHERE = frozenset({"inference", "data", "monitoring", "engine"})
PUBLISHED: Mapping[str, frozenset[int]] = {"edge": frozenset({8080, 8443})}
"""Service → its ports that all may be offered."""
ON_LOOPBACK: Mapping[str, frozenset[int]] = {"grafana": frozenset({3000})}
LOOPBACK = ("127.0.0.1", "::1")
SOCKET = "docker.sock"
MAY_HAVE_SOCKET = frozenset({"docker-proxy"})
AT_ONCE = 3
CPU_ROUNDING = 0.011
PAGE = 4096


def users(subject: Subject) -> Iterator[str]:
    """No process is root, and all of our own images are 10001."""
    for container in subject.running:
        for process in _inside(container).processes:
            if process.uid == 0 or (container.is_ours and process.uid != OUR_USER):
                yield f"{container.service}: `{process.command[:80]}` runs as uid {process.uid}"


def roots(subject: Subject) -> Iterator[str]:
    """Nobody can write to the root file system, not even root."""
    for container in subject.containers:
        if not container.host["ReadonlyRootfs"]:
            yield f"{container.service}: its root is not read-only"
        if container.inside is not None and container.inside.root != "EROFS":
            yield f"{container.service}: a file below / gave {container.inside.root}"


def limits(subject: Subject) -> Iterator[str]:
    """Memory, processors and processes are limited, and as declared."""
    for container in subject.running:
        declared = subject.declared(container.service).get("deploy", {}).get("resources", {}).get("limits", {})
        inside = _inside(container)
        for name, found in (("memory", inside.memory), ("pids", inside.pids), ("cpus", inside.cpus)):
            if name not in declared:
                yield f"{container.service}: declares no limit of {name}"
            elif found is None or not _agree(name, float(declared[name]), found):
                yield f"{container.service}: has {name} {found}, declared are {declared[name]}"


def _agree(name: str, declared: float, found: float) -> bool:
    return abs(declared - found) <= {"cpus": CPU_ROUNDING, "memory": PAGE}.get(name, 0)


def rights(subject: Subject) -> Iterator[str]:
    """No capabilities, no way to new ones, seccomp on, nothing of the machine."""
    for container in subject.containers:
        yield from (f"{container.service}: {fault}" for fault in _described_rights(container))
        if container.inside is None:
            continue
        for process in container.inside.processes:
            have = process.effective | process.bounding
            if have or not process.no_new_privileges or process.seccomp != 2:
                yield (
                    f"{container.service}: `{process.command[:80]}` has capabilities {have:x}, no-new-privileges "
                    f"{process.no_new_privileges}, seccomp {process.seccomp}"
                )


def _described_rights(container: Container) -> Iterator[str]:
    host = container.host
    if host["Privileged"] or host.get("CapAdd") or "ALL" not in (host.get("CapDrop") or []):
        yield "does not drop all capabilities"
    for part in ("PidMode", "IpcMode", "NetworkMode", "UsernsMode"):
        if host.get(part) == "host":
            yield f"shares the machine's {part.removesuffix('Mode').lower()}"
    sources = [str(each.get("Source", "")) for each in container.described.get("Mounts", [])]
    if container.service not in MAY_HAVE_SOCKET and any(source.endswith(SOCKET) for source in sources):
        yield "has the engine's socket"


def published(subject: Subject) -> Iterator[str]:
    """Only the edge is offered to all, and Grafana to this machine."""
    for container in subject.containers:
        for port, address, _ in _bindings(container):
            if address in LOOPBACK:
                allowed = ON_LOOPBACK.get(container.service, frozenset()) | PUBLISHED.get(
                    container.service, frozenset()
                )
            else:
                allowed = PUBLISHED.get(container.service, frozenset())
            if port not in allowed:
                yield f"{container.service}: its port {port} is offered on {address or 'all addresses'}"


def _bindings(container: Container) -> Iterator[tuple[int, str, int]]:
    """Of each published port: its number inside, the address, its number outside."""
    ports: Mapping[str, Any] = container.described["NetworkSettings"].get("Ports") or {}
    for name, bound in ports.items():
        for each in bound or []:
            yield int(name.partition("/")[0]), str(each["HostIp"]), int(each["HostPort"])


def reachable(subject: Subject) -> Iterator[str]:
    """From each network, and from outside, only those answer that may."""
    places = [*subject.networks.items(), (FOREIGN, FOREIGN)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for faults in pool.map(lambda place: list(_reachable_from(subject, *place)), places):
            yield from faults


def _reachable_from(subject: Subject, short: str, network: str) -> Iterator[str]:
    if short not in MAY_BE_REACHED:
        yield f"{short}: nobody has said what may be reached from this network"
        return
    doors = {door: each.service for each in subject.running for door in _doors(each)}
    wanted = [(name, port) for where, name, port in MUST_BE_REACHED if where == short]
    outward = _outward(subject)
    reached = reach(subject.docker, network, [*doors, *wanted, *outward, *_closed(subject, short)], [])
    for door, service in doors.items():
        if reached.doors[door] == "open" and service not in MAY_BE_REACHED[short]:
            yield f"{short}: {service} answers at port {door[1]}"
    for door in wanted:
        if reached.doors[door] != "open":
            yield f"{short}: {door[0]}:{door[1]} gave {reached.doors[door]}"
    for door in outward:
        if short in LEADS_NOWHERE and reached.doors[door] != "ENETUNREACH":
            yield f"{short}: leads to other networks; {door[0]} gave {reached.doors[door]}"
        if short == FOREIGN and door[1] in _offered(subject) and reached.doors[door] != "open":
            yield f"{short}: the published port {door[1]} gave {reached.doors[door]}"
    for door in _closed(subject, short):
        if reached.doors[door] == "open":
            yield f"{short}: the machine's port {door[1]} is open"


def _doors(container: Container) -> Iterator[Door]:
    for address in container.addresses.values():
        for port in _inside(container).listening:
            yield address, port


def _outward(subject: Subject) -> list[Door]:
    """The machine, at an address of another network, and the ports that the stack offers there."""
    return [(_machine(subject), port) for port in sorted(_offered(subject))] or [(_machine(subject), 9)]


def _machine(subject: Subject) -> str:
    described = subject.docker.inspect("network", FOREIGN)[0]
    return str(described["IPAM"]["Config"][0]["Gateway"])


def _offered(subject: Subject) -> set[int]:
    bindings = (each for container in subject.running for each in _bindings(container))
    return {outside for _, address, outside in bindings if address not in LOOPBACK}


def _closed(subject: Subject, short: str) -> list[Door]:
    """From outside: the machine's ports of the numbers that containers listen on, unless others use those."""
    if short != FOREIGN:
        return []
    listening = {port for each in subject.running for port in _inside(each).listening}
    return [(_machine(subject), port) for port in sorted(listening - _offered(subject) - _used_by_others())]


def _used_by_others() -> set[int]:
    used = set()
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.laddr:
            used.add(int(each.laddr[1]))
    return used


def names(subject: Subject) -> Iterator[str]:
    """On each network a service's name leads to its containers there, and no other name leads anywhere."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for faults in pool.map(lambda place: list(_names_on(subject, *place)), subject.networks.items()):
            yield from faults


def _names_on(subject: Subject, short: str, network: str) -> Iterator[str]:
    wanted = {name: {name} for name in subject.config["services"]}
    wanted |= {alias: set(services) for alias, (places, services) in ALIASES.items() if short in places}
    found = reach(subject.docker, network, [], sorted(wanted)).names
    for name, services in sorted(wanted.items()):
        there = {each.addresses.get(network) for each in subject.running if each.service in services} - {None}
        if set(found[name]) != there:
            yield f"{short}: {name} is {', '.join(found[name]) or 'nowhere'}, not {len(there)} of its containers"


def secrets(subject: Subject) -> Iterator[str]:
    """No secret stands in what the engine tells of a container, or in the command line of a process."""
    for container in subject.containers:
        described = str(container.described)
        commands = " ".join(each.command for each in container.inside.processes) if container.inside else ""
        for source, secret in subject.secrets.items():
            if secret in described:
                yield f"{container.service}: {source} stands in `docker inspect`"
            if secret in commands:
                yield f"{container.service}: {source} stands in a command line"


def secrets_in(folder: Path) -> dict[str, str]:
    """The secrets of a folder; of a file that has more than one word, those that cannot be anything else."""
    found: dict[str, str] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        text = path.read_text("utf-8", "replace").strip()
        words = [text] if text and not re.search(r"[\s/:]", text) else re.findall(r"[A-Za-z0-9_-]{20,}", text)
        found |= {f"{path.name}{f' ({number})' if number else ''}": word for number, word in enumerate(words)}
    return found


def _inside(container: Container) -> Any:
    return container.inside


CHECKS: Mapping[str, tuple[str, Callable[[Subject], Iterable[str]]]] = {
    "users": ("processes that are root, or ours that are not 10001", users),
    "roots": ("root file systems that can be written to", roots),
    "limits": ("limits that are missing or not as declared", limits),
    "rights": ("capabilities, ways to new rights, parts of the machine", rights),
    "published": ("ports offered that should not be", published),
    "reachable": ("doors open that should not be, or closed that should be open", reachable),
    "names": ("names that lead elsewhere", names),
    "secrets": ("secrets in `docker inspect` or in a command line", secrets),
}


def faults(subject: Subject) -> dict[str, list[str]]:
    """Check → what it found."""
    return {name: list(check(subject)) for name, (_, check) in CHECKS.items()}


def figures(subject: Subject, say: Callable[[str], None]) -> list[Figure]:
    """A row for each check; out of how many containers (of secrets: how many secrets)."""
    counted = {"secrets": len(subject.secrets)}
    found = faults(subject)
    return [
        none_of(title, found[name], counted.get(name, len(subject.containers)), say)
        for name, (title, _) in CHECKS.items()
    ]


def missing(subject: Subject, services: Sequence[str]) -> list[str]:
    """Those of the services that do not run: what does not run was not looked at."""
    return sorted(set(services) - {each.service for each in subject.running})
