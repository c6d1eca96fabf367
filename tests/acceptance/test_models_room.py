"""The Models room in a real browser: what answers is seen, changed with the token, and changed back."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.acceptance.conftest import ROOT
from tests.browser.chromium import PATIENCE_MS, Visit, visit
from tests.changing import Changing, changing, without_model
from tests.versions import as_version

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


def test_a_dialog_is_left_by_escape_and_the_slider_obeys_the_arrows(here: Visit) -> None:
    button = here.page.get_by_role("button", name="Canary … (version 2)")
    button.focus()
    here.page.keyboard.press("Enter")
    slider = here.page.get_by_role("dialog").get_by_role("slider")
    slider.focus()
    here.page.keyboard.press("ArrowRight")
    expect(here.page.get_by_role("dialog")).to_contain_text("--percent 11")
    here.page.keyboard.press("Escape")
    expect(here.page.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()


def test_what_somebody_else_changed_meanwhile_is_said(models: Changing, here: Visit) -> None:
    dialog = opened(here, "Canary … (version 2)")
    assert models.change({"stable": "1", "shadow": "2", "shadow_percent": 1})["state"] == "done"
    dialog.get_by_role("button", name="Start the canary").click()
    dialog.get_by_label("Admin token").fill(models.token)
    dialog.get_by_role("button", name="Start the canary").click()
    here.heading("Somebody else changed it meanwhile")
    expect(dialog).to_contain_text("Version 2 gets copies of 1 % as shadow")
    assert models.facts()["rollout"]["canary"] is None
    here.page.keyboard.press("Escape")
    assert models.change({"stable": "1"})["state"] == "done"


def test_a_promotion_without_evidence_is_refused_forced_and_rolled_back(models: Changing, here: Visit) -> None:
    dialog = opened(here, "Promote … (version 2)")
    dialog.get_by_role("button", name="Promote", exact=True).click()
    dialog.get_by_label("Admin token").fill(models.token)
    dialog.get_by_role("button", name="Promote", exact=True).click()
    here.heading("Not promoted")
    dialog.get_by_label("Promote it all the same").check()
    dialog.get_by_label("Why all the same").fill("a test")
    expect(dialog).to_contain_text("weedwatch models promote plants 2 --force --reason 'a test'")
    dialog.get_by_role("button", name="Promote it all the same").click()
    expect(card(here, "2")).to_contain_text("It answers everybody.")

    dialog = opened(here, "Roll back …")
    expect(dialog).to_contain_text("Version 1 answers everybody again, in place of version 2.")
    dialog.get_by_role("button", name="Roll back", exact=True).click()
    expect(card(here, "1")).to_contain_text("It answers everybody.")
    assert models.stable == "1"


def test_an_upload_is_checked_then_ready_or_refused_with_its_cause(models: Changing, here: Visit) -> None:
    width = str(here.page.viewport_size["width"])  # type: ignore[index]
    folder = models.store.parent / f"uploads-{width}"
    folder.mkdir()
    good = as_version(models.archive, folder, width)
    bad = as_version(models.archive, folder, f"{width}1", {"model.onnx": lambda content: content[:1000]})
    for file, words in ((good, "It is known and answers nobody."), (bad, "It was refused.")):
        dialog = opened(here, "Add a version …")
        dialog.get_by_label("Where is it?").select_option("archive")
        dialog.get_by_label("Archive, .mar").set_input_files(file)
        if file is good:  # later the page remembers it
            dialog.get_by_label("Admin token").fill(models.token)
        dialog.get_by_role("button", name="Add", exact=True).click()
        expect(card(here, file.stem.removeprefix("plants-"))).to_contain_text(words)


def test_without_a_model_the_room_says_what_to_do_and_shows_one_that_comes(browser: Browser) -> None:
    with without_model(ROOT) as place, visit(browser, place.stack.port) as here:
        here.open("models")
        here.heading("No model yet")
        here.page.get_by_text("make archive MODEL=plants").first.wait_for()
        here.page.get_by_text("There is no archive").wait_for()
        assert here.violations() == []
        shutil.copy(place.aside, place.archive)
        here.page.get_by_role("link", name="plants").wait_for()
        here.page.get_by_text("Version 1 answers its reference pictures").wait_for()
        assert here.violations() == []
        assert (here.complaints, here.foreign) == ([], [])
