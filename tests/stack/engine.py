"""A Docker Engine: the one that answers already, else Debian's, unpacked beside the system, with a folder of its own.

Ours needs root. Of the system it takes runc, iptables, tini and mmdebstrap, which it installs where they are missing:
the newest runc would need a newer system. Nothing else is installed, and nothing is left running.
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from observability.debian import CannotFetch, alone_with, unpack
from standalone.child import Child, Program
from tests.stack.docker import Docker, DockerFailed, environment_for

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".tools" / "docker"
PACKAGES = ("docker.io", "docker-cli", "containerd", "docker-buildx", "docker-compose")
SUITES = ("trixie",)
PLUGINS = ("docker-compose", "docker-buildx")
OF_THE_SYSTEM = {"runc": "runc", "iptables": "iptables", "tini-static": "tini", "mmdebstrap": "mmdebstrap"}
"""Program → its package."""
OLDEST = 25
"""The first engine that knows `start_interval` of a health check."""
START_SECONDS = 90.0
END_SECONDS = 90.0
INSTALL_SECONDS = 600


class NoEngine(Exception):
    """There is no Docker Engine and none can be started; the text says why."""


@dataclass(frozen=True)
class Place:
    """Where an engine of ours keeps what it has: images and volumes in `folder`, sockets in a short path below /run."""

    folder: Path

    @property
    def run(self) -> Path:
        # The path of a socket must be short, and the folder's may be long.
        return Path("/run") / f"weedwatch-docker-{hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:8]}"

    @property
    def socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def pid_file(self) -> Path:
        return self.run / "docker.pid"

    @property
    def log(self) -> Path:
        return self.folder / "dockerd.log"

    def docker(self) -> Docker:
        return Docker(environment_for(f"unix://{self.socket}", PROGRAMS))


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[Docker]:
    """An engine to use: one that answers, else ours in `folder`, which ends with the block, and when we die.

    Raises:
        NoEngine: None answers and none can be started.
    """
    found = answering(folder)
    if found is not None:
        yield found
        return
    place = prepare(folder)
    child = Child(_program(place))
    try:
        _until_ready(place, child)
        yield place.docker()
    finally:
        end(place)


def answering(folder: Path) -> Docker | None:
    """The engine that answers: at DOCKER_HOST, at the usual socket or, if it was started to be kept, in `folder`."""
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    for each in (host, f"unix://{Place(folder).socket}"):
        path = each.removeprefix("unix://")
        if each.startswith("unix://") and not _answers(Path(path)):
            continue
        docker = _client(each)
        with contextlib.suppress(DockerFailed):
            version = docker.run("version", "--format", "{{.Server.Version}}", seconds=30)
            if int(version.split(".")[0]) >= OLDEST:
                return docker
    return None


def _client(host: str) -> Docker:
    """The machine's own client when it knows compose and buildx, else ours."""
    own = Docker({**os.environ, "DOCKER_HOST": host})
    try:
        if all(own.attempt(name, "version", seconds=30).returncode == 0 for name in ("compose", "buildx")):
            return own
    except DockerFailed:
        pass
    fetch()
    return Docker(environment_for(host, PROGRAMS))


def fetch() -> None:
    """Unpack the engine and its client, and install what they need of this system.

    Raises:
        NoEngine: Something cannot be had.
    """
    with alone_with(PROGRAMS):
        try:
            if not (PROGRAMS / "config").exists():
                unpack(PACKAGES, SUITES, PROGRAMS, finish=_with_plugins)
            _install()
        except CannotFetch as problem:
            raise NoEngine(str(problem)) from None


def _with_plugins(unpacked: Path) -> None:
    """A folder for DOCKER_CONFIG whose links stay right when the tree moves."""
    plugins = unpacked / "config" / "cli-plugins"
    plugins.mkdir(parents=True)
    for name in PLUGINS:
        (plugins / name).symlink_to(Path("../../usr/libexec/docker/cli-plugins") / name)


