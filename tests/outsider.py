"""What another user of the machine finds: every socket that the service listens on, and what it says to an outsider.

The list is the kernel's, of the processes that run: a socket that no rule knows is not refused.
"""

import contextlib
import errno
import json
import os
import socket
import stat
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
import psycopg

from tests.proofs.stack import Stack, run_description

OUTSIDER = 65533
"""Neither root nor `nobody`, as whom PostgreSQL runs when root starts it."""
BROADCAST = "255.255.255.255"
SECONDS = 10.0
_LISTENS = 0x10000  # __SO_ACCEPTCON, in the flags of /proc/net/unix


@dataclass(frozen=True)
class Door:
    """One listening socket; `address` is a path for kind unix, `@name` for an abstract one."""

    kind: str
    address: str
    port: int
    process: str


@dataclass(frozen=True)
class Knock:
    """What an outsider was told at a door."""

    door: Door
    refused: bool
    how: str


def knock_everywhere(stack: Stack) -> list[Knock]:
    """Ask at every door of a running service."""
    assert stack.front is not None
    return [knock(stack, door) for door in doors(psutil.Process(stack.front.pid))]


def doors(root: psutil.Process) -> list[Door]:
    found: set[Door] = set()
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            name = process.name()
            found |= {Door(*unix, 0, name) for unix in _unix(process.pid)}
            for each in process.net_connections("tcp"):
                if each.status == psutil.CONN_LISTEN:
                    found.add(Door("tcp", each.laddr.ip.removeprefix("::ffff:"), each.laddr.port, name))
            for each in process.net_connections("udp"):
                if tuple(each.raddr) == ():
                    found.add(Door("udp", each.laddr.ip, each.laddr.port, name))
    return sorted(found, key=lambda door: (door.kind, door.address, door.port))


def _unix(pid: int) -> Iterator[tuple[str, str]]:
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))  # noqa: PTH115
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        parts = line.split(maxsplit=7)
        listens = int(parts[3], 16) & _LISTENS or int(parts[4], 16) == socket.SOCK_DGRAM
        if parts[6] in inodes and listens and len(parts) == 8:
            yield "unix", parts[7]


def knock(stack: Stack, door: Door) -> Knock:
    described = run_description(stack)
    rule: Callable[[Stack, Door], str]
    if door.kind == "unix" and door.address.startswith("/"):
        rule = _socket
    elif (door.kind, door.address) == ("tcp", BROADCAST):
        rule = _broadcast
    elif (door.kind, door.address, door.port) == ("tcp", "127.0.0.1", described["ports"]["postgres"]):
        rule = _postgres
    elif (door.kind, door.port) == ("tcp", stack.port):
        rule = _public
    else:
        return Knock(door, refused=False, how="no rule says who may come in")
    try:
        return Knock(door, refused=True, how=rule(stack, door))
    except AssertionError as open_door:
        return Knock(door, refused=False, how=str(open_door))


def _socket(_stack: Stack, door: Door) -> str:
    folder = Path(door.address).parent.stat()
    mode = stat.S_IMODE(folder.st_mode)
    assert (mode, folder.st_uid) == (0o700, os.geteuid()), f"its folder has the mode {mode:o}"
    if os.geteuid() == 0:
        return _refused(socket.AF_UNIX, door.address, errno.EACCES)
    return "its folder is the owner's alone"


def _broadcast(_stack: Stack, door: Door) -> str:
    _refused(socket.AF_INET, ("127.0.0.1", door.port), errno.ECONNREFUSED)
    return _refused(socket.AF_INET, (door.address, door.port), errno.ENETUNREACH)


def _postgres(_stack: Stack, door: Door) -> str:
    for user in ("weedwatch", "postgres", "outsider"):
        for password in ("", "postgres", "weedwatch"):
            try:
                psycopg.connect(
                    host=door.address, port=door.port, user=user, password=password, dbname="weedwatch", passfile="/",
                    connect_timeout=10,
                ).close()  # fmt: skip
            except psycopg.OperationalError:
                continue
            raise AssertionError(f"{user} comes in with the password {password!r}")
    return "it wants a password"


def _public(stack: Stack, _door: Door) -> str:
    answer = httpx2.delete(f"http://127.0.0.1:{stack.port}/history", timeout=SECONDS)
    assert answer.status_code == 401, f"it deletes records for anybody: {answer.status_code}"
    return "the public door, which wants a credential where the policy says so"


def _refused(family: int, address: str | tuple[str, int], wanted: int) -> str:
    """Connect as the outsider, where we may become it; else as ourselves."""
    told = _in_a_child(lambda: _connect(family, address))
    assert told == wanted, f"an outsider is told {errno.errorcode.get(told, 'nothing: it is connected')}"
    return os.strerror(told)


def _connect(family: int, address: str | tuple[str, int]) -> int:
    with socket.socket(family, socket.SOCK_STREAM) as asking:
        asking.settimeout(SECONDS)
        if family == socket.AF_INET:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return asking.connect_ex(address)


def _in_a_child(ask: Callable[[], int]) -> int:
    """Forked, not started: another user may not even read our Python."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # our threads hold no lock that the child needs
        child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(OUTSIDER, OUTSIDER, OUTSIDER)
                os.setresuid(OUTSIDER, OUTSIDER, OUTSIDER)
            os.write(writer, json.dumps(ask()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        answer = told.read()
    os.waitpid(child, 0)
    return int(answer)
