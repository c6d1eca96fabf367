"""Slow clients are refused in bounded time, honest ones served, and those that leave are no error."""

import contextlib
import logging
import socket
import time
from collections.abc import Iterator

import pytest

from control_plane.web.connections import Patience
from tests.integration.control_plane.serving import Service, connected, head, is_closed, read_reply, serving
from tests.waiting import eventually


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as made:
        yield made


def drip(connection: socket.socket, data: bytes, pause: float, seconds: float = 20) -> None:
    """Byte by byte until the other side ends it."""
    deadline = time.monotonic() + seconds
    with contextlib.suppress(ConnectionError):
        for byte in data:
            connection.send(bytes([byte]))
            time.sleep(pause)
            if time.monotonic() > deadline:
                return


def test_headers_that_do_not_come_to_their_end_are_answered_408(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost:")
        reply = read_reply(connection)
        assert (reply.status, reply.body["code"]) == (408, "request_timeout")
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.body["request_id"] == reply.headers["x-request-id"] != ""
        assert is_closed(connection)


def test_headers_that_come_byte_by_byte_are_ended_all_the_same(service: Service) -> None:
    with connected(service) as connection:
        drip(connection, b"POST /predict HTTP/1.1\r\n" + b"X: y\r\n" * 1000, 0.05)
        assert is_closed(connection)


def test_a_connection_that_says_nothing_is_closed_without_a_word(service: Service) -> None:
    with connected(service) as connection:
        assert connection.recv(100) == b""


def test_a_body_that_comes_too_slowly_is_answered_408_with_its_request_id(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(head(length=10_000) + b"abc")
        reply = read_reply(connection)
        assert (reply.status, reply.body["code"]) == (408, "request_timeout")
        assert reply.body["request_id"] == reply.headers["x-request-id"] != ""
        assert is_closed(connection)
    eventually(lambda: service.count(408) >= 1)


def test_a_slow_but_honest_body_is_served_however_long_it_takes(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(head(length=30_000))
        for _ in range(30):
            connection.sendall(bytes(1000))
            time.sleep(0.1)
        assert read_reply(connection).body == 30_000


def test_a_body_without_a_declared_length_is_served_and_its_trailers_are_dropped(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\nX-Later: 1\r\n\r\n"
        )
        assert read_reply(connection).body == 3


def test_a_connection_serves_one_request_after_the_other(service: Service) -> None:
    with connected(service) as connection:
        for size in (1, 70_000, 3):
            connection.sendall(head(length=size) + bytes(size))
            assert read_reply(connection).body == size
        time.sleep(1.2)  # longer than headers may take: but none are under way
        connection.sendall(head(length=2) + b"ab")
        assert read_reply(connection).body == 2


def test_a_second_request_that_stays_unfinished_is_ended_too(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(head(length=1) + b"a" + b"POST /pre")
        assert read_reply(connection).status == 200
        assert is_closed(connection)


def test_an_idle_connection_is_closed(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(head(length=1) + b"a")
        read_reply(connection)
        assert is_closed(connection)


def test_an_early_answer_leaves_the_connection_usable_once_the_body_has_come(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(head("/refuse", 2000) + bytes(1000))
        assert read_reply(connection).status == 200
        connection.sendall(bytes(1000))
        connection.sendall(head(length=1) + b"a")
        assert read_reply(connection).body == 1
        assert is_closed(connection)


def test_headers_behind_a_large_body_are_not_taken_for_large_headers(service: Service) -> None:
    following = head(length=2)
    with connected(service) as connection:
        connection.sendall(head("/refuse", 200_000) + bytes(200_000) + following[:20])
        assert read_reply(connection).status == 200
        connection.sendall(following[20:] + b"ab")
        assert read_reply(connection).body == 2


def test_an_early_answer_and_then_silence_is_ended(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(head("/refuse", 2000) + bytes(1000))
        assert read_reply(connection).status == 200
        assert is_closed(connection)


def test_what_is_no_http_is_answered_as_a_problem(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        reply = read_reply(connection)
        assert (reply.status, reply.body["code"]) == (422, "invalid_request")
        assert reply.body["request_id"] == reply.headers["x-request-id"] != ""
        assert is_closed(connection)


def test_a_body_whose_framing_is_broken_is_answered_as_a_problem(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n")
        reply = read_reply(connection)
        assert (reply.status, reply.body["code"]) == (422, "invalid_request")
        assert is_closed(connection)


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
@pytest.mark.parametrize("ends", ["", "close, "])
def test_the_offer_of_another_protocol_is_passed_over(service: Service, protocol: str, ends: str) -> None:
    offer = (f"Connection: {ends}Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABkAA")
    with connected(service) as connection:
        connection.sendall(head("/predict", 5, *offer) + b"abc")
        time.sleep(0.1)
        connection.sendall(b"de")
        assert read_reply(connection).body == 5
        if not ends:
            connection.sendall(head("/predict", 2) + b"ab")
            assert read_reply(connection).body == 2
        assert is_closed(connection)


def test_a_tunnel_is_refused(service: Service) -> None:
    with connected(service) as connection:
        connection.sendall(b"CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n")
        assert read_reply(connection).status == 422


def test_headers_without_end_are_refused_by_their_size(service: Service) -> None:
    with connected(service) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"POST /predict HTTP/1.1\r\n" + b"X-Padding: 0123456789\r\n" * 20_000)
        assert is_closed(connection)


def test_a_client_that_leaves_while_it_sends_is_no_error(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    left = service.count(499)
    with connected(service) as connection:
        connection.sendall(head(length=10_000) + b"abc")
        time.sleep(0.2)
    eventually(lambda: service.count(499) == left + 1 and caplog.records)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [("INFO", "the client left")]


@pytest.mark.parametrize("size", [3, 3_000_000])
def test_what_a_client_waited_for_is_dropped_when_it_leaves(
    service: Service, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    caplog.set_level(logging.INFO)
    left = service.count(499)
    service.at_work.clear()
    service.dropped.clear()
    with connected(service) as connection:
        connection.sendall(head("/wait", size) + bytes(size))
        assert service.at_work.wait(20)
        assert not service.dropped.is_set()
    assert service.dropped.wait(20)
    eventually(lambda: service.count(499) == left + 1 and caplog.records)
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [("INFO", "the client left")]


def test_a_client_that_does_not_take_its_answer_is_ended() -> None:
    with serving(Patience(stalled_seconds=1)) as service, connected(service) as connection:
        connection.sendall(head("/long", method="GET"))
        assert service.dropped.wait(30)


def test_what_is_under_way_when_the_service_stops_is_finished_if_it_can_be() -> None:
    with serving(graceful_seconds=20) as service, connected(service) as connection:
        connection.sendall(head("/wait", 3) + b"abc")
        assert service.at_work.wait(20)
        service.stop()
        service.go.set()
        assert read_reply(connection).status == 200


def test_what_cannot_be_finished_when_the_service_stops_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    patience = Patience(window_seconds=60)
    with serving(patience, graceful_seconds=1) as service, connected(service) as connection:
        connection.sendall(head(length=10_000) + b"half of it")
        eventually(lambda: service.server is not None and service.server.server_state.tasks)
        service.stop()
        reply = read_reply(connection)
        assert (reply.status, reply.body["code"], reply.body["retry"]) == (503, "model_not_loaded", True)
    assert not [record for record in caplog.records if record.exc_info]
