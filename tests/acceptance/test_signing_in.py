"""The pages of a closed service in a real browser: with a key, and by a real OpenID provider."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.conftest import SAMPLES, Service
from tests.browser.chromium import PATIENCE_MS, Visit, visit
from tests.closed import Closed, with_keys, with_provider
from tests.issuer.issuing import Provider, claims, new_key

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def keyed(service: Service) -> Iterator[Closed]:
    with with_keys(service.stack) as place:
        yield place


@pytest.fixture(scope="module")
def signed(service: Service) -> Iterator[tuple[Closed, Provider]]:
    with with_provider(service.stack) as both:
        yield both


@contextmanager
def looked_at(browser: Browser, place: Closed, width: int = 1280, **more: Any) -> Iterator[Visit]:
    with visit(browser, place.port, width=width, **more) as here:
        yield here
        assert here.violations() == []
        assert here.complaints == []
        assert not here.overflows()


def nobody_known(name: str) -> str:
    """A name with no records, however often it runs."""
    return f"{name}-{time.time_ns()}"


def asked(page: Page) -> Locator:
    return page.get_by_role("dialog")


def sign_in_with(page: Page, key: str) -> None:
    asked(page).get_by_label("API key").fill(key)
    asked(page).get_by_role("button", name="Use the key").click()


def identify(here: Visit, sample: str = "knotweed.jpg") -> None:
    here.page.set_input_files("input[type=file]", [SAMPLES / sample])
    here.answered()


def stored(page: Page) -> str:
    return str(page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"))


@pytest.mark.parametrize("width", [360, 1280])
def test_a_key_is_asked_for_then_a_photo_is_identified_kept_and_found(
    keyed: Closed, browser: Browser, width: int
) -> None:
    key = keyed.key("predict", "read", name=nobody_known("field"))
    with looked_at(browser, keyed, width) as here:
        here.open()
        page = here.page
        expect(asked(page).get_by_label("API key")).to_be_focused()
        assert here.violations() == []
        sign_in_with(page, "ww_AAAAAAAA_" + "A" * 43)
        asked(page).get_by_role("heading", name="The service does not take this credential.").wait_for()
        assert here.violations() == []
        sign_in_with(page, key)
        expect(asked(page)).to_have_count(0)
        page.get_by_text("About this model").wait_for()

        identify(here)
        page.get_by_role("button", name="Keep the photo, too").click()
        page.get_by_role("button", name="Remove the photo").wait_for()
        page.get_by_role("link", name="See it in Sightings").click()
        here.until("document.querySelector('img.photo')?.naturalWidth > 0")
        page.get_by_role("link", name="All sightings").click()
        expect(page.locator("ul.cards li")).to_have_count(1)  # nobody else's
        here.until("document.querySelector('img.thumb')?.naturalWidth > 0")
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download as CSV").click()
        assert "Reynoutria japonica" in saved.value.path().read_text()
        expect(page.get_by_role("button", name="Delete records")).to_have_count(0)
        assert key not in stored(page)
        assert here.foreign == []

        page.get_by_role("button", name="Sign out").click()
        expect(asked(page).get_by_label("API key")).to_be_focused()
        assert page.evaluate("indexedDB.databases().then((all) => all.length > 0)")


def test_what_a_key_does_not_allow_is_not_offered_and_said(keyed: Closed, browser: Browser) -> None:
    with looked_at(browser, keyed) as here:
        here.open()
        sign_in_with(here.page, keyed.key("read", name="looker"))
        here.page.get_by_text("it lacks the scope predict").wait_for()
        here.open("models/plants")
        sign_in_with(here.page, keyed.key("predict", name="sender"))
        here.heading("Not allowed")
        here.page.get_by_text("lacks the scope 'read'").first.wait_for()
        assert here.violations() == []
        here.page.get_by_role("main").get_by_role("button", name="Use another key").last.click()
        sign_in_with(here.page, keyed.key("read", name="watcher"))
        here.page.get_by_text("Changing something needs the scope admin").wait_for()
        expect(here.page.get_by_role("button", name="Add a version …")).to_have_count(0)
        here.page.get_by_role("main").get_by_role("button", name="Use another key").first.click()
        sign_in_with(here.page, keyed.admin_token)
        here.page.get_by_role("button", name="Add a version …").wait_for()
        here.open("status")
        sign_in_with(here.page, keyed.admin_token)
        here.page.get_by_text("Ready.").wait_for()


def test_a_photo_waits_for_whoever_signs_in_and_a_key_that_ends_says_so(keyed: Closed, browser: Browser) -> None:
    with looked_at(browser, keyed) as here:
        here.open()
        asked(here.page).get_by_role("button", name="Not now").click()
        here.page.set_input_files("input[type=file]", [SAMPLES / "fern.jpg"])
        here.page.get_by_text("It is sent when you have signed in").wait_for()
        assert here.violations() == []
        here.page.get_by_role("main").get_by_role("button", name="Sign in").first.click()
        key = keyed.key("predict", "read", name="short-lived")
        sign_in_with(here.page, key)
        here.answered()
        assert keyed.http.delete(f"/keys/{key.split('_')[1]}", headers=keyed.admin).status_code < 300
        until = time.monotonic() + 60
        while keyed.http.get("/info", headers={"Authorization": f"Bearer {key}"}).status_code == 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        here.page.get_by_role("link", name="See it in Sightings").click()
        expect(asked(here.page)).to_contain_text("not valid any more")


def at_the_provider(page: Page, name: str) -> None:
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("whatever")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_a_person_signs_in_at_the_provider_identifies_and_signs_out(
    signed: tuple[Closed, Provider], browser: Browser
) -> None:
    place, provider = signed
    ada = nobody_known("ada")
    with visit(browser, place.port, width=360) as here:
        here.open("sightings")
        page = here.page
        button = asked(page).get_by_role("button", name="Sign in")
        button.wait_for()
        assert (here.violations(), here.complaints, here.overflows()) == ([], [], False)
        button.click()
        at_the_provider(page, ada)
        page.get_by_text(f"Signed in as {ada}.").wait_for()
        here.heading("No sightings yet")
        assert re.fullmatch(rf"http://localhost:{place.port}/#/sightings", page.url)
        assert "weedwatch-sign-in" not in stored(page)
        page.get_by_role("link", name="Identify a plant").click()
        identify(here)
        page.get_by_role("link", name="See it in Sightings").click()
        page.get_by_role("heading", name="Japanese knotweed", level=1).wait_for()
        assert (here.violations(), here.complaints, here.overflows()) == ([], [], False)
        theirs = (provider.url, "https://fonts.")  # the provider, and what its own page asks for
        assert [url for url in here.foreign if not url.startswith(theirs)] == []
        records = place.http.get("/history", headers=bearer(provider, ada)).json()["items"]
        assert [each["label"] for each in records] == ["Reynoutria japonica"]
        assert place.http.get("/history", headers=bearer(provider, "eve")).json()["items"] == []

        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{provider.url}/**")
        page.get_by_role("button", name="Yes, sign me out").click()
        page.wait_for_url(f"http://localhost:{place.port}/**")
        asked(page).get_by_role("button", name="Sign in").click()
        page.get_by_placeholder("Enter any login").wait_for()  # it does not know her any more


def bearer(provider: Provider, subject: str) -> dict[str, str]:
    token = provider.keys[0].sign(claims(provider.url, sub=subject, scope="weedwatch:predict weedwatch:read"))
    return {"Authorization": f"Bearer {token}"}


def test_an_answer_that_this_page_did_not_ask_for_is_not_taken(
    signed: tuple[Closed, Provider], browser: Browser
) -> None:
    place, _ = signed
    with looked_at(browser, place) as here:
        here.page.goto(f"{here.home}/?code=stolen&state=of-somebody-else")
        expect(asked(here.page)).to_contain_text("does not belong to a sign-in that this page began")
        assert here.page.url == f"{here.home}/"


def test_the_policy_names_the_provider_only_where_people_sign_in_there(
    signed: tuple[Closed, Provider], keyed: Closed
) -> None:
    place, provider = signed
    assert f"connect-src 'self' {provider.url};" in place.http.get("/").headers["content-security-policy"]
    assert "connect-src 'self';" in keyed.http.get("/").headers["content-security-policy"]


def test_bad_tokens_are_answered_401(signed: tuple[Closed, Provider]) -> None:
    place, provider = signed
    key = provider.keys[0]
    good = claims(provider.url, scope="weedwatch:predict")
    bad = [
        key.sign(good | {"aud": "https://other.example"}),
        key.sign(good | {"exp": good["iat"] - 3600}),
        key.sign(good | {"nonce": "n"}, typ="JWT"),
        new_key("first").sign(good),
        "e30.e30.",
        "x" * 60_000,
    ]
    for token in bad:
        answer = place.http.get("/info", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, "Bearer"), token[:40]
    assert place.http.get("/info", headers={"Authorization": f"Bearer {key.sign(good)}"}).status_code == 200
    forbidden = place.http.get("/history", headers={"Authorization": f"Bearer {key.sign(good)}"})
    assert (forbidden.status_code, forbidden.json()["code"]) == (403, "forbidden")
    assert place.http.get("/access", headers={"Authorization": f"Bearer {bad[0]}"}).json()["caller"] is None
