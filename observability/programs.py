"""Prometheus, promtool, Alertmanager and amtool: those of this machine when new enough, else Debian's newest packages.

The packages are unpacked beside the system, into `.tools/monitoring`; nothing is installed.
"""

import contextlib
import fcntl
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".tools" / "monitoring"
PACKAGES = ("prometheus", "promtool", "prometheus-alertmanager")
PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
OTHER_NAMES = {"prometheus-alertmanager": "alertmanager"}
"""What everybody but Debian calls it."""
SUITES = ("forky", "sid")
SOURCES = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
FETCH_SECONDS = 300


class CannotFetch(Exception):
    """They are not there and cannot be had; the text says what to do."""


def program(name: str) -> Path:
    """The path of one of PROGRAMS, fetched if it must be.

    Raises:
        CannotFetch: It is neither here nor to be had.
    """
    fetched = FOLDER / "usr" / "bin" / name
    if not fetched.exists() and (own := _own(name)):
        return own
    if not fetched.exists():
        fetch()
    return fetched


def _own(name: str) -> Path | None:
    """This machine's, when it is Prometheus 3 or newer, and Alertmanager of its time."""
    found = shutil.which(name) or shutil.which(OTHER_NAMES.get(name, name))
    prometheus = shutil.which("prometheus")
    if not found or not prometheus:
        return None
    said = subprocess.run([prometheus, "--version"], capture_output=True, text=True, timeout=30, check=False)
    version = re.search(r"version (\d+)\.", said.stdout + said.stderr)
    return Path(found) if version and int(version[1]) >= 3 else None


def fetch() -> None:
    """Download and unpack Debian's newest packages; several at once take turns."""
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with (FOLDER.parent / "monitoring.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if all((FOLDER / "usr" / "bin" / name).exists() for name in PROGRAMS):
            return
        if shutil.which("apt-get") is None or (mirror := _mirror()) is None:
            raise CannotFetch(
                "Prometheus 3 and Alertmanager are not installed, and this is no Debian from whose packages they "
                "could be taken. Install both so that `prometheus`, `promtool`, `alertmanager` and `amtool` are found."
            )
        problems = []
        for suite in SUITES:
            try:
                _fetch(mirror, suite)
            except (subprocess.SubprocessError, OSError) as error:
                said = getattr(error, "stderr", None) or str(error)
                problems.append(f"{suite}: {said.strip().splitlines()[-1] if said.strip() else error}")
            else:
                return
        raise CannotFetch(f"Debian's packages of Prometheus cannot be had ({'; '.join(problems)}).")


def _fetch(mirror: str, suite: str) -> None:
    with tempfile.TemporaryDirectory(prefix="ww-apt-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "archives" / "partial").mkdir(parents=True)
        listed = folder / "sources.list"
        listed.write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
        options = (
            *("-o", f"Dir::Etc::sourcelist={listed}", "-o", "Dir::Etc::sourceparts=/dev/null"),
            *("-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}"),
            *("-o", "APT::Sandbox::User=root", "-qq"),
        )
        for words in (("update",), ("download", *PACKAGES)):
            _run(["apt-get", *options, *words], folder)
        unpacked = folder / "unpacked"
        for package in sorted(folder.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(unpacked)], folder)
        _with_its_templates(unpacked)
        shutil.rmtree(FOLDER, ignore_errors=True)
        shutil.copytree(unpacked, FOLDER, symlinks=True)


def _with_its_templates(unpacked: Path) -> None:
    """Let Debian's Alertmanager find its templates, which it wants at a fixed place in the system.

    In our copy that path becomes one as long that leads nowhere but to the working directory; a script goes there.
    """
    program, fixed = unpacked / "usr" / "bin" / "prometheus-alertmanager", b"/usr/share/prometheus/alertmanager"
    here = b"./" * (len(fixed) // 2)
    inner = program.with_name("prometheus-alertmanager-unpacked")
    inner.write_bytes(program.read_bytes().replace(fixed, here))
    inner.chmod(0o755)
    program.write_text(
        "#!/bin/sh\n"
        'usr=$(dirname "$(dirname "$(readlink -f "$0")")")\n'
        'cd "$usr/share/prometheus/alertmanager" && exec "$usr/bin/prometheus-alertmanager-unpacked" "$@"\n'
    )


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS)


def _mirror() -> str | None:
    """Where this Debian takes its packages from."""
    for words in _sources():
        found = re.search(r"(?m)^(?:URIs:|deb(?: \[[^]]*\])?) +(\S+/debian)/?(?:\s|$)", words)
        if found:
            return found[1]
    return None


def _sources() -> Iterator[str]:
    for path in (*sorted((SOURCES / "sources.list.d").glob("*")), SOURCES / "sources.list"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            yield path.read_text("utf-8")
