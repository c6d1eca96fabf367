"""What runs inside a probing container: its text is sent there, so it uses the standard library alone.

`inside` looks at the container whose process ids and network it shares; `reach` knocks at doors from where it stands.
"""

import errno
import json
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CONNECT_SECONDS = 3.0
AT_ONCE = 64
STATUS = ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
LISTENS = "0A"
PERIOD = 100_000
# Version 2 of control groups, then version 1.
MEMORY = ("memory.max", "memory/memory.limit_in_bytes")
PIDS = ("pids.max", "pids/pids.max")
QUOTA = ("cpu.max", "cpu/cpu.cfs_quota_us", "cpu,cpuacct/cpu.cfs_quota_us")


def inside() -> dict[str, object]:
    """The container as its process 1 has it; where it could be written to, the file is removed again."""
    return {
        "processes": _processes(),
        "root": _write(Path("/proc/1/root/weedwatch-probe")),
        "memory": _limit(MEMORY),
        "pids": _limit(PIDS),
        "cpus": _cpus(),
        "listening": _listening(),
    }


def _processes() -> list[dict[str, str]]:
    """Those of the container; ours has another root."""
    found, root = [], Path("/proc/1/root").stat()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            own = (folder / "root").stat()
            if (own.st_dev, own.st_ino) != (root.st_dev, root.st_ino):
                continue
            lines = (folder / "status").read_text().splitlines()
            status = {name: value.split()[0] for name, _, value in (line.partition(":") for line in lines) if value}
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # it has just ended
            continue
        found.append({"command": command, **{name: status.get(name, "") for name in STATUS}})
    return found


def _write(path: Path) -> str:
    try:
        path.write_bytes(b"")
        path.unlink()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "written"


def _read(names: tuple[str, ...]) -> str:
    for name in names:
        for place in ("/proc/1/root/sys/fs/cgroup", "/sys/fs/cgroup"):
            try:
                return (Path(place) / name).read_text().strip()
            except OSError:
                continue
    return "max"


def _limit(names: tuple[str, ...]) -> int | None:
    """None when there is none; version 1 says so by a number near 2⁶³."""
    said = _read(names)
    return None if said in {"max", "-1"} or int(said) > 1 << 60 else int(said)


def _cpus() -> float | None:
    quota, _, period = _read(QUOTA).partition(" ")
    return None if quota in {"max", "-1"} else int(quota) / int(period or PERIOD)


def _listening() -> list[int]:
    """TCP ports that not only the container itself can reach."""
    ports = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            address, _, port = line.split()[1].rpartition(":")
            if line.split()[3] == LISTENS and not _is_loopback(address):
                ports.add(int(port, 16))
    return sorted(ports)


def _is_loopback(address: str) -> bool:
    """`0100007F`, its IPv6 form, or ::1; numbers have their bytes turned round."""
    return bool(re.fullmatch(r"(0{16}FFFF0000)?[0-9A-F]{6}7F|0{24}01000000", address))


def reach(doors: list[tuple[str, int]]) -> list[str]:
    """For each door: `open`, or why not: the name of an error, `timeout`, or `no name`."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda door: _knock(*door), doors))


def _knock(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS):
            return "open"
    except socket.gaierror:
        return "no name"
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))


def names(hosts: list[str]) -> list[list[str]]:
    """The addresses of each name; none when there is no such name."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_addresses, hosts))


def _addresses(host: str) -> list[str]:
    try:
        return sorted({str(each[4][0]) for each in socket.getaddrinfo(host, None, socket.AF_INET)})
    except socket.gaierror:
        return []


def main() -> None:
    given = json.loads(sys.argv[1])
    answer = inside() if given.get("inside") else {"doors": reach(given["doors"]), "names": names(given["names"])}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
