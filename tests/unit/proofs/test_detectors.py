"""Each detector of the proofs catches the defect that it is there for."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.hostile.contract import OK
from tests.proofs.judge import fault_in
from tests.proofs.ledger import Entry, Ledger, faults_in_history, faults_in_lookups, history
from tests.proofs.processes import TEMPORARY_NAME, Footprint, end_all, footprint, leftovers, wait_until_gone
from tests.proofs.wire import Answer, exchange, get, predict

PROBLEM = "application/problem+json"
INVALID = frozenset({"invalid_image"})


def refusal(status: int, code: str, **more: Any) -> Answer:
    return Answer(status, code, 0.1, {"code": code, "request_id": "r1"} | more, PROBLEM)


def acknowledged(request_id: str, label: str) -> Entry:
    body = {"request_id": request_id, "predictions": [{"label": label, "confidence": 0.9}]}
    return Entry(0.0, Answer(200, OK, 0.1, body))


@contextmanager
def server(reply: Callable[[str], tuple[int, str, bytes]]) -> Iterator[int]:
    """A service that gives (status, content type, body) for a path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content_type, body = reply(self.path)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name is the base class's

        def log_message(self, *_: Any) -> None:
            pass

    service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=service.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield service.server_address[1]
    finally:
        service.shutdown()
        service.server_close()


@contextmanager
def raw_server(data: bytes) -> Iterator[int]:
    """Says the bytes to the first caller and hangs up without reading."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_documented_refusal_is_no_fault() -> None:
    assert fault_in(refusal(422, "invalid_image"), INVALID) is None


def test_fake_500_is_caught() -> None:
    with server(lambda _: (500, PROBLEM, b'{"code": "internal_error", "request_id": "r1"}')) as port:
        assert fault_in(predict(port, b"x"), INVALID | {"internal_error"}) == "a 500"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (refusal(404, "not_found"), "allowed"),
        (refusal(400, "invalid_image"), "documented is 422"),
        (replace(refusal(422, "invalid_image"), content_type="application/json"), "not problem"),
        (refusal(422, "invalid_image", request_id=""), "no request_id"),
        (refusal(422, "invalid_image", detail="Traceback (most recent call last)"), "internals"),
        (Answer(0, "closed", 0.1), "no answer"),
    ],
)  # fmt: skip
def test_wrong_refusal_is_caught(answer: Answer, fault: str) -> None:
    assert fault in (fault_in(answer, INVALID) or "")


def test_plain_text_refusal_has_no_code() -> None:
    with server(lambda _: (400, "text/plain", b"Bad Request")) as port:
        assert get(port, "/").code == "without code"


def test_closed_port_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert get(port, "/").code == "refused"


def test_hang_up_without_an_answer_is_caught() -> None:
    with raw_server(b"") as port:
        assert get(port, "/").code == "closed"


def test_garbage_instead_of_http_is_caught() -> None:
    with raw_server(b"hello\n") as port:
        assert get(port, "/").code == "garbage"


def test_silence_is_caught() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = exchange(listener.getsockname()[1], [b"GET / HTTP/1.1\r\n\r\n"], timeout_seconds=0.3)
    assert answer.code == "silent"


def test_answer_before_the_body_was_read_is_heard() -> None:
    early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with raw_server(early) as port:
        answer = exchange(port, [b"POST / HTTP/1.1\r\n\r\n"], timeout_seconds=5)
    assert answer.status == 413


def ledger_of(*entries: Entry) -> Ledger:
    ledger = Ledger()
    for entry in entries:
        ledger.add(entry)
    return ledger


def test_true_history_has_no_faults() -> None:
    ledger = ledger_of(acknowledged("a", "fern"), acknowledged("b", "lantana"))
    assert faults_in_history(ledger, [("b", "lantana"), ("a", "fern"), ("somebody else", "fern")]) == []


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], "0 times"),
        ([("a", "fern"), ("a", "fern")], "2 times"),
        ([("a", "lantana")], "recorded lantana"),
        ([("a", "fern"), ("r1", "fern")], "was refused"),
    ],
)
def test_lost_doubled_changed_and_false_rows_are_caught(rows: list[tuple[str, str]], fault: str) -> None:
    ledger = ledger_of(acknowledged("a", "fern"), Entry(0.0, refusal(429, "overloaded")))
    faults = faults_in_history(ledger, rows)
    assert len(faults) == 1
    assert fault in faults[0]


def test_history_is_read_over_all_its_pages() -> None:
    pages = {
        "/history?limit=100": {"items": [{"request_id": "b", "label": "fern"}], "next_cursor": "b="},
        "/history?limit=100&cursor=b%3D": {"items": [{"request_id": "a", "label": "lantana"}], "next_cursor": None},
    }
    with server(lambda path: (200, "application/json", json.dumps(pages[path]).encode())) as port:
        assert list(history(port)) == [("b", "fern"), ("a", "lantana")]


def test_history_that_cannot_be_read_is_no_empty_history() -> None:
    with server(lambda _: (503, PROBLEM, b'{"code": "database_unavailable"}')) as port, pytest.raises(RuntimeError):
        list(history(port))


def test_lookup_of_a_lost_row_is_caught() -> None:
    with server(lambda _: (404, PROBLEM, b'{"code": "not_found"}')) as port:
        assert len(faults_in_lookups(port, ledger_of(acknowledged("a", "fern")))) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / TEMPORARY_NAME).mkdir()
    yield tmp_path
    end_all(tmp_path)


def start(folder: Path, program: str, *, marked: bool = True) -> subprocess.Popen[bytes]:
    """A process of the stack that says one byte when it has what it wants."""
    environment = {**os.environ, "WEEDWATCH_STATE_DIR": f"{folder}/state"} if marked else {**os.environ}
    command = [sys.executable, "-c", f"{program}\nprint(flush=True)\nimport time\ntime.sleep(60)", "stack"]
    command += [] if marked else [f"{folder}/state/pg"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    return process


NOTHING = Footprint(frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize("marked", [True, False], ids=["by environment", "by command line"])
def test_leftover_process_is_caught(folder: Path, marked: bool) -> None:
    process = start(folder, "", marked=marked)
    left = leftovers(folder, NOTHING)
    assert len(left) == 1
    assert f"process {process.pid}" in left[0]
    end_all(folder)
    process.wait()
    assert leftovers(folder, NOTHING) == []


def test_leftover_port_and_open_file_are_caught(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    shared = tmp_path_factory.mktemp("shared") / "segment"
    program = f"import socket\ns = socket.create_server(('127.0.0.1', 0))\nf = open({str(shared)!r}, 'w')"
    process = start(folder, program)
    held = footprint(folder)
    assert len(held.ports) == 1
    assert str(shared) in held.paths
    assert any(word.startswith("port") for word in leftovers(folder, held))
    end_all(folder)
    process.wait()
    assert leftovers(folder, held) == [f"file {shared}"]


def test_process_that_lost_its_marks_is_still_found_by_its_footprint(folder: Path) -> None:
    process = psutil.Process()
    held = Footprint(frozenset({process}), frozenset(), frozenset())
    assert any(f"process {process.pid}" in word for word in leftovers(folder, held))


def test_leftover_socket_and_temporary_file_are_caught(folder: Path) -> None:
    temporary = folder / TEMPORARY_NAME / "weedwatch-x"
    temporary.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        seconds, left = wait_until_gone(folder, NOTHING, 0.3)
    assert left == [f"file {temporary}", f"socket {folder / 's'}"]
    assert seconds >= 0.3
