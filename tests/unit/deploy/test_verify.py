"""Each check of a deployed service holds for a good one, and falls short for one that is wrong in that alone."""

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy import __main__ as deploy
from deploy import verify

HSTS = {"Strict-Transport-Security": "max-age=31536000"}
PREDICTED = {"request_id": "1", "predictions": [{"label": "Reynoutria japonica", "confidence": 0.95}]}


@dataclass
class StandIn:
    """What each path is answered with: status, headers, body."""

    answers: dict[str, tuple[int, dict[str, str], object]] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)

    @classmethod
    def good(cls) -> "StandIn":
        return cls(
            {
                "/health": (200, HSTS, {"status": "ok", "version": "0.2.0", "model_loaded": True}),
                "/health/ready": (200, {}, {"ready": True, "reasons": []}),
                "/info/example": (200, {}, b"a picture"),
                "/predict": (200, {"X-Request-ID": "1"}, PREDICTED),
                **dict.fromkeys(verify.CLOSED_PATHS, (404, {}, {})),
            }
        )


@contextmanager
def serving(stand_in: StandIn, certificate: Path | None = None, *, old: bool = False) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            stand_in.asked.append((self.command, self.path, self.headers["Authorization"]))
            status, headers, said = stand_in.answers[self.path]
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the base class's name

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if old:
            context.set_ciphers("ALL:@SECLEVEL=0")
            with pytest.warns(DeprecationWarning, match="TLSv1"):
                context.minimum_version = ssl.TLSVersion.TLSv1
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return made(tmp_path / "certificate.pem", days=90)


def made(file: Path, days: float) -> Path:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    one = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    one = one.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=days))
    signed = one.add_extension(names, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


def verified(port: int, *words: str, scheme: str = "http") -> int:
    return deploy.main(["verify", f"{scheme}://127.0.0.1:{port}", "--wait", "0", *words])


def test_a_good_one_holds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ww_key\n")
    monkeypatch.setenv("WEEDWATCH_API_KEY_FILE", str(tmp_path / "key"))
    with serving(stand_in := StandIn.good()) as port:
        assert verified(port, "--version", "v0.2.0") == 0
    said = capsys.readouterr().out
    assert "a prediction: Reynoutria japonica, 95%, request 1" in said
    assert said.endswith("All of it holds.\n")
    assert ("POST", "/predict", "Bearer ww_key") in stand_in.asked
    assert ("GET", "/metrics", None) in stand_in.asked


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/health", (200, {}, {"status": "ok", "version": "0.1.0"}), "version 0.1.0 runs instead of 0.2.0"),
        ("/health", (503, {}, {"status": "not ready", "version": "0.2.0"}), "status not ready"),
        ("/health", (200, {}, b"<html>"), "no JSON"),
        ("/health", (200, {}, []), "no JSON object"),
        ("/health/ready", (503, {}, {"reasons": ["There is no archive."]}), "503: There is no archive."),
        ("/info/example", (401, {}, {}), "WEEDWATCH_API_KEY_FILE"),
        ("/info/example", (503, {}, {}), "503 instead of a picture"),
        ("/predict", (429, {}, {"detail": "Too many wait."}), "429: Too many wait."),
        ("/predict", (200, {"X-Request-ID": "1"}, {"request_id": "1", "predictions": []}), "an answer without a name"),
        ("/predict", (200, {"X-Request-ID": "2"}, PREDICTED), "its request id is not the one in the header"),
        *((path, (200, {}, {}), f"{path} is closed: answered 200") for path in verify.CLOSED_PATHS),
    ],
)
def test_one_that_is_wrong_falls_short(
    path: str, answer: tuple[int, dict[str, str], object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in = StandIn.good()
    stand_in.answers[path] = answer
    with serving(stand_in) as port:
        assert verified(port, "--version", "0.2.0") == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert said in line


def test_nobody_there_falls_short_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(StandIn.good()) as port:
        pass
    assert verified(port) == 1
    assert "ok" not in capsys.readouterr().out


def test_it_waits_until_it_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    stand_in = StandIn.good()
    late = stand_in.answers["/health/ready"]
    stand_in.answers["/health/ready"] = (503, {}, {"reasons": ["The model's workers are loading."]})
    threading.Timer(0.5, lambda: stand_in.answers.update({"/health/ready": late})).start()
    with serving(stand_in) as port:
        assert verified(port, "--wait", "30") == 0
    assert "ok    ready" in capsys.readouterr().out


def test_tls_and_the_redirection_are_looked_at(certificate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = StandIn({"/health": (301, {"Location": "https://127.0.0.1/health"}, {})})
    with serving(StandIn.good(), certificate) as port, serving(plain) as http_port:
        words = ("--ca", str(certificate), "--http-port", str(http_port))
        assert verified(port, *words, scheme="https") == 0
    said = capsys.readouterr().out
    assert "TLSv1.3, HSTS, certificate for 90 days more" in said or "certificate for 89 days more" in said
    assert "TLS 1.1 and older: refused" in said
    assert "plain HTTP leads to HTTPS: 301" in said


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    certificate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(StandIn.good(), certificate) as port:
        assert verified(port, scheme="https") == 1
    assert "its certificate is not trusted: self-signed certificate" in capsys.readouterr().out


def test_what_is_wrong_with_tls_falls_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ending = made(tmp_path / "ending.pem", days=3)
    with serving(StandIn.good(), ending) as port, serving(StandIn.good()) as http_port:
        words = ("--ca", str(ending), "--http-port", str(http_port))
        assert verified(port, *words, scheme="https") == 1
    said = capsys.readouterr().out
    assert "TLS: the certificate ends in 3.0 days" in said
    assert f"plain HTTP leads to HTTPS: port {http_port} answered 200" in said


def test_a_service_that_takes_old_tls_falls_short(certificate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(StandIn.good(), certificate, old=True) as port:
        assert verified(port, "--insecure", scheme="https") == 1
    assert "FAIL  TLS 1.1 and older: taken" in capsys.readouterr().out


def test_a_service_without_hsts_falls_short(certificate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in = StandIn.good()
    stand_in.answers["/health"] = (200, {}, {"status": "ok", "version": "0.2.0"})
    with serving(stand_in, certificate) as port:
        assert verified(port, "--insecure", scheme="https") == 1
    assert "TLS: no Strict-Transport-Security" in capsys.readouterr().out


def test_an_open_port_that_is_not_for_the_outside_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(StandIn.good()) as port, serving(StandIn.good()) as other:
        place = verify.Place(urlsplit(f"http://127.0.0.1:{port}"), ssl.create_default_context())
        monkeypatch.setattr(verify, "CLOSED_PORTS", (port,))
        assert verify.ports(place) == "1 tried"  # its own is open, of course
        monkeypatch.setattr(verify, "CLOSED_PORTS", (port, other))
        with pytest.raises(verify.Unmet, match=f"open: {other}"):
            verify.ports(place)


@pytest.mark.parametrize(
    ("url", "said"), [("weeds.example", "Write https://NAME."), ("ftp://x", "Write https://NAME.")]
)
def test_an_address_that_is_none_is_refused(url: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["verify", url]) == 1
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["verify", "https://localhost", "--ca", "/nowhere.pem"]) == 1
    assert "A file cannot be read" in capsys.readouterr().err
