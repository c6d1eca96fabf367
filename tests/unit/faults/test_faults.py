"""The fault tools do what they say to something harmless."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.faults.disk import fill, small_disk
from tests.faults.processes import frozen, instants
from tests.faults.proxy import Cut, Proxy
from tests.faults.strace import Injection, read_trace, traced
from tests.waiting import wait_until

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00Z\x00\x00\x00\x05I"
WRITER = """
import os, sys, time
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
print(flush=True)
for number in range(2000):
    try:
        os.write(file, b"x")
        os.fsync(file)
        print("done", flush=True)
    except OSError as error:
        print(error.errno, flush=True)
    time.sleep(0.01)
"""
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed (apt: strace); a tool of the proofs only"
)


@contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WRITER, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_instants_are_the_same_for_the_same_seed() -> None:
    assert instants(3, 5, 2.0) == instants(3, 5, 2.0) != instants(4, 5, 2.0)
    assert all(0 <= each <= 2.0 for each in instants(3, 50, 2.0))


def test_a_frozen_process_stands_still_and_goes_on(tmp_path: Path) -> None:
    with writer(tmp_path / "file") as process:
        seen = psutil.Process(process.pid)
        with frozen([process.pid]):
            assert wait_until(lambda: seen.status() == psutil.STATUS_STOPPED, 10) is not None
        assert wait_until(lambda: seen.status() != psutil.STATUS_STOPPED, 10) is not None


@needs_strace
def test_a_sync_fails_at_its_nth_time(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with (
        writer(tmp_path / "file") as process,
        traced(process.pid, trace, injections=[Injection("fsync", "error=EIO", "2")]),
    ):
        assert process.stdout is not None
        said = [process.stdout.readline().strip() for _ in range(40)]
    assert said.count("5") == 1
    syncs = [call for call in read_trace(trace) if call.name == "fsync"]
    assert [call.failed for call in syncs][:3] == [False, True, False]
    assert syncs[0].path == str(tmp_path / "file")


@needs_strace
def test_a_process_is_killed_at_its_nth_write(tmp_path: Path) -> None:
    injection = Injection("fsync", "signal=SIGKILL", "3")
    with writer(tmp_path / "file") as process, traced(process.pid, tmp_path / "trace", injections=[injection]):
        assert process.wait(20) == -signal.SIGKILL


@needs_strace
def test_a_process_without_strace_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not attach"), traced(2**22, tmp_path / "trace", calls="fsync"):
        pass


def test_a_small_disk_is_full_and_empty_again(tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path / "disk", 256 * 1024) as disk:
            ballast = fill(disk, leave_bytes=0)
            with pytest.raises(OSError, match="space"), (disk / "more").open("wb") as file:
                file.write(bytes(65536))
            ballast.unlink()
            (disk / "more").write_bytes(bytes(1000))
    except RuntimeError as error:
        pytest.skip(str(error))
    assert list((tmp_path / "disk").iterdir()) == []


@contextmanager
def proxied() -> Iterator[tuple[Proxy, list[bytes]]]:
    """A proxy before a server that answers COMMITTED to whatever holds COMMIT, and `ok` to the rest."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer(connection: socket.socket) -> None:
            with connection, suppress(ConnectionResetError, BrokenPipeError):
                while data := connection.recv(1000):
                    received.append(data)
                    connection.sendall(COMMITTED if b"COMMIT" in data else b"ok")

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        proxy = Proxy(listener.getsockname()[1])
        try:
            yield proxy, received
        finally:
            proxy.close()
            listener.shutdown(socket.SHUT_RDWR)


def said(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    try:
        return connection.recv(1000)
    except ConnectionResetError:
        return b""


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def test_the_proxy_forwards() -> None:
    with proxied() as (proxy, _), connected(proxy) as connection:
        assert said(connection, b"hello") == b"ok"
        assert said(connection, b"COMMIT\x00") == COMMITTED


@pytest.mark.parametrize("at", ["reply", "request"])
def test_the_proxy_cuts_at_commit_and_then_no_more(at: Cut) -> None:
    with proxied() as (proxy, received):
        proxy.cut_commits(1, at=at)
        with connected(proxy) as connection:
            assert said(connection, b"INSERT") == b"ok"
            assert said(connection, b"COMMIT\x00") == b""
        assert wait_until(lambda: b"COMMIT\x00" in received, 10) is not None
        with connected(proxy) as connection:
            assert said(connection, b"COMMIT\x00") == COMMITTED
        assert proxy.cuts == 1


def test_the_proxy_refuses_and_forwards_again() -> None:
    with proxied() as (proxy, _):
        with connected(proxy) as connection:
            assert said(connection, b"hello") == b"ok"
            proxy.refuse()
            assert said(connection, b"hello") == b""
        with pytest.raises(ConnectionRefusedError):
            connected(proxy)
        proxy.forward()
        with connected(proxy) as connection:
            assert said(connection, b"hello") == b"ok"


def test_the_frozen_proxy_keeps_what_it_got_until_it_forwards() -> None:
    with proxied() as (proxy, received), connected(proxy) as connection:
        proxy.freeze()
        connection.sendall(b"hello")
        time.sleep(0.2)
        assert received == []
        proxy.forward()
        assert connection.recv(10) == b"ok"


def test_the_url_leads_through_the_proxy() -> None:
    with proxied() as (proxy, _):
        assert (
            proxy.url("postgresql://me:word@127.0.0.1:5432/base") == f"postgresql://me:word@127.0.0.1:{proxy.port}/base"
        )
