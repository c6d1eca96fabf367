"""Slow, leaving and repeating clients at the door of the whole service."""

import json
import socket
import time
from contextlib import closing

from tests.acceptance.conftest import Service


def ask(service: Service, photo: bytes, key: str) -> tuple[int, dict[str, str], bytes]:
    answer = service.http.post(
        "/predict", content=photo, headers={"Content-Type": "image/jpeg", "Idempotency-Key": key}
    )
    return answer.status_code, dict(answer.headers), answer.content


def test_a_repeated_request_has_one_record_and_one_answer(service: Service, photo: bytes) -> None:
    key = f"walk-{time.time_ns()}"
    status, headers, first = ask(service, photo, key)
    assert (status, headers.get("idempotency-replayed"), headers.get("idempotency-status")) == (200, None, None)
    status, headers, second = ask(service, photo, key)
    assert (status, headers["idempotency-replayed"], second) == (200, "true", first)
    recorded = service.http.get(f"/history/{json.loads(first)['request_id']}").json()
    assert recorded["label"] == json.loads(first)["label"]
    status, _, third = ask(service, photo + b"\0", key)
    assert (status, json.loads(third)["code"]) == (409, "conflict")


def test_a_library_that_offers_http2_with_its_request_is_answered(service: Service, photo: bytes) -> None:
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
    answer = service.http.post("/predict", content=photo, headers={"Content-Type": "image/jpeg", **offer})
    assert answer.status_code == 200


def test_what_is_no_http_gets_a_problem_with_a_request_id(service: Service) -> None:
    with closing(socket.create_connection(("127.0.0.1", service.stack.port), timeout=30)) as connection:
        connection.sendall(b"hello\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "invalid_request"
    assert json.loads(body)["request_id"].encode() in head


def test_headers_that_stay_unfinished_are_answered_408(service: Service) -> None:
    with closing(socket.create_connection(("127.0.0.1", service.stack.port), timeout=60)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_leaves_while_it_sends_leaves_no_error_behind(service: Service, photo: bytes) -> None:
    before = service.log("control_plane.jsonl*").count("Traceback")
    for _ in range(20):
        with closing(socket.create_connection(("127.0.0.1", service.stack.port), timeout=30)) as connection:
            head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
            connection.sendall(f"{head}Content-Length: {len(photo)}\r\n\r\n".encode() + photo[:1000])
    assert ask(service, photo, f"after-{time.time_ns()}")[0] == 200
    assert service.log("control_plane.jsonl*").count("Traceback") == before
