"""What two servers may read in two ways is refused, and what follows it on the connection is never answered."""

import json
import re
from collections.abc import Iterator

import pytest

from control_plane.web.connections import Patience
from tests.integration.control_plane.serving import PATIENCE, Service, connected, serving

POST = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
CHUNKED = f"{POST}Transfer-Encoding: chunked\r\n"
ONE_CHUNK = "\r\n3\r\nabc\r\n0\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"  # answered 404, if it were taken for a request

REFUSED = {
    "a length and chunks": f"{POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": f"{CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": f"{POST}Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc",
    "the same length twice": f"{POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": f"{POST}Content-Length: 3, 3\r\n\r\nabc",
    "a length with a plus": f"{POST}Content-Length: +3\r\n\r\nabc",
    "a negative length": f"{POST}Content-Length: -3\r\n\r\nabc",
    "a hexadecimal length": f"{POST}Content-Length: 0x3\r\n\r\nabc",
    "a length with an underscore": f"{POST}Content-Length: 1_0\r\n\r\n0123456789",
    "a length beyond 64 bits": f"{POST}Content-Length: 18446744073709551619\r\n\r\nabc",
    "an empty length": f"{POST}Content-Length: \r\n\r\n",
    "a space before the colon of a length": f"{POST}Content-Length : 3\r\n\r\nabc",
    "a space before the colon of a coding": f"{POST}Transfer-Encoding : chunked\r\n{ONE_CHUNK}",
    "a size that is no number": f"{CHUNKED}\r\nzz\r\nabc\r\n0\r\n\r\n",
    "a negative size": f"{CHUNKED}\r\n-1\r\nabc\r\n0\r\n\r\n",
    "a size with 0x": f"{CHUNKED}\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "a size beyond 64 bits": f"{CHUNKED}\r\n10000000000000003\r\nabc\r\n0\r\n\r\n",
    "a space behind a size": f"{CHUNKED}\r\n3 \r\nabc\r\n0\r\n\r\n",
    "chunks that end with a bare LF": f"{CHUNKED}\r\n3\nabc\n0\n\n",
    "more than the chunk's size": f"{CHUNKED}\r\n3\r\nabcdef\r\n0\r\n\r\n",
    "a bare LF in a chunk's extension": f"{CHUNKED}\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
    "an extension without end": f"{CHUNKED}\r\n3;a={'b' * 700_000}\r\nabc\r\n0\r\n\r\n",
    "chunks of mostly extensions": f"{CHUNKED}\r\n" + f"1;{'a' * 100}\r\nx\r\n" * 7_000 + "0\r\n\r\n",
    "a length in the trailers": f"{CHUNKED}\r\n3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n",
    "a coding nobody knows": f"{POST}Transfer-Encoding: xchunked\r\n{ONE_CHUNK}",
    "chunked and then another": f"{POST}Transfer-Encoding: chunked, identity\r\n{ONE_CHUNK}",
    "another and then chunked": f"{POST}Transfer-Encoding: gzip, chunked\r\n{ONE_CHUNK}",
    "identity": f"{POST}Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    "two codings": f"{CHUNKED}Transfer-Encoding: identity\r\n{ONE_CHUNK}",
    "chunked twice": f"{CHUNKED}Transfer-Encoding: chunked\r\n{ONE_CHUNK}",
    "chunked behind a vertical tab": f"{POST}Transfer-Encoding: \x0bchunked\r\n{ONE_CHUNK}",
    "chunks in HTTP/1.0": f"{CHUNKED.replace('1.1', '1.0')}{ONE_CHUNK}",
    "a folded line": f"{POST}X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    "a folded coding": f"{POST}Transfer-Encoding:\r\n chunked\r\n{ONE_CHUNK}",
    "lines that end with a bare LF": "POST /predict HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n",
    "a bare CR in a value": f"{POST}X: a\rContent-Length: 3\r\n\r\nabc",
    "a NUL in a name": f"{POST}X\0Y: a\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a value": f"{POST}X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "a space in a name": f"{POST}X Y: a\r\nContent-Length: 0\r\n\r\n",
    "an empty name": f"{POST}: a\r\nContent-Length: 0\r\n\r\n",
    "a line without a colon": f"{POST}Xa\r\nContent-Length: 0\r\n\r\n",
    "a space before the first name": "POST /predict HTTP/1.1\r\n Host: localhost\r\nContent-Length: 0\r\n\r\n",
    "a whole URL": "GET http://elsewhere/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a name instead of a path": "GET elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a star": "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a fragment": "GET /a#b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a space in the path": "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a NUL in the path": "GET /a\0b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bytes that are no ASCII in the path": "GET /ä HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no host": "GET /a HTTP/1.1\r\n\r\n",
    "two hosts": "GET /a HTTP/1.1\r\nHost: localhost\r\nHost: elsewhere\r\n\r\n",
    "HTTP/0.9": "GET /a\r\n\r\n",
    "HTTP/1.2": "GET /a HTTP/1.2\r\nHost: localhost\r\n\r\n",
    "HTTP/2 at once": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": "CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n",
    "an offer of HTTP/2 over two lengths": (
        f"{POST}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n12345"
    ),
    "an offer of HTTP/2 over a length and chunks": (
        f"{POST}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "headers beyond the bound": POST + "X-Padding: 0123456789\r\n" * 30_000 + "\r\n",
    "more headers than anybody needs": POST + "X: y\r\n" * 300 + "Content-Length: 0\r\n\r\n",
    "trailers beyond the bound": f"{CHUNKED}\r\n3\r\nabc\r\n0\r\n" + "X: y\r\n" * 100_000 + "\r\n",
}
INTERNALS = re.compile(rb"Traceback|File \"|\.py\b|httptools|uvicorn|llhttp|Exception")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving(Patience()) as made:
        yield made


def exchange(service: Service, sent: bytes) -> bytes:
    """All that the service says until it ends the connection."""
    said = b""
    with connected(service) as connection:
        try:
            connection.sendall(sent)
            while piece := connection.recv(65536):
                said += piece
        except ConnectionError:  # it was closed while we were still sending
            pass
    return said


def statuses(said: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


@pytest.mark.parametrize("attack", REFUSED)
def test_it_is_refused_and_nothing_behind_it_is_answered(service: Service, attack: str) -> None:
    said = exchange(service, REFUSED[attack].encode() + SMUGGLED)
    answered = statuses(said)
    # Whoever still sends megabytes when the connection ends may miss the refusal; nobody else may.
    assert answered == [422] or (answered == [] and len(REFUSED[attack]) > 65_536)
    assert not INTERNALS.search(said)
    if answered:
        body = json.loads(said.partition(b"\r\n\r\n")[2])
        assert body["code"] == "invalid_request"
        assert re.search(rb"(?i)connection: close", said)
        assert re.search(rb"(?i)content-security-policy: default-src 'none'", said)


@pytest.mark.parametrize(
    "attack", ["a length and chunks", "two lengths", "a whole URL", "lines that end with a bare LF"]
)
def test_what_was_asked_before_it_has_its_answer_and_nothing_more(service: Service, attack: str) -> None:
    before = f"{POST}Content-Length: 4\r\n\r\nabcd".encode()
    said = exchange(service, before + REFUSED[attack].encode() + SMUGGLED)
    assert statuses(said) in ([200], [200, 422])
    assert b"\r\n\r\n4" in said


def test_what_stands_behind_the_last_request_of_a_connection_is_dropped(service: Service) -> None:
    last = f"{POST}Connection: close\r\nContent-Length: 4\r\n\r\nabcd".encode()
    assert statuses(exchange(service, last + SMUGGLED)) == [200]


def test_requests_sent_at_once_are_answered_in_their_order(service: Service) -> None:
    each = [f"{POST}Content-Length: {n}\r\n\r\n{'x' * n}".encode() for n in (5, 3)]
    last = f"{POST}Connection: close\r\nContent-Length: 1\r\n\r\nx".encode()
    said = exchange(service, b"".join([*each, last]))
    assert [int(n) for n in re.findall(rb"\r\n\r\n(\d+)", said)] == [5, 3, 1]


def test_chunks_of_a_few_bytes_are_served() -> None:
    with serving(Patience()) as service:
        chunks = "1\r\nx\r\n" * 30_000 + "0\r\n\r\n"
        with connected(service) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(f"{CHUNKED}Connection: close\r\n\r\n{chunks}".encode())
            said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert said.endswith(b"\r\n\r\n30000")