def _install() -> None:
    missing = sorted({package for program, package in OF_THE_SYSTEM.items() if not _of_the_system(program)})
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotFetch(f"Install {', '.join(missing)}, or start a Docker Engine and name it in DOCKER_HOST.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update",), ("install", "-y", "--no-install-recommends", *missing)):
        done = subprocess.run(
            ["apt-get", "-qq", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise CannotFetch(f"`apt-get {' '.join(words)}` failed: {done.stderr.strip()[-500:]}")


def _of_the_system(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))


def prepare(folder: Path) -> Place:
    """Have everything at hand to start an engine, and clear what one left that was killed."""
    if os.geteuid() != 0:
        raise NoEngine("No Docker Engine answers, and only root can start one. Name yours in DOCKER_HOST.")
    fetch()
    place = Place(folder.resolve())
    place.folder.mkdir(parents=True, exist_ok=True)
    end(place)
    place.run.mkdir(mode=0o700, exist_ok=True)
    (place.folder / "daemon.json").write_text("{}\n")  # not the machine's own
    return place


def _program(place: Place) -> Program:
    init = _of_the_system("tini-static") or "tini-static"
    return Program(
        name="Docker Engine",
        command=(
            *(str(PROGRAMS / "usr" / "sbin" / "dockerd"), f"--config-file={place.folder / 'daemon.json'}"),
            *(f"--data-root={place.folder / 'data'}", f"--exec-root={place.run / 'exec'}"),
            *(f"--pidfile={place.pid_file}", f"--host=unix://{place.socket}", f"--init-path={init}"),
            "--log-level=warn",
        ),
        environment=place.docker().environment,
        folder=place.folder,
        log=place.log,
        stop_seconds=END_SECONDS,
    )


def keep(folder: Path) -> Docker:
    """Start an engine that outlives us, unless one answers already; `end` ends it."""
    if found := answering(folder):
        return found
    place = prepare(folder)
    program = _program(place)
    with program.log.open("ab") as output:
        process = subprocess.Popen(
            program.command,
            cwd=program.folder,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _until_ready(place, process)
    except BaseException:
        end(place)
        raise
    return place.docker()


def _until_ready(place: Place, process: "Child | subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(place.socket):
        code = process.exit_code if isinstance(process, Child) else process.poll()
        if code is not None or time.monotonic() > deadline:
            why = process.end() if isinstance(process, Child) and code is not None else f"see {place.log}"
            raise NoEngine(f"The Docker Engine did not start: {why}")
        time.sleep(0.1)


def _answers(path: Path) -> bool:
    """Whether an engine answers at this socket."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b"200 OK" in connection.recv(100)
    return False


def end(place: Place) -> None:
    """End the engine in order, else by force, then whatever is left of it. Does nothing where none runs."""
    daemon = _daemon(place)
    if daemon is not None:
        with contextlib.suppress(psutil.Error):
            daemon.send_signal(signal.SIGTERM)
        _reap(daemon, END_SECONDS)
    leftover = _leftover(place)
    for process in leftover:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(leftover, 20)
    _unmount(place)
    shutil.rmtree(place.run, ignore_errors=True)


def _daemon(place: Place) -> psutil.Process | None:
    try:
        process = psutil.Process(int(place.pid_file.read_text()))
        return process if f"--pidfile={place.pid_file}" in process.cmdline() else None
    except (OSError, ValueError, psutil.Error):
        return None


def _reap(process: psutil.Process, seconds: float) -> None:
    with contextlib.suppress(psutil.Error):
        process.wait(seconds)


def _leftover(place: Place) -> list[psutil.Process]:
    """The engine, containerd and the shims, which all name the folder of their sockets, and what runs below them."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(re.search(rf"{re.escape(str(place.run))}/", word) for word in process.cmdline()):
                found |= {each.pid: each for each in (process, *process.children(recursive=True))}
    found.pop(os.getpid(), None)
    return list(found.values())


def _unmount(place: Place) -> None:
    """What a killed engine left mounted, innermost first."""
    mounted = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    below = (f"{place.run}/", f"{place.folder.resolve() / 'data'}/")
    for path in sorted((each for each in mounted if f"{each}/".startswith(below)), key=len, reverse=True):
        subprocess.run(["umount", "-l", path], capture_output=True, timeout=30, check=False)
