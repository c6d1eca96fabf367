"""Control planes beside a started one that let nobody in without a credential: with keys, or by an OpenID provider."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.issuer.issuing import AUDIENCE, SCOPES, Provider, issuing, new_key
from tests.proofs.replicas import Replica
from tests.proofs.stack import Stack


@dataclass(frozen=True)
class Closed:
    """One that runs."""

    replica: Replica
    http: httpx2.Client

    @property
    def port(self) -> int:
        return self.replica.port

    @property
    def admin_token(self) -> str:
        return (self.replica.state / "admin-token").read_text().strip()

    @property
    def admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.admin_token}"}

    def key(self, name: str, *scopes: str) -> str:
        answer = self.http.post("/keys", json={"name": name, "scopes": [*scopes]}, headers=self.admin)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])


@contextmanager
def with_keys(stack: Stack) -> Iterator[Closed]:
    with _beside(stack, "keys") as one, _started(one) as place:
        yield place


@contextmanager
def with_provider(stack: Stack) -> Iterator[tuple[Closed, Provider]]:
    """The provider's tokens may carry the words for predict and read."""
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
    with httpx2.Client(base_url=f"http://127.0.0.1:{one.port}", timeout=60) as http:
        yield Closed(one, http)
