"""The client notes what it got, also when that is nothing."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

import pytest

from tests.checker.client import ask, own_picture
from tests.load import asking

JPEG = b"\xff\xd8\xff\xe0rest"
HEAD = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: %s\r\n\r\n%s"
DONE = json.dumps({"request_id": "r1", "label": "fern", "version": "1"}).encode()
REFUSED = json.dumps({"request_id": "r2", "code": "overloaded"}).encode()


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """Answers every request with these bytes; None: never."""
    held = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(10)
                asked = b""
                while not asked.endswith(JPEG[-4:]):  # what is left unread would reset the connection
                    asked += connection.recv(100_000)
                if answer is None:
                    held.append(connection)
                else:
                    with connection, suppress(ConnectionResetError, BrokenPipeError):
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


def test_an_answer_is_noted_with_the_digest_of_what_was_sent() -> None:
    with server(HEAD % (b"200 OK", b"application/json", DONE)) as port:
        noted = ask(port, JPEG)
    assert (noted.status, noted.request_id, noted.label, noted.version) == (200, "r1", "fern", "1")
    assert noted.picture == sha256(JPEG).hexdigest()
    assert noted.problem == ""


def test_a_refusal_that_is_no_problem_document_is_noted() -> None:
    with server(HEAD % (b"429 Too Many", b"application/json", REFUSED)) as port:
        noted = ask(port, JPEG)
    assert noted.code == "overloaded"
    assert "no problem+json" in noted.problem


@pytest.mark.parametrize(("answer", "code"), [(b"", "closed"), (b"nonsense\r\n", "closed"), (None, "silent")])
def test_what_is_no_answer_is_noted_as_none(answer: bytes | None, code: str) -> None:
    with server(answer) as port:
        noted = ask(port, JPEG, patience_seconds=0.3)
    assert (noted.status, noted.code) == (0, code)


def test_nobody_listens_is_noted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert ask(port, JPEG).code == "refused"


def test_own_pictures_differ_and_stay_pictures() -> None:
    first, second = own_picture(JPEG), own_picture(JPEG)
    assert first != second
    assert first.startswith(b"\xff\xd8\xff\xfe")
    assert first.endswith(JPEG[2:])


def test_asking_keeps_its_rate_and_ends() -> None:
    with server(HEAD % (b"200 OK", b"application/json", DONE)) as port:
        with asking([port], [JPEG], clients=2, per_second=20) as log:
            threading.Event().wait(0.6)
        count = len(log.ok())
    assert 4 <= count <= 20
