"""The Models room in a real browser: what answers is seen, changed with the token, and changed back."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.acceptance.conftest import ROOT
from tests.browser.chromium import PATIENCE_MS, Visit, visit
from tests.changing import Changing, changing

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def models() -> Iterator[Changing]:
    with changing(ROOT) as place:
        place.add("2")
        yield place


@pytest.fixture(params=[360, 1280])
def here(models: Changing, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """The room of the model; it must neither complain, nor ask anybody else, nor break a rule of axe."""
    with visit(browser, models.stack.port, width=request.param) as opened:
        opened.open("models")
        opened.page.get_by_role("link", name="plants").click()
        opened.page.get_by_role("heading", name="Version 1").wait_for()
        yield opened
        assert opened.violations() == []
        assert (opened.complaints, opened.foreign) == ([], [])
        assert not opened.overflows()


def card(here: Visit, version: str) -> Locator:
    return here.page.get_by_role("listitem", name=f"Version {version}", exact=True)


def opened(here: Visit, button: str) -> Locator:
    """The dialog behind it; the safe button has the focus."""
    here.page.get_by_role("button", name=button).click()
    dialog = here.page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel", exact=True)).to_be_focused()
    return dialog


def done_with_token(models: Changing, dialog: Locator, button: str) -> None:
    """The page asks for the token when the service does; it remembers it until it is closed."""
    dialog.get_by_role("button", name=button, exact=True).click()
    token = dialog.get_by_label("Admin token")
    expect(token).to_be_focused()
    token.fill(models.token)
    token.press("Enter")
    expect(dialog).to_have_count(0)


def test_a_canary_is_started_watched_and_taken_away(models: Changing, here: Visit) -> None:
    expect(card(here, "1")).to_contain_text("It answers everybody.")
    dialog = opened(here, "Canary … (version 2)")
    dialog.get_by_role("spinbutton", name="Share of the requests").fill("25")
    expect(dialog.get_by_role("slider")).to_have_value("25")
    expect(dialog).to_contain_text("weedwatch models rollout plants 1 --canary 2 --percent 25")
    done_with_token(models, dialog, "Start the canary")

    here.heading("The change under way")
    expect(card(here, "2")).to_contain_text("canary 25 %")
    expect(card(here, "1")).to_contain_text("It answers 75 % of the requests.")
    assert models.facts()["rollout"]["canary"] == "2"

    opened(here, "End the canary … (version 2)").get_by_role("button", name="Take it away").click()
    expect(card(here, "1")).to_contain_text("It answers everybody.")
    expect(card(here, "2")).to_contain_text("It is known and answers nobody.")
    assert models.facts()["rollout"]["canary"] is None
