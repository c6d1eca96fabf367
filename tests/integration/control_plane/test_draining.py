"""SIGTERM: whoever got a connection gets an answer."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from control_plane.web.serving import IDLE_SECONDS
from tests.integration.control_plane.serving import PATIENCE, head, is_closed, read_reply
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]
TIMES = 8
CLIENTS = 8
BODY = bytes(2000)
REQUEST = head(length=len(BODY)) + BODY
END_SECONDS = 20.0


@dataclass
class Ending:
    """A service in a process of its own, and what its clients saw."""

    port: int
    process: "subprocess.Popen[bytes]"
    answered: int = 0
    lost: list[str] = field(default_factory=list)

    def connect(self) -> socket.socket | None:
        """None when there is nobody (any more)."""
        try:
            return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        except OSError:
            return None

    def ask(self, connection: socket.socket) -> bool:
        """Whether the connection may be asked again."""
        try:
            connection.sendall(REQUEST)
            reply = read_reply(connection)
        except (OSError, ValueError, IndexError) as error:
            self.lost.append(repr(error))
            return False
        self.answered += 1
        if reply.status != 200:
            self.lost.append(f"{reply.status}")
        return reply.headers.get("connection") != "close"


@contextmanager
def started() -> Iterator[Ending]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    command = [sys.executable, "-m", "tests.integration.control_plane.ending", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    made = Ending(port, process)
    try:
        eventually(lambda: _listens(made))
        yield made
    finally:
        process.kill()
        process.wait(PATIENCE)


def _listens(ending: Ending) -> bool:
    connection = ending.connect()
    if connection:
        connection.close()
    return connection is not None


def anew(ending: Ending, _: int) -> None:
    """A connection for each request."""
    while connection := ending.connect():
        with closing(connection):
            ending.ask(connection)


def kept(ending: Ending, number: int) -> None:
    """Connections that are used again, after pauses of up to half a second."""
    while connection := ending.connect():
        with closing(connection):
            while ending.ask(connection):
                time.sleep(0.06 * number)


def end_under(ending: Ending, client: Callable[[Ending, int], None]) -> None:
    """SIGTERM, with clients that ask until nobody is there."""
    threads = [threading.Thread(target=client, args=(ending, number), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    ending.process.terminate()
    ending.process.wait(END_SECONDS)
    for thread in threads:
        thread.join(PATIENCE)


@pytest.mark.parametrize("client", [anew, kept])
def test_whoever_got_a_connection_gets_an_answer(client: Callable[[Ending, int], None]) -> None:
    lost: list[str] = []
    for _ in range(TIMES):
        with started() as ending:
            end_under(ending, client)
            lost += ending.lost
            assert ending.answered > CLIENTS
    assert lost == []


def test_a_request_whose_head_has_come_in_part_is_answered() -> None:
    with started() as ending, closing(_connected(ending)) as connection:
        connection.sendall(REQUEST[:20])
        time.sleep(0.1)
        ending.process.terminate()
        time.sleep(IDLE_SECONDS + 0.5)
        connection.sendall(REQUEST[20:])
        reply = read_reply(connection)
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert is_closed(connection)
        assert ending.process.wait(END_SECONDS) is not None


def test_a_kept_connection_is_closed_with_its_next_answer_or_when_there_is_none() -> None:
    with started() as ending, closing(_connected(ending)) as used, closing(_connected(ending)) as idle:
        for connection in (used, idle):
            connection.sendall(REQUEST)
            assert "connection" not in read_reply(connection).headers
        ending.process.terminate()
        time.sleep(0.2)
        used.sendall(REQUEST)
        assert read_reply(used).headers["connection"] == "close"
        assert is_closed(used)
        assert is_closed(idle)
        assert ending.process.wait(END_SECONDS) is not None


def test_nobody_new_is_let_in() -> None:
    """Who knocks is not answered at first, and then refused: it never has a connection that is lost."""
    with started() as ending, closing(_connected(ending)) as connection:
        connection.sendall(REQUEST[:20])  # so that it does not end at once
        time.sleep(0.1)
        ending.process.terminate()
        time.sleep(0.25)
        began = time.monotonic()
        assert ending.connect() is None
        assert time.monotonic() - began < 5
        connection.sendall(REQUEST[20:])
        assert read_reply(connection).status == 200


def test_with_nothing_to_wait_for_it_ends_at_once() -> None:
    with started() as ending:
        began = time.monotonic()
        ending.process.terminate()
        assert ending.process.wait(END_SECONDS) is not None
        assert time.monotonic() - began < END_SECONDS / 2


def _connected(ending: Ending) -> socket.socket:
    connection = ending.connect()
    assert connection is not None
    return connection
