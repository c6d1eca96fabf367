"""Images made here that stand in for those of a registry: the same names, paths, users and starts, other builds.

What a green run on them says, and what it does not, stands in docs/decisions/0022-stand-ins-for-images.md.
An image of that name which we did not make is the real one, and is left alone.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from observability import programs
from observability.debian import KEYRING, CannotFetch, alone_with, mirror, unpack
from standalone import postgres
from tests.stack.docker import Docker, DockerFailed
from tests.stack.engine import ROOT

FOLDER = Path(__file__).parent / "standins"
LABEL = "weedwatch.standin"
"""Its value is the digest of what the image was made from."""
BASE = "weedwatch-standin-base"
BUSYBOX = ROOT / ".tools" / "busybox"
OURS = "weedwatch/"
CERTIFICATES = Path("/usr/local/share/ca-certificates")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
BASE_SECONDS = 600.0
BUILD_SECONDS = 600.0
AT_ONCE = 4
# The same as in the official slim images: no documentation, no manuals, no translations.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*")

Say = Callable[[str], None]
T = TypeVar("T")
Contexts = Callable[[], Mapping[str, Path]]


class CannotBuild(Exception):
    """A stand-in cannot be made; the text says why."""


@dataclass(frozen=True)
class StandIn:
    """`contexts`: the folders that its Dockerfile copies from, by their names there; they are fetched first."""

    image: str
    name: str
    suite: str = ""
    contexts: Contexts = field(default=dict)

    @property
    def dockerfile(self) -> Path:
        return FOLDER / f"{self.name}.Dockerfile"


def _uv() -> Mapping[str, Path]:
    return {"uv": ROOT / ".tools" / "bin"}


def _pgserver() -> Mapping[str, Path]:
    wheel = postgres.find_binaries().parents[1]
    if not (wheel / "pginstall18").exists():
        raise CannotBuild("The stand-in for PostgreSQL is made from the Python environment's. Run `make setup`.")
    return {"pgserver": wheel, "pglibs": wheel.with_name(f"{wheel.name}.libs")}


def _monitoring() -> Mapping[str, Path]:
    programs.fetch()
    with alone_with(BUSYBOX):
        if not BUSYBOX.exists():
            unpack(("busybox-static",), ("bookworm",), BUSYBOX)
    return {"monitoring": programs.FOLDER, "busybox": BUSYBOX}


STANDINS = (
    StandIn("python:3.11.14-slim-bookworm", "python", "bookworm"),
    StandIn("ghcr.io/astral-sh/uv:0.13.8", "uv", contexts=_uv),
    StandIn("nginx:1.28.0-bookworm", "nginx", "forky"),
    StandIn("postgres:18.1-bookworm", "postgres", "bookworm", _pgserver),
    StandIn("redis:8.2.3-bookworm", "redis", "forky"),
    StandIn("prom/prometheus:v3.5.0", "prometheus", "bookworm", _monitoring),
    StandIn("prom/alertmanager:v0.28.1", "alertmanager", "bookworm", _monitoring),
)
PYTHON = STANDINS[0].image


def without_stand_in(images: Iterable[str]) -> list[str]:
    """Which of a compose file's images (`docker compose config --images`) are neither ours nor stood in for."""
    made = {each.image for each in STANDINS}
    return sorted({name for name in images if name.strip()} - made - {name for name in images if name.startswith(OURS)})


def build(docker: Docker, say: Say, standins: Iterable[StandIn] = STANDINS) -> None:
    """Make those that are missing or made from something else; a second call finds them all.

    Raises:
        CannotBuild: One cannot be made.
    """
    wanted = tuple(standins)
    with contextlib.ExitStack() as stack:
        try:
            sources = {each.name: _timed(f"programs for {each.name}", say, each.contexts) for each in wanted}
        except (CannotFetch, subprocess.SubprocessError) as problem:
            raise CannotBuild(f"What the stand-ins are made from cannot be had: {problem}") from None
        digests = {each.image: digest(each, sources[each.name]) for each in wanted}
        labels = _labels(docker, [*digests, *(f"{BASE}:{suite}" for suite in _suites(wanted))])
        missing = [each for each in wanted if labels.get(each.image, "") not in {digests[each.image], None}]
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        bases = {suite: pool.submit(_base, docker, suite, labels, say) for suite in _suites(missing)}
        made = [
            pool.submit(_image, docker, each, sources[each.name], digests[each.image], bases.get(each.suite), say)
            for each in sorted(missing, key=lambda each: bool(each.suite))
        ]
        for future in made:
            future.result()


def _suites(standins: Iterable[StandIn]) -> list[str]:
    return sorted({each.suite for each in standins if each.suite})


