"""No token but the provider's own access tokens for this service gets in, whatever a token says."""

import time

import pytest
from pydantic import ValidationError

from control_plane.access import oidc
from control_plane.access.oidc import issuer_from, scope_map
from control_plane.errors import Unauthorized
from control_plane.settings import Settings
from tests.issuer.issuing import claims
from tests.issuer.site import issuer_of, refused, site
from tests.issuer.tokens import ALGORITHMS, KEYS, RSA, bad_tokens


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_good_token_says_who_and_what(algorithm: str) -> None:
    async with site() as where:
        token = KEYS[algorithm].sign(claims(where.url, scope="biologist openid unknown"))
        verified = await issuer_of(where).verify(token)
    assert verified.subject == "ada"
    assert verified.scopes == {"predict", "read"}


@pytest.mark.parametrize(
    ("claim", "value"), [("scp", "biologist x"), ("permissions", ["biologist"]), ("a.roles", {"roles": ["biologist"]})]
)
async def test_words_come_from_the_claim_that_the_settings_name(claim: str, value: object) -> None:
    async with site() as where:
        issuer = issuer_of(where)
        issuer._claim = claim
        token = KEYS["ES256"].sign(claims(where.url, **{claim.partition(".")[0]: value}))
        assert (await issuer.verify(token)).scopes == {"predict", "read"}


async def test_no_bad_token_gets_in_and_none_makes_us_ask_elsewhere() -> None:
    async with site() as where, site() as trap:
        issuer = issuer_of(where)
        good = claims(where.url)
        await issuer.verify(RSA.sign(good))
        tokens = bad_tokens(good, trap.url)
        for name, token in tokens.items():
            with pytest.raises(Unauthorized, match=r"\.$"):
                raise AssertionError(f"{name}: {await issuer.verify(token)}")
        assert trap.asked == []
        assert where.asked.count("/jwks") == 1
        assert len(tokens) >= 24


async def test_a_token_of_a_megabyte_is_refused_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "hashlib", None)
    async with site() as where:
        with refused():
            await issuer_of(where).verify("x" * 2**20)


async def test_a_token_that_is_known_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as where:
        issuer = issuer_of(where)
        token = RSA.sign(claims(where.url))
        await issuer.verify(token)
        monkeypatch.setattr(oidc, "time", lambda: time.time() + 331)
        with refused():
            await issuer.verify(token)


async def test_tokens_that_are_known_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "KNOWN_TOKENS", 5)
    async with site() as where:
        issuer = issuer_of(where)
        for number in range(12):
            await issuer.verify(KEYS["EdDSA"].sign(claims(where.url, jti=str(number))))
    assert len(issuer._known) == 5


@pytest.mark.parametrize("text", ["", "word", "word=", "=predict", "word=predict+fly", "a=predict,,b=read"])
def test_a_map_of_scopes_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="WORD=SCOPE"):
        scope_map(text)


@pytest.mark.parametrize(
    ("issuer", "audience", "scopes", "named"),
    [
        ("", "x", "a=read", "ISSUER"),
        ("https://login.example", "", "a=read", "AUDIENCE"),
        ("http://login.example", "x", "a=read", "ISSUER"),
        ("https://login.example", "x", "read", "SCOPES"),
    ],
)
def test_settings_that_make_no_sense_are_named(issuer: str, audience: str, scopes: str, named: str) -> None:
    settings = Settings(database_url="postgresql://", oidc_issuer=issuer, oidc_audience=audience, oidc_scopes=scopes)
    with pytest.raises(ValueError, match=f"WEEDWATCH_OIDC_{named}"):
        issuer_from(settings)


@pytest.mark.parametrize("algorithms", ["HS256", "none", "RS256,HS512", ""])
def test_a_shared_secret_cannot_be_configured(algorithms: str) -> None:
    with pytest.raises(ValidationError):
        Settings(database_url="postgresql://", oidc_algorithms=algorithms)
