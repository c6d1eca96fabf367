"""As whom PostgreSQL runs. It refuses to run as root, so root needs another way to own its data.

1. Not root: as is.
2. Root, and `nobody` reaches the programs and the state folder: as `nobody`, which owns the data folder only.
3. Root, and a parent folder is closed to others: as `nobody` of a user namespace; files stay root's.
4. Root, closed folders, and no user namespaces: programs and data move to a folder of our own under /var/tmp.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from standalone.errors import CannotRun
from standalone.identity import Identity

NOBODY = 65534


@dataclass(frozen=True)
class Home:
    """Where PostgreSQL's programs and data are, and as whom they run."""

    binaries: Path
    folder: Path
    identity: Identity

    def own(self, path: Path) -> None:
        """Give a file or a tree to the user that PostgreSQL runs as."""
        if os.geteuid() != 0:
            return
        owner = (self.identity.user_id or 0, self.identity.group_id or 0)
        for each in (path, *path.rglob("*")):
            found = each.lstat()
            if (found.st_uid, found.st_gid) != owner:
                os.chown(each, *owner, follow_symlinks=False)


def choose_home(binaries: Path, folder: Path) -> Home:
    """Choose the first of the four ways that works here; `folder` must exist.

    Raises:
        CannotRun: None works.
    """
    if os.geteuid() != 0:
        return Home(binaries, folder, Identity())
    other = nobody()
    if runs(binaries, folder, other):
        return Home(binaries, folder, other)
    inside = Identity(namespace_id=NOBODY)
    if runs(binaries, folder, inside):
        return Home(binaries, folder, inside)
    moved = move_out(binaries, folder)
    if runs(moved.binaries, moved.folder, moved.identity):
        return moved
    raise CannotRun(
        f"PostgreSQL cannot run as root, and no other user reaches {folder} or {moved.folder}. "
        "Start as another user, or name a PostgreSQL server in DATABASE_URL."
    )


def nobody() -> Identity:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Identity(NOBODY, NOBODY)
    return Identity(entry.pw_uid, entry.pw_gid)


def runs(binaries: Path, folder: Path, identity: Identity) -> bool:
    """Whether this identity can run the server's program and enter the data's folder."""
    script = 'test -x "$1" && exec "$0" --version'
    command = ["/bin/sh", "-c", script, str(binaries / "postgres"), str(folder)]
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, timeout=30, check=False, **identity.arguments())
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def move_out(binaries: Path, folder: Path) -> Home:
    """Copy the programs beside a data folder under /var/tmp; their links need the wheel's layout."""
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    home = Path("/var/tmp") / f"weedwatch-{key}"  # noqa: S108 - made private, and refused when another owns it
    home.mkdir(mode=0o711, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != 0:
        raise CannotRun(f"{home} belongs to another user. Remove it, or name a PostgreSQL server in DATABASE_URL.")
    package = binaries.parent.parent
    copy = home / "programs" / package.name / binaries.parent.name
    if not (copy / "bin" / "postgres").exists():
        shutil.rmtree(home / "programs", ignore_errors=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, home / "programs" / libraries.name)
        shutil.copytree(binaries.parent, copy, symlinks=True)
    (home / "data").mkdir(mode=0o711, exist_ok=True)
    return Home(copy / "bin", home / "data", nobody())