def _labels(docker: Docker, images: Iterable[str]) -> dict[str, str | None]:
    """Image → the digest in its label, None when it is somebody else's; those that are not there are left out."""
    found: dict[str, str | None] = {}
    for image in images:
        done = docker.attempt("image", "inspect", "--format", "{{json .Config.Labels}}", image)
        if done.returncode == 0:
            found[image] = (json.loads(done.stdout) or {}).get(LABEL)
    return found


def digest(standin: StandIn, contexts: Mapping[str, Path]) -> str:
    """Of all that goes into the image: its files, its base, and the names and sizes of the programs."""
    lines = [standin.image, base_digest(standin.suite) if standin.suite else ""]
    own = FOLDER / standin.name
    for path in (standin.dockerfile, *sorted(each for each in own.rglob("*") if each.is_file())):
        lines.append(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    for name, folder in sorted(contexts.items()):
        lines += [f"{name} {path} {size}" for path, size in sorted(_programs_in(folder))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _programs_in(folder: Path) -> Iterator[tuple[str, int]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK):
            yield str(path.relative_to(folder)), path.stat().st_size


def base_digest(suite: str) -> str:
    """Of how a base is made, and of this machine's own certificates that go into it."""
    words = [*_mmdebstrap(suite, Path("/base.tar"), "mirror"), *(path.read_text() for path in _certificates())]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _certificates() -> list[Path]:
    return sorted(CERTIFICATES.glob("*.crt"))


def _mmdebstrap(suite: str, target: Path, source: str) -> list[str]:
    # Packages are fetched as this machine fetches them: its certificates are those that the network needs.
    hooks = [f"--customize-hook=copy-in {path} {CERTIFICATES}" for path in _certificates()]
    return [
        *("mmdebstrap", "--mode=root", "--variant=apt", "--include=ca-certificates,passwd"),
        "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",  # else a program comes along that needs all of Perl
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        "--dpkgopt=force-unsafe-io",
        *('--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', *_validity()),
        *(f'--customize-hook=mkdir -p "$1{CERTIFICATES}"', *hooks),
        '--customize-hook=chroot "$1" update-ca-certificates',
        *(f"--keyring={KEYRING}", suite, str(target), source),
    ]


def _validity() -> list[str]:
    """A mirror that stands still has lists whose time is over; who uses one has told apt so."""
    done = subprocess.run(
        ["apt-config", "dump", "--format=%v", "Acquire::Check-Valid-Until"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return ['--aptopt=Acquire::Check-Valid-Until "false"'] if done.stdout == "false" else []


def _base(docker: Docker, suite: str, labels: Mapping[str, str | None], say: Say) -> None:
    image, wanted = f"{BASE}:{suite}", base_digest(suite)
    if labels.get(image) == wanted:
        return
    source = mirror()
    if source is None:
        raise CannotBuild("Stand-ins are made of Debian's packages, and this is no Debian.")

    def make() -> None:
        with tempfile.TemporaryDirectory(prefix="ww-base-") as name:
            archive = Path(name) / "base.tar"
            done = subprocess.run(
                _mmdebstrap(suite, archive, source),
                capture_output=True,
                text=True,
                timeout=BASE_SECONDS,
                check=False,
            )
            if done.returncode != 0:
                raise CannotBuild(f"mmdebstrap could not make {suite}: {done.stderr.strip()[-1500:]}")
            trusts = " ".join(
                f"{each}={BUNDLE}"
                for each in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
            )
            changes = (f"LABEL {LABEL}={wanted}", f"ENV {trusts}", 'CMD ["bash"]')
            options = [word for change in changes for word in ("--change", change)]
            docker.run("import", *options, str(archive), image, seconds=BUILD_SECONDS)

    _timed(image, say, make)


def _image(
    docker: Docker,
    standin: StandIn,
    contexts: Mapping[str, Path],
    wanted: str,
    base: "Future[None] | None",
    say: Say,
) -> None:
    if base is not None:
        base.result()
    named = [f"--build-context={name}={folder}" for name, folder in contexts.items()]

    def make(context: Path) -> None:
        try:
            docker.run(
                *("buildx", "build", "--progress=plain", f"--file={standin.dockerfile}", f"--tag={standin.image}"),
                *(f"--label={LABEL}={wanted}", *named, str(context)),
                seconds=BUILD_SECONDS,
            )
        except DockerFailed as problem:
            raise CannotBuild(f"The stand-in for {standin.image} cannot be built: {problem}") from None

    with tempfile.TemporaryDirectory(prefix="ww-empty-") as empty:
        own = FOLDER / standin.name
        _timed(standin.image, say, lambda: make(own if own.exists() else Path(empty)))


def _timed(name: str, say: Say, make: Callable[[], T]) -> T:
    started = time.monotonic()
    made = make()
    took = time.monotonic() - started
    if took > 1:
        say(f"{name}: {took:.0f} s")
    return made
