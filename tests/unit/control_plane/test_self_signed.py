"""The certificate for trying out."""

import ssl
from pathlib import Path

import pytest

from control_plane.web import self_signed


@pytest.mark.parametrize("name", ["localhost", "weeds.example.org", "192.0.2.7"])
def test_it_is_one_that_tls_takes_and_is_made_once(tmp_path: Path, name: str) -> None:
    assert self_signed.make(tmp_path, name)
    chain, key = tmp_path / self_signed.CHAIN, tmp_path / self_signed.KEY
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key)
    before = chain.read_bytes()
    assert not self_signed.make(tmp_path, name)
    assert chain.read_bytes() == before
    assert key.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [self_signed.CHAIN, self_signed.KEY]


def test_the_certificate_of_an_operator_stays(tmp_path: Path) -> None:
    (tmp_path / self_signed.CHAIN).write_text("theirs")
    assert not self_signed.make(tmp_path, "localhost")
    assert not (tmp_path / self_signed.KEY).exists()


def test_a_key_without_its_certificate_and_a_link_that_leads_nowhere_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["self_signed", str(tmp_path), "localhost"])
    key = tmp_path / self_signed.KEY
    key.write_text("theirs")
    assert self_signed.main() == 1
    assert "privkey.pem is there, and no fullchain.pem that can be read" in capsys.readouterr().err
    assert key.read_text() == "theirs"
    key.unlink()
    (tmp_path / self_signed.CHAIN).symlink_to("../archive/fullchain1.pem")
    assert self_signed.main() == 1
    assert [path.name for path in tmp_path.iterdir()] == [self_signed.CHAIN]


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["self_signed", str(tmp_path / "missing"), "localhost"])
    assert self_signed.main() == 1
    assert str(tmp_path / "missing") in capsys.readouterr().err
