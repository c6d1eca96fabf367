"""The few Linux calls that Python does not offer; elsewhere they do nothing and the clean-up by process id remains."""

import ctypes
import os
import resource
import sys
from pathlib import Path

IS_LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWUSER = 0x10000000

# Loaded at import: a forked child must not load libraries.
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal_number: int, parent: int) -> None:
    """Ask the kernel for a signal at the parent's death.

    Call it last before exec: a change of user or user namespace clears the request.
    """
    if not IS_LINUX:
        return
    _libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # It died before we asked.
        os.kill(os.getpid(), signal_number)


def at_most(number: int, value: int) -> tuple[int, int]:
    """A limit for us and for what we start, which nobody can lift again."""
    most = resource.getrlimit(number)[1]
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    return value, value


def dump_no_core() -> None:
    """No core files of us and of what we start: they would hold secrets and people's photos.

    One byte, not none: that stops the kernel from handing the core to a program, too (man 5 core).
    """
    resource.setrlimit(resource.RLIMIT_CORE, at_most(resource.RLIMIT_CORE, 1))


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent dies, so that they can be found and ended."""
    if IS_LINUX:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def enter_user_namespace(inner_id: int) -> None:
    """Appear as user and group `inner_id`, to programs that refuse root, with root's own access to files.

    Raises:
        OSError: The kernel or the container forbids user namespaces.
    """
    if _libc.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inner_id} 0 1")
    Path("/proc/self/gid_map").write_text(f"{inner_id} 0 1")
