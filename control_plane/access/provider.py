"""An OpenID provider as this service sees it: its description and its keys, kept also while it is away.

Both come from the issuer's own origin alone: nothing in a token, and nothing that answers elsewhere, is ever followed.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from json import JSONDecodeError, loads
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from jwt import PyJWK

log = logging.getLogger(__name__)

FETCH_SECONDS = 10.0
REFRESH_SECONDS = 600.0  # a key that the provider withdraws is refused after this at the latest
BETWEEN_FETCHES_SECONDS = 30.0  # however many tokens name a key that is not known
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
RSA_BITS = 2048
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9a-f:]+\](:[0-9]+)?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# What a key must be for each algorithm; a shared secret never is one.
KEY_TYPES: dict[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}


class ProviderAway(Exception):
    """It could not be asked, or answered with something that cannot be used; the sentence says what."""


@dataclass(frozen=True)
class Endpoints:
    """Where a browser signs in, gets its tokens and signs out."""

    authorization: str
    token: str
    end_session: str | None


def check_address(address: str) -> None:
    """Raises ValueError unless it is an https address, or an http one of this machine."""
    parts = urlsplit(address)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    is_plain = _HOST.fullmatch(parts.netloc) and not parts.query and not parts.fragment
    if not is_safe or not is_plain:
        raise ValueError("an issuer is an https:// address without a query; http:// is for this machine only")


class Provider:
    """Asks again in time, at most once in 30 s; what it knows it goes on using while the provider is away."""

    def __init__(self, issuer: str, algorithms: Sequence[str], changed: Callable[[], None] = lambda: None) -> None:
        check_address(issuer)
        self.issuer = issuer
        self.endpoints: Endpoints | None = None
        self._algorithms = tuple(algorithms)
        self._changed = changed
        self._keys: dict[tuple[str | None, str], PyJWK] = {}
        self._seen: object = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    @property
    def origin(self) -> str:
        return origin(self.issuer)

    @property
    def has_keys(self) -> bool:
        return bool(self._keys)

    async def run(self) -> None:
        while True:
            await self._ask()
            await asyncio.sleep(REFRESH_SECONDS if self.has_keys else BETWEEN_FETCHES_SECONDS)

    async def key(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """The key of that name for that algorithm; an unknown one is asked for."""
        found = self._find(kid, algorithm)
        is_due = monotonic() - self._asked_at >= BETWEEN_FETCHES_SECONDS
        if found is None and (is_due or self._asking.locked()):
            await self._ask()
            found = self._find(kid, algorithm)
        return found

    def _find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        if kid is not None:
            return self._keys.get((kid, algorithm))
        fitting = [key for (_, each), key in self._keys.items() if each == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    async def _ask(self) -> None:
        async with self._asking:
            if monotonic() - self._asked_at < BETWEEN_FETCHES_SECONDS:
                return  # somebody else has asked meanwhile
            self._asked_at = monotonic()
            try:
                endpoints, keys = await self._fetch()
            except ProviderAway as error:
                log.warning("the OpenID provider cannot be used", extra={"cause": str(error)})
                return
        if keys != self._seen:
            self._keys = dict(_usable(keys, self._algorithms))
            self._seen = keys
            self._changed()
            log.info("keys of the OpenID provider", extra={"keys": sorted({str(kid) for kid, _ in self._keys})})
        self.endpoints = endpoints

    async def _fetch(self) -> tuple[Endpoints, list[Any]]:
        try:
            # A session for each: once in ten minutes, and nothing is left open.
            async with (
                asyncio.timeout(FETCH_SECONDS),
                aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            ):
                described = await _json(session, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                if described.get("issuer") != self.issuer:
                    raise ProviderAway("Its description names another issuer.")
                endpoints = self._endpoints(described)
                keys = (await _json(session, self._own(described, "jwks_uri"))).get("keys")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise ProviderAway(f"It could not be asked: {type(error).__name__}.") from error
        if not isinstance(keys, list) or not 0 < len(keys) <= MAX_KEYS:
            raise ProviderAway("Its keys are not a list of keys.")
        return endpoints, keys

    def _endpoints(self, described: dict[str, Any]) -> Endpoints:
        end = self._own(described, "end_session_endpoint") if "end_session_endpoint" in described else None
        return Endpoints(self._own(described, "authorization_endpoint"), self._own(described, "token_endpoint"), end)

    def _own(self, described: dict[str, Any], name: str) -> str:
        """An address in its description; it has to lie on the issuer's own origin."""
        address = described.get(name)
        if not isinstance(address, str) or origin(address) != self.origin:
            raise ProviderAway(f"Its {name} does not lie on the issuer's own origin.")
        return address


def origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


async def _json(session: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with session.get(address, allow_redirects=False, headers=headers) as answer:
        if answer.status != 200:
            raise ProviderAway(f"{address} answered {answer.status}.")
        body = bytearray()
        async for block in answer.content.iter_any():
            body += block
            if len(body) > MAX_BYTES:
                raise ProviderAway(f"{address} answered more than {MAX_BYTES} bytes.")
    try:
        document = loads(bytes(body))
    except (JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProviderAway(f"{address} answered no JSON.") from error
    if not isinstance(document, dict):
        raise ProviderAway(f"{address} answered no JSON object.")
    return document


def _usable(keys: list[Any], algorithms: Sequence[str]) -> Iterator[tuple[tuple[str | None, str], PyJWK]]:
    """Public keys for signatures, each under its name and every algorithm that is allowed and fits it."""
    for jwk in keys:
        if not isinstance(jwk, dict) or "d" in jwk or jwk.get("use", "sig") != "sig":
            continue
        kid = jwk.get("kid")
        for algorithm in algorithms:
            kind, curve = KEY_TYPES[algorithm]
            fits = jwk.get("kty") == kind and jwk.get("alg", algorithm) == algorithm
            if not fits or (curve and jwk.get("crv") != curve) or not isinstance(kid, str | None):
                continue
            try:
                key = PyJWK(jwk, algorithm)
            except Exception as error:  # whatever a hostile key makes the library raise, it is no key
                log.warning("a key of the OpenID provider cannot be used", extra={"cause": type(error).__name__})
                continue
            if getattr(key.key, "key_size", RSA_BITS) >= RSA_BITS or kind != "RSA":
                yield (kid, algorithm), key
