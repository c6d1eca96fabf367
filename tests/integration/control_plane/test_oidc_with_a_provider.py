"""Tokens of a real provider: made by it, signed anew after a rotation, and mixed up by whoever holds others."""

from collections.abc import Iterator

import httpx2
import pytest

from control_plane.access.oidc import Issuer, issuer_from
from control_plane.errors import Unauthorized
from control_plane.settings import Settings
from tests.issuer.issuing import AUDIENCE, Provider, claims, issuing, new_key


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with issuing([new_key("first"), new_key("spare", "ES256"), new_key("third", "EdDSA")]) as provider:
        yield provider


@pytest.fixture
def issuer(running: Provider) -> Issuer:
    return issuer_from(Settings(database_url="postgresql://", oidc_issuer=running.url, oidc_audience=AUDIENCE))


async def test_its_tokens_are_taken_also_after_its_keys_have_changed(
    running: Provider, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = running.token("weedwatch:predict weedwatch:read")
    verified = await issuer.verify(old)
    assert verified.subject == "machine"
    assert verified.scopes == {"predict", "read"}
    first, spare, third = running.keys
    running.rotate(spare, first, third)  # one that was published before
    assert (await issuer.verify(running.token())).scopes == {"predict"}
    new = new_key("new", "EdDSA")
    running.rotate(new, spare)  # one that nobody has seen, and the first is gone
    monkeypatch.setattr(issuer.provider, "_asked_at", float("-inf"))
    assert (await issuer.verify(running.token())).scopes == {"predict"}
    with pytest.raises(Unauthorized):
        await issuer.verify(old)


async def test_what_it_signs_for_others_is_refused(running: Provider, issuer: Issuer) -> None:
    key = running.keys[0]
    good = claims(running.url)
    assert (await issuer.verify(key.sign(good))).subject == "ada"
    for changes, headers in [
        ({"aud": "pages", "nonce": "n"}, {"typ": "JWT"}),  # the ID token of the pages
        ({"aud": "https://another.example"}, {}),
        ({"iss": "https://login.example"}, {}),
        ({}, {"typ": "logout+jwt"}),
    ]:
        with pytest.raises(Unauthorized):
            await issuer.verify(key.sign(good | changes, **headers))


async def test_a_browser_learns_where_to_sign_in(running: Provider, issuer: Issuer) -> None:
    await issuer.verify(running.token())
    endpoints = issuer.provider.endpoints
    assert endpoints
    assert endpoints.authorization == f"{running.url}/auth"
    assert httpx2.get(endpoints.authorization, timeout=60).status_code == 400  # it asks for a client
