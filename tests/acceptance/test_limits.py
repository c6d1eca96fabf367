"""A key with limits of its own, at the whole service: what it is told, and that it holds."""

import re
import socket
import time
from contextlib import closing

from tests.acceptance.conftest import Service


def key(service: Service, **limits: float) -> dict[str, str]:
    made = service.http.post(
        "/keys", json={"name": "limited", "scopes": ["predict"], "limits": limits}, headers=service.admin
    )
    assert made.status_code == 201, made.text
    return {"Authorization": f"Bearer {made.json()['key']}", "Content-Type": "image/jpeg"}


def test_a_key_over_its_limit_is_told_when_to_come_and_then_let_in(service: Service, photo: bytes) -> None:
    limited = key(service, rate=0.5, burst=2)
    answers = [service.http.post("/predict", content=photo, headers=limited) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    refused = answers[2]
    assert (refused.json()["code"], refused.json()["retry"]) == ("rate_limited", True)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["ratelimit-policy"].startswith('"requests";q=2;w=4')
    assert re.fullmatch(r'"requests";r=0;t=\d', refused.headers["ratelimit"])
    assert re.fullmatch(r'"requests";r=1;t=\d', answers[0].headers["ratelimit"])
    time.sleep(int(refused.headers["retry-after"]))
    assert service.http.post("/predict", content=photo, headers=limited).status_code == 200
    assert service.http.post("/predict", content=photo, headers={"Content-Type": "image/jpeg"}).status_code == 200


def test_who_is_over_a_limit_is_refused_before_the_body_has_come(service: Service, photo: bytes) -> None:
    limited = key(service, rate=0.01, burst=1)
    assert service.http.post("/predict", content=photo, headers=limited).status_code == 200
    with closing(socket.create_connection(("127.0.0.1", service.stack.port), timeout=30)) as connection:
        lines = [f"{name}: {value}\r\n" for name, value in limited.items()]
        head = "".join(["POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n", *lines, "\r\n"])
        connection.sendall(head.encode() + photo[:10])
        assert connection.recv(65536).startswith(b"HTTP/1.1 429 ")


def test_bytes_are_limited_too(service: Service, photo: bytes) -> None:
    limited = key(service, bytes_per_minute=1024)
    assert service.http.post("/predict", content=photo, headers=limited).status_code == 200
    refused = service.http.post("/predict", content=photo, headers=limited)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 1
