"""What the proof takes for a file that no image should hold."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.proofs.stack_lines.line_4_images import is_forbidden


@pytest.mark.parametrize(
    ("name", "content", "forbidden"),
    [
        ("app/.git/HEAD", b"ref", True),
        ("app/.env", b"A=b", True),
        ("app/secrets/admin_token", b"x", True),
        ("models/plants-1.mar", b"x", True),
        ("etc/own.pem", b"-----BEGIN PRIVATE KEY-----", True),
        ("etc/ssl/certs/one.pem", b"-----BEGIN CERTIFICATE-----", False),
        ("usr/lib/python3.11/secrets.py", b"x", False),
        ("app/control_plane/app.py", b"x", False),
    ],
)
def test_secrets_history_and_state_are_found(tmp_path: Path, name: str, content: bytes, forbidden: bool) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        archive.addfile(member, io.BytesIO(content))
    with tarfile.open(tmp_path / "image.tar") as archive:
        assert [is_forbidden(archive, each) for each in archive] == [forbidden]
