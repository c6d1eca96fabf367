"""Services that let nobody in without a credential: a whole one, or a control plane beside a started one."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.issuer.issuing import AUDIENCE, SCOPES, Provider, issuing, new_key
from tests.proofs.replicas import Replica
from tests.proofs.stack import Stack, read_admin_token, running

PATIENCE_SECONDS = 60.0


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@dataclass(frozen=True)
class Closed:
    """One that runs. `stack` is the service that it is, or the one that it stands beside."""

    stack: Stack
    port: int
    state: Path
    http: httpx2.Client

    @property
    def admin_token(self) -> str:
        return read_admin_token(self.state)

    @property
    def admin(self) -> dict[str, str]:
        return bearer(self.admin_token)

    def make_key(self, *scopes: str, name: str = "a key", **more: Any) -> dict[str, Any]:
        """What POST /keys answers; its `key` is the key."""
        made = self.http.post("/keys", json={"name": name, "scopes": list(scopes), **more}, headers=self.admin)
        assert made.status_code == 201, made.text
        body: dict[str, Any] = made.json()
        return body

    def key(self, *scopes: str, name: str = "a key", **more: Any) -> str:
        """A new key."""
        return str(self.make_key(*scopes, name=name, **more)["key"])

    def headers(self, *scopes: str, name: str = "a key", **more: Any) -> dict[str, str]:
        """They show a new key."""
        return bearer(self.key(*scopes, name=name, **more))

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
        with running(stack), _reached(stack, stack.port, stack.state) as place:
            yield place
    finally:
        shutil.rmtree(folder)


@contextmanager
def with_keys(stack: Stack) -> Iterator[Closed]:
    """Beside a started service; asks for keys."""
    with _beside(stack, "keys") as one, _started(one) as place:
        yield place


@contextmanager
def with_provider(stack: Stack) -> Iterator[tuple[Closed, Provider]]:
    """Beside a started service; takes the provider's tokens, which may carry the words for predict and read."""
    with _beside(stack, "oidc") as one, issuing([new_key("first")], redirect=[f"http://localhost:{one.port}/"]) as at:
        one.environment = {
            **one.environment,
            "WEEDWATCH_OIDC_ISSUER": at.url,
            "WEEDWATCH_OIDC_AUDIENCE": AUDIENCE,
            "WEEDWATCH_OIDC_CLIENT_ID": "pages",
            "WEEDWATCH_OIDC_SCOPES": ",".join(f"{word}={word.partition(':')[2]}" for word in SCOPES[:2]),
        }
        with _started(one) as place:
            yield place, at


@contextmanager
def _beside(stack: Stack, mode: str) -> Iterator[Replica]:
    """Not started yet."""
    url = stack.process("control plane").environ()["DATABASE_URL"]
    with tempfile.TemporaryDirectory(prefix="ww-closed-") as folder:
        one = Replica(stack, f"closed-{mode}", url, Path(folder), {"WEEDWATCH_AUTH": mode})
        try:
            yield one
        finally:
            one.stop()


@contextmanager
def _started(one: Replica) -> Iterator[Closed]:
    one.start()
    one.wait_until_ready()
    with _reached(one.stack, one.port, one.state) as place:
        yield place


@contextmanager
def _reached(stack: Stack, port: int, state: Path) -> Iterator[Closed]:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as http:
        yield Closed(stack, port, state, http)
