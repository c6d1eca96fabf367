"""`python -m quarantine.enter OPTIONS COMMAND…`: a command where it can do no harm.

It sees no network but its own loopback, no process but its own, no file of the state folder, and writes nowhere but in
its work folder. It has no capabilities, limits of its own, and ends with us: all that it started too.
"""

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CANNOT_ENTER = 97
INNER_ID = 1000
_NEW_NAMESPACES = 0x10000000 | 0x00020000 | 0x08000000 | 0x20000000 | 0x40000000  # user, mount, ipc, pid, net
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY = 442, -100, 0x8000, 1
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x1 | 0x40

_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("namespace", ctypes.c_uint64),
    )


def has_network() -> bool:
    """Whether anything but the own loopback can be reached from here."""
    return any(name != "lo" for _, name in socket.if_nameindex())


def separate(work: Path, hide: Sequence[Path]) -> None:
    """Leave the network, the other processes and the writable files behind.

    Raises:
        OSError: The kernel or the container forbids it.
    """
    user, group = os.getuid(), os.getgid()
    _call("unshare", _libc.unshare(_NEW_NAMESPACES))
    Path("/proc/self/setgroups").write_text("deny")
    # Not root in there: then the next program that is started has no capabilities left.
    Path("/proc/self/uid_map").write_text(f"{INNER_ID} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{INNER_ID} {group} 1")
    _mount(None, Path("/"), None, _MS_REC | _MS_PRIVATE)
    _mount(work, work, None, _MS_BIND | _MS_REC)
    _set_read_only(Path("/"), is_on=True)
    _set_read_only(work, is_on=False)
    for path in hide:
        if path.is_dir():
            _mount(None, path, "tmpfs", _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
        elif path.exists():
            _mount(Path(os.devnull), path, None, _MS_BIND)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP_RUNNING))


def limit(limits: Mapping[str, int]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        most = resource.getrlimit(number)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)  # noqa: PLW2901
        resource.setrlimit(number, (value, value))


def _mount(source: Path | None, target: Path, kind: str | None, flags: int) -> None:
    names = [os.fsencode(each) if each is not None else None for each in (source, target, kind)]
    _call(f"mount on {target}", _libc.mount(*names, ctypes.c_ulong(flags), b"size=4k" if kind else None))


def _set_read_only(path: Path, *, is_on: bool) -> None:
    attributes = _Attributes(_ATTR_RDONLY if is_on else 0, 0 if is_on else _ATTR_RDONLY, 0, 0)
    flags = _AT_RECURSIVE if is_on else 0
    number, size = ctypes.c_long(_SYS_MOUNT_SETATTR), ctypes.c_size_t(ctypes.sizeof(attributes))
    done = _libc.syscall(number, _AT_FDCWD, os.fsencode(path), ctypes.c_uint(flags), ctypes.byref(attributes), size)
    _call(f"mount_setattr of {path}", done)


def _call(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main(options: Mapping[str, Any], command: Sequence[str]) -> int:
    _end_with_parent()
    work = Path(options["work"])
    try:
        separate(work, [Path(path) for path in options["hide"]])
    except OSError as error:
        if has_network() and not options["allow_network"]:
            print(
                f"The check cannot be cut off from the network here ({error.strerror}), so nothing is loaded. Let this "
                "process make user namespaces, or start it without a network."
            )
            return CANNOT_ENTER
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _end_with_parent()  # again: a new user namespace clears it
    limit(options["limits"])
    # The first process of the namespace: when it ends, the kernel ends all others there.
    return subprocess.run(command, cwd=work, check=False, preexec_fn=_end_with_parent).returncode


if __name__ == "__main__":
    code = main(json.loads(sys.argv[1]), sys.argv[2:])
    sys.exit(code if code >= 0 else 128 - code)
