"""Whatever the edge answers by itself is a document of the service, with a code and a sentence; for browsers a page."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from control_plane.errors import ERRORS
from tests.integration.edge.nginx import edge

SECONDS = 60


class Answer(NamedTuple):
    """`headers` by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


Asks = Callable[..., Answer]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, int]]:
    with edge(tmp_path_factory.mktemp("edge")) as found:
        yield found


@pytest.fixture
def ask(ports: tuple[int, int, int]) -> Asks:
    def sent(head: bytes, *, port: int = ports[1], tls: bool = True) -> Answer:
        """One request as it stands, and the whole answer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = socket.create_connection(("127.0.0.1", port), SECONDS)
        with context.wrap_socket(connection) if tls else connection as stream:
            stream.sendall(head)
            text = b"".join(iter(lambda: stream.recv(2**16), b""))
        top, _, body = text.partition(b"\r\n\r\n")
        lines = top.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return Answer(int(lines[0].split()[1]), headers, body)

    return sent


def request(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]).encode()


LONG = "x" * 40_000
REFUSED = {
    "no HTTP": (b"what is this\r\n\r\n", "malformed_request"),
    "no host": (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "malformed_request"),
    "two lengths": (request("POST /predict", "Content-Length: 1", "Content-Length: 2"), "malformed_request"),
    "an unknown coding": (request("POST /predict", "Transfer-Encoding: pigeon"), "malformed_request"),
    "a version to come": (b"GET / HTTP/3.1\r\nHost: localhost\r\n\r\n", "malformed_request"),
    "a range beyond the end": (request("GET /ui/app.css", "Range: bytes=99999999-"), "malformed_request"),
    "a condition that is not met": (request("GET /ui/app.css", 'If-Match: "other"'), "malformed_request"),
    "no such page": (request("GET /ui/nothing"), "not_found"),
    "a document of errors itself": (request("GET /errors/forbidden.json"), "not_found"),
    "a page that is posted to": (request("POST /", "Content-Length: 0"), "method_not_allowed"),
    "TRACE": (request("TRACE /predict"), "method_not_allowed"),
    "a long address": (request(f"GET /{LONG}"), "address_too_long"),
    "a long header": (request("GET /", f"X-Long: {LONG}"), "headers_too_large"),
    "a large body": (request("POST /predict", f"Content-Length: {2**30}"), "file_too_large"),
    "metrics": (request("GET /metrics"), "forbidden"),
    "nobody behind it": (request("GET /info"), "unreachable"),
}


@pytest.mark.parametrize(("head", "code"), REFUSED.values(), ids=list(REFUSED))
def test_what_the_edge_refuses_is_a_document_of_the_service(ask: Asks, head: bytes, code: str) -> None:
    answer = ask(head)
    kind = ERRORS[code]
    assert (answer.status, answer.headers["content-type"]) == (kind.status, "application/problem+json")
    body = json.loads(answer.body)
    assert (body["code"], body["status"], body["detail"]) == (code, kind.status, f"{kind.sentence} {kind.remedy}")
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" in answer.headers


def test_plain_http_at_the_port_for_tls_is_one_too(ask: Asks) -> None:
    answer = ask(request("GET /"), tls=False)
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "malformed_request")


def test_the_port_for_plain_http_leads_on_and_refuses_in_the_same_way(ask: Asks, ports: tuple[int, int, int]) -> None:
    led = ask(request("GET /info?x=1"), port=ports[0], tls=False)
    assert (led.status, led.headers["location"]) == (301, f"https://localhost:{ports[1]}/info?x=1")
    refused = ask(request("GET /", f"X-Long: {LONG}"), port=ports[0], tls=False)
    assert (refused.status, json.loads(refused.body)["code"]) == (431, "headers_too_large")


def test_a_browser_gets_a_page(ask: Asks) -> None:
    answer = ask(request("GET /ui/nothing", "Accept: text/html,*/*"))
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (404, "text/html")
    assert b"There is nothing at this address." in answer.body


def test_the_methods_that_are_allowed_are_named(ask: Asks) -> None:
    assert ask(request("POST /", "Content-Length: 0")).headers["allow"] == "GET, HEAD"
    assert "POST" in ask(request("TRACE /predict")).headers["allow"]
    assert "allow" not in ask(request("GET /ui/nothing")).headers


def test_what_is_there_is_answered_as_before(ask: Asks) -> None:
    answer = ask(request("GET /ui/app.css"))
    assert (answer.status, answer.body) == (200, (Path(__file__).parents[3] / "ui" / "app.css").read_bytes())


def test_prometheus_sees_that_it_runs_and_nothing_else_is_behind_that_port(
    ask: Asks, ports: tuple[int, int, int]
) -> None:
    told = ask(request("GET /metrics"), port=ports[2], tls=False)
    assert (told.status, told.headers["content-type"]) == (200, "text/plain; version=0.0.4")
    assert all(line.startswith(b"#") for line in told.body.splitlines())
    assert ask(request("GET /info"), port=ports[2], tls=False).status == 404
