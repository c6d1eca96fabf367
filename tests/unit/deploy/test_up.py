"""`make up` asks the edge where Compose has published it. `docker` is a stand-in; the edge is a server with TLS."""

import http.server
import os
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.web import self_signed
from deploy import up
from deploy.errors import CannotDeploy
from tests.structure import composed


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"path": "' + self.path.encode() + b'"}')

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is not for it."""


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[int]:
    """Its port."""
    self_signed.make(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / self_signed.CHAIN, tmp_path / self_signed.KEY)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\n[ "$*" = "compose port edge 8443" ] && [ -n "$PLACE" ] && printf "$PLACE\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("WEEDWATCH_HTTPS_PORT", raising=False)
    up.published.cache_clear()
    yield
    up.published.cache_clear()


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])  # noqa: S104 - what Compose prints, not what is listened on
def test_the_edge_is_asked_where_it_is_published_whatever_the_settings_say(
    edge: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    monkeypatch.setenv("PLACE", f"{host}:{edge}")
    assert up.ask("GET", "/health/ready") == up.Answer(200, {"path": "/health/ready"})
    up.wait_until_ready(seconds=20)
    up.say({}, "")
    assert f"https://localhost:{edge}  (" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        ("0.0.0.0:443", ("127.0.0.1", 443)),
        ("192.0.2.7:8443\n[::]:8443", ("192.0.2.7", 8443)),
        ("[::]:443", ("127.0.0.1", 443)),
        ("[::1]:443", ("::1", 443)),
    ],
)
def test_an_address_of_its_own_is_asked_there(
    monkeypatch: pytest.MonkeyPatch, place: str, asked: tuple[str, int]
) -> None:
    monkeypatch.setenv("PLACE", place)
    assert up.published() == asked


@pytest.mark.parametrize(("place", "why"), [(":0", "not published"), ("", "failed")])
def test_an_edge_that_is_not_published_is_said(monkeypatch: pytest.MonkeyPatch, place: str, why: str) -> None:
    monkeypatch.setenv("PLACE", place)
    with pytest.raises(CannotDeploy, match=why):
        up.published()


def starts_with(folder: Path, *states: str) -> None:
    """`docker compose up` fails, and `ps` tells these."""
    (folder / "docker").write_text(
        '#!/bin/sh\n[ "$2" = ps ] || exit 1\ncat <<END\n' + "\n".join(("edge running healthy 0", *states)) + "\nEND\n"
    )


def test_what_only_watches_may_be_unwell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    starts_with(tmp_path, "certificate exited  0", "backup running  0", "loki running unhealthy 0", "alloy exited  1")
    up.start([], 300)
    assert "Not healthy: alloy, loki. The service goes on without" in capsys.readouterr().out


@pytest.mark.parametrize(
    "states", [(), ("loki running unhealthy 0", "control-plane-1 running starting 0"), ("archives exited  1",)]
)
def test_what_serves_must_be_well(tmp_path: Path, states: tuple[str, ...]) -> None:
    starts_with(tmp_path, *states)
    with pytest.raises(CannotDeploy, match="compose up"):
        up.start([], 300)


def test_what_only_watches_serves_nobody() -> None:
    services = composed.services()
    needed = {name for each in services.values() for name in each.get("depends_on", ())}
    assert set(services) >= up.WATCHING
    assert not {each for each in up.WATCHING if each in needed} - {"docker-proxy"}


@pytest.mark.parametrize("name", [composed.BASE, composed.DEVELOPMENT])
def test_the_port_that_is_asked_for_is_the_edges_with_tls(name: str) -> None:
    assert ("edge", up.TLS_PORT) in [(service, inner) for service, _, inner in composed.published(name)]
