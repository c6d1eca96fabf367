"""When watched certificates end: read anew when a file changes, and said when it cannot be read."""

from datetime import UTC, datetime, timedelta
from errno import EACCES
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from control_plane.web.certificates import Certificates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pem(days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weedwatch.example")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=days))
    )
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def end(days: int) -> float:
    return (NOW + timedelta(days=days)).timestamp()


def test_of_a_chain_the_first_end_counts_and_a_new_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "server.pem"
    file.write_bytes(pem(90) + pem(30))
    watched = Certificates([file])
    assert watched.ends() == {str(file): end(30)}
    (tmp_path / "new.pem").write_bytes(pem(365))
    (tmp_path / "new.pem").replace(file)
    assert watched.ends() == {str(file): end(365)}


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_one_that_cannot_be_read_has_ended_and_is_logged_once(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "server.pem"
    if content is not None:
        file.write_bytes(content)
    watched = Certificates([file])
    assert [watched.ends() for _ in range(3)] == [{str(file): 0}] * 3
    assert [record.getMessage() for record in caplog.records] == ["a watched certificate cannot be read"]


def test_a_file_that_may_be_read_later_is_read_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "server.pem"
    file.write_bytes(pem(90))
    watched = Certificates([file])
    allowed = Path.read_bytes

    def forbidden(_: Path) -> bytes:
        raise PermissionError(EACCES, "not allowed")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert [watched.ends() for _ in range(2)] == [{str(file): 0}] * 2
    assert len(caplog.records) == 1
    monkeypatch.setattr(Path, "read_bytes", allowed)
    assert watched.ends() == {str(file): end(90)}
