"""Loopback ports: finding free ones, and naming who holds a busy one."""

import random
import socket

import psutil

# Below the range that Linux hands to outgoing connections, so that nothing takes a port while its owner restarts.
INNER_PORTS = range(20_000, 32_000)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Give `count` different free ports of 127.0.0.1."""
    found: list[int] = []
    for port in random.SystemRandom().sample(INNER_PORTS, len(INNER_PORTS)):
        if is_free(port):
            found.append(port)
        if len(found) == count:
            break
    return found


def next_free_port(port: int, host: str) -> int | None:
    return next((other for other in range(port + 1, min(port + 200, 65_536)) if is_free(other, host)), None)


def holder(port: int) -> str | None:
    """Name the program and the process id that listen on a port, as far as this user may see it."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if listens and connection.pid:
            return describe(connection.pid)
    return None


def describe(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline())[:80] or process.name()
        return f"{process.name()} (pid {pid}: {command})"
    except psutil.Error:
        return f"process {pid}"
