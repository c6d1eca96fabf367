"""Access tokens of an OpenID provider: who they speak for, and what they allow. RFC 8725 and RFC 9068."""

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any

import jwt

from control_plane.access.provider import Provider, check_address
from control_plane.domain.callers import SCOPES, Scope
from control_plane.errors import ProviderUnavailable, Unauthorized
from control_plane.settings import Settings

log = logging.getLogger(__name__)

MAX_TOKEN_CHARACTERS = 16 * 1024
MAX_SUBJECT_CHARACTERS = 255
KNOWN_TOKENS = 4096
_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]
# What an ID token or a logout token has and an access token has not; and what binds a token to a key of its holder,
# which a bearer cannot show.
_OTHERS = {
    "nonce": "an ID token",
    "at_hash": "an ID token",
    "c_hash": "an ID token",
    "events": "a logout token",
    "cnf": "a token that is bound to a key",
}
_KEYCLOAK_OTHERS = frozenset({"ID", "Refresh", "Offline", "Logout"})


@dataclass(frozen=True)
class Verified:
    """What a token says, once its signature and its claims have been checked. `expires` in seconds since 1970."""

    subject: str
    scopes: frozenset[Scope]
    expires: float


class Issuer:
    """Checks access tokens; one that it has seen costs microseconds until it ends."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        algorithms: Sequence[str],
        leeway_seconds: float,
        scopes_claim: str,
        scopes: Mapping[str, Sequence[Scope]],
    ) -> None:
        self.provider = Provider(issuer, algorithms, changed=self._forget)
        self._audience = audience
        self._algorithms = frozenset(algorithms)
        self._leeway = leeway_seconds
        self._claim = scopes_claim
        self._scopes = scopes
        self.words = tuple(scopes)
        self._known: dict[bytes, Verified] = {}

    async def verify(self, token: str) -> Verified:
        """Who the token speaks for.

        Raises:
            Unauthorized: It is no access token of this provider for this service, or it has ended.
            ProviderUnavailable: No key of the provider is known yet, so nothing can be said of it.
        """
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise Unauthorized("The token is too long to be one.")
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._known.get(digest)
        if known is None:
            known = await self._check(token)
            if len(self._known) >= KNOWN_TOKENS:
                del self._known[next(iter(self._known))]
            self._known[digest] = known
        elif known.expires + self._leeway <= time():
            del self._known[digest]
            raise Unauthorized("The token has ended. Sign in again.")
        return known

    def _forget(self) -> None:
        """The provider's keys are others: what an old one signed has to be checked again."""
        self._known.clear()

    async def _check(self, token: str) -> Verified:
        try:
            header = jwt.get_unverified_header(token)
        except Exception as error:  # whatever a hostile text makes the library raise, it is no token
            raise Unauthorized("This is neither a key of this service nor an access token.") from error
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise Unauthorized("The token is signed in a way that is not taken here.")
        if not isinstance(typ := header.get("typ", "jwt"), str) or typ.lower() not in _TYPES or "crit" in header:
            raise Unauthorized("This is not an access token.")
        key = await self.provider.key(header.get("kid"), algorithm)
        if key is None and not self.provider.has_keys:
            raise ProviderUnavailable
        if key is None:
            raise Unauthorized("The token is signed with a key that the provider does not publish.")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self.provider.issuer,
                leeway=self._leeway,
                options={"require": _REQUIRED},
            )
            return self._verified(claims)
        except Unauthorized:
            raise
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("The token has ended. Sign in again.") from error
        except (jwt.ImmatureSignatureError, jwt.InvalidIssuedAtError) as error:
            raise Unauthorized("The token is not valid yet. Check the clocks.") from error
        except jwt.InvalidAudienceError as error:
            raise Unauthorized("The token is for another service.") from error
        except jwt.InvalidIssuerError as error:
            raise Unauthorized("The token is of another provider.") from error
        except jwt.InvalidSignatureError as error:
            raise Unauthorized("The token's signature is wrong.") from error
        except Exception as error:  # as above
            raise Unauthorized("The token has not what an access token has.") from error

    def _verified(self, claims: dict[str, Any]) -> Verified:
        for name, kind in _OTHERS.items():
            if name in claims:
                raise Unauthorized(f"This is {kind}, not an access token.")
        if claims.get("typ") in _KEYCLOAK_OTHERS:
            raise Unauthorized("This is not an access token.")
        expires, subject = claims["exp"], claims["sub"]
        if isinstance(expires, bool) or not isinstance(expires, int | float) or not math.isfinite(expires):
            raise Unauthorized("The token's end is no moment.")
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS or not subject.isprintable():
            raise Unauthorized("The token's subject cannot be used.")
        return Verified(subject, self._allowed(claims), float(expires))

    def _allowed(self, claims: dict[str, Any]) -> frozenset[Scope]:
        found = claims.get(self._claim)
        if found is None and "." in self._claim:  # as in realm_access.roles
            found = claims
            for part in self._claim.split("."):
                found = found.get(part) if isinstance(found, dict) else None
        words = found.split() if isinstance(found, str) else found if isinstance(found, list) else []
        return frozenset(scope for word in words if isinstance(word, str) for scope in self._scopes.get(word, ()))


def issuer_from(settings: Settings) -> Issuer:
    """The issuer that the settings name.

    Raises:
        ValueError: A setting is missing or makes no sense; the sentence names it.
    """
    if not settings.oidc_issuer or not settings.oidc_audience:
        raise ValueError("WEEDWATCH_AUTH=oidc needs WEEDWATCH_OIDC_ISSUER and WEEDWATCH_OIDC_AUDIENCE.")
    try:
        check_address(settings.oidc_issuer)
    except ValueError as error:
        raise ValueError(f"The setting WEEDWATCH_OIDC_ISSUER is wrong: {error}.") from error
    try:
        scopes = scope_map(settings.oidc_scopes)
    except ValueError as error:
        raise ValueError(f"The setting WEEDWATCH_OIDC_SCOPES is wrong: {error}.") from error
    return Issuer(
        settings.oidc_issuer,
        settings.oidc_audience,
        algorithms=settings.oidc_algorithms,
        leeway_seconds=settings.oidc_leeway_seconds,
        scopes_claim=settings.oidc_scopes_claim,
        scopes=scopes,
    )


def scope_map(text: str) -> dict[str, tuple[Scope, ...]]:
    """`word=scope+scope,…` → what each word of a token allows.

    Raises:
        ValueError: It has not that form, or names a scope that there is not.
    """
    words: dict[str, tuple[Scope, ...]] = {}
    for part in text.split(","):
        word, _, named = part.strip().rpartition("=")
        scopes = tuple(scope for scope in SCOPES if scope in named.split("+"))
        if not word or len(scopes) != len(named.split("+")):
            raise ValueError(f"write WORD=SCOPE or WORD=SCOPE+SCOPE, with scopes of {', '.join(SCOPES)}")
        words[word] = scopes
    return words
