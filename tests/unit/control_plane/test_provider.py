"""A provider's keys are asked for seldom, outlast its absence, and whatever a hostile one says lets nobody in."""

import asyncio
from typing import Any

import pytest

from control_plane.access import provider
from control_plane.errors import ProviderUnavailable
from tests.issuer.issuing import claims, new_key
from tests.issuer.site import HOSTILE, issuer_of, refused, site
from tests.issuer.tokens import KEYS, OTHER, RSA, unsigned


async def test_unknown_keys_are_asked_for_once_in_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as where:
        issuer = issuer_of(where)
        await issuer.verify(RSA.sign(claims(where.url)))
        monkeypatch.setattr(issuer.provider, "_asked_at", float("-inf"))

        async def attempt(number: int) -> None:
            with refused():
                await issuer.verify(unsigned({"alg": "RS256", "kid": f"unknown-{number}"}, claims(where.url), "AAAA"))

        await asyncio.gather(*(attempt(number) for number in range(1000)))
        assert where.asked.count("/jwks") == 2


async def test_a_new_key_is_found_and_a_withdrawn_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    new = new_key("new", "ES256")
    async with site() as where:
        issuer = issuer_of(where)
        old = RSA.sign(claims(where.url))
        await issuer.verify(old)
        where.keys = [new]
        monkeypatch.setattr(issuer.provider, "_asked_at", float("-inf"))
        fresh = [new.sign(claims(where.url, jti=str(number))) for number in range(20)]
        verified = await asyncio.gather(*(issuer.verify(each) for each in fresh))
        assert {each.subject for each in verified} == {"ada"}
        with refused():
            await issuer.verify(old)  # though it was known


async def test_known_keys_go_on_while_the_provider_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as where:
        issuer = issuer_of(where)
        await issuer.verify(RSA.sign(claims(where.url)))
    monkeypatch.setattr(issuer.provider, "_asked_at", float("-inf"))
    assert (await issuer.verify(KEYS["EdDSA"].sign(claims(where.url)))).subject == "ada"
    with refused():
        await issuer.verify(OTHER.sign(claims(where.url)))


async def test_a_provider_that_was_never_reached_is_nobodys_fault() -> None:
    async with site() as where:
        pass
    issuer = issuer_of(where)
    with refused(ProviderUnavailable):
        await issuer.verify(RSA.sign(claims(where.url)))
    with refused():
        await issuer.verify("nonsense")


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_keys_let_nobody_in_and_take_no_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "FETCH_SECONDS", 0.5)
    async with site(write=HOSTILE[name]) as where, asyncio.timeout(30):
        with refused(ProviderUnavailable):
            await issuer_of(where).verify(RSA.sign(claims(where.url)))


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://login.example"},
        {"jwks_uri": "http://169.254.169.254/latest/meta-data/"},
        {"jwks_uri": "http://127.0.0.1:8081/models"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://[::1"},
        {"jwks_uri": None},
        {"token_endpoint": "https://elsewhere.example/token"},
        {"end_session_endpoint": "javascript:alert(1)"},
    ],
)
async def test_a_description_leads_nowhere_else(described: dict[str, Any]) -> None:
    async with site(described=described) as where:
        with refused(ProviderUnavailable):
            await issuer_of(where).verify(RSA.sign(claims(where.url)))
        assert where.asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "address",
    [
        "http://login.example",
        "https://",
        "https://a;b.example",
        "https://a@b.example",
        "https://b.example/?x",
        "ftp://localhost",
        "",
    ],
)
def test_an_issuer_has_to_be_an_address_that_nobody_can_listen_to(address: str) -> None:
    with pytest.raises(ValueError, match="https"):
        provider.check_address(address)
