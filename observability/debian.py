"""Debian's packages, unpacked beside the system and not installed; they come from where this Debian takes its own."""

import contextlib
import fcntl
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

SOURCES = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
FETCH_SECONDS = 300


class CannotFetch(Exception):
    """Programs are not there and cannot be had; the text says what to do."""


def mirror() -> str | None:
    """Where this Debian takes its packages from; None where there is no apt-get."""
    if shutil.which("apt-get") is None:
        return None
    for words in _sources():
        found = re.search(r"(?m)^(?:URIs:|deb(?: \[[^]]*\])?) +(\S+/debian)/?(?:\s|$)", words)
        if found:
            return found[1]
    return None


@contextlib.contextmanager
def alone_with(folder: Path) -> Iterator[None]:
    """Let those who want to fill the same folder take turns."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def unpack(
    packages: Sequence[str], suites: Sequence[str], folder: Path, finish: Callable[[Path], None] | None = None
) -> None:
    """Make `folder` of the packages of the first suite that can be had.

    Args:
        packages: Their names; what they depend on is not unpacked.
        suites: Suites of Debian, such as `trixie`; they are tried in this order.
        folder: It is replaced when all packages are there, not before.
        finish: What is done with the unpacked files first.

    Raises:
        CannotFetch: No suite has them all, or this is no Debian.
    """
    source = mirror()
    if source is None:
        raise CannotFetch(f"This is no Debian from whose packages {', '.join(packages)} could be taken.")
    problems = []
    for suite in suites:
        try:
            _unpack(packages, f"deb [signed-by={KEYRING}] {source} {suite} main\n", folder, finish)
        except (subprocess.SubprocessError, OSError) as error:
            said = getattr(error, "stderr", None) or str(error)
            problems.append(f"{suite}: {said.strip().splitlines()[-1] if said.strip() else error}")
        else:
            return
    raise CannotFetch(f"Debian's packages {', '.join(packages)} cannot be had ({'; '.join(problems)}).")


def _unpack(packages: Sequence[str], source: str, target: Path, finish: Callable[[Path], None] | None) -> None:
    with tempfile.TemporaryDirectory(prefix="ww-apt-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "archives" / "partial").mkdir(parents=True)
        listed = folder / "sources.list"
        listed.write_text(source)
        options = (
            *("-o", f"Dir::Etc::sourcelist={listed}", "-o", "Dir::Etc::sourceparts=/dev/null"),
            *("-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}"),
            *("-o", "APT::Sandbox::User=root", "-qq"),
        )
        for words in (("update",), ("download", *packages)):
            run(["apt-get", *options, *words], folder)
        unpacked = folder / "unpacked"
        for package in sorted(folder.glob("*.deb")):
            run(["dpkg", "-x", str(package), str(unpacked)], folder)
        if finish is not None:
            finish(unpacked)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(unpacked, target, symlinks=True)


def run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS)


def _sources() -> Iterator[str]:
    for path in (*sorted((SOURCES / "sources.list.d").glob("*")), SOURCES / "sources.list"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            yield path.read_text("utf-8")
