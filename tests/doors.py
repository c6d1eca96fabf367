"""A whole service that is closed, and keys to it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.proofs.stack import Stack, running

PATIENCE_SECONDS = 60.0


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@dataclass(frozen=True)
class Closed:
    stack: Stack
    http: httpx2.Client

    @property
    def admin(self) -> dict[str, str]:
        return bearer((self.stack.state / "admin-token").read_text().strip())

    def make_key(self, *scopes: str, name: str = "a key", **more: Any) -> dict[str, Any]:
        """What POST /keys answers; its `key` is the key."""
        made = self.http.post("/keys", json={"name": name, "scopes": list(scopes), **more}, headers=self.admin)
        assert made.status_code == 201, made.text
        body: dict[str, Any] = made.json()
        return body

    def key(self, *scopes: str, name: str = "a key", **more: Any) -> dict[str, str]:
        """The header that shows a new key."""
        return bearer(self.make_key(*scopes, name=name, **more)["key"])

    def predict(self, photo: bytes, headers: dict[str, str], **options: Any) -> httpx2.Response:
        given = {"Content-Type": "image/jpeg", **headers}
        return self.http.post("/predict", content=photo, headers=given, params=options)


@contextmanager
def closed(root: Path, mode: str = "keys", **environment: str) -> Iterator[Closed]:
    """Started as a user would, with WEEDWATCH_AUTH on; it is ended and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="wwd-"))  # a short path: sockets live below it
    folder.chmod(0o755)
    stack = Stack(root, folder, environment={"WEEDWATCH_AUTH": mode, **environment})
    try:
        with (
            running(stack),
            httpx2.Client(base_url=f"http://127.0.0.1:{stack.port}", timeout=PATIENCE_SECONDS) as http,
        ):
            yield Closed(stack, http)
    finally:
        shutil.rmtree(folder)
