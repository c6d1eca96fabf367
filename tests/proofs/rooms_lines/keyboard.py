"""The whole task without a pointer: choose a photo, hear the answer, add a note, find the record, go on."""

from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.chromium import Visit, visit
from tests.proofs.rooms_lines.states import Scene

TABS = 60


def by_keyboard_alone(browser: Browser, scene: Scene, fault: Path) -> tuple[bool, str]:
    """Whether it worked, and what did not; then `fault` shows the page."""
    with visit(browser, scene.port, width=1280) as here:
        here.open()
        try:
            _walk(here, scene)
        except Exception as error:
            here.page.screenshot(path=fault)
            return False, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return True, "yes"


def _walk(here: Visit, scene: Scene) -> None:
    page = here.page
    page.keyboard.press("Tab")
    _expect(page, "Skip to content")
    page.keyboard.press("Enter")
    _tab_to(page, "Take or choose photos")
    page.keyboard.press("Enter")
    here.choose(scene.sample("knotweed.jpg"))
    here.until("document.activeElement.tagName === 'H2'")
    _expect(page, "Likely Japanese knotweed")
    _tab_to(page, "Note")
    page.keyboard.type("by keyboard")
    _tab_to(page, "Save")
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    _tab_to(page, "See it in Sightings", back=True)
    page.keyboard.press("Enter")
    page.get_by_text("by keyboard").first.wait_for()
    here.until("document.activeElement.id === 'main'")
    _tab_to(page, "All sightings")
    page.keyboard.press("Enter")
    page.locator("ul.cards li").first.wait_for()
    _tab_to(page, "Name, note or request id")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/sightings?*q=by*")
    page.locator("ul.cards li").first.wait_for()
    _tab_to(page, "Status")
    page.keyboard.press("Enter")
    page.get_by_text("Ready.").wait_for()


# The name that a screen reader would say of what has the focus, near enough.
_NAME = """() => {
    const e = document.activeElement;
    const label = e.labels?.[0]?.innerText ?? '';
    return (e.getAttribute('aria-label') ?? '') + ' ' + label + ' ' + (e.innerText ?? '');
}"""


def _expect(page: Page, name: str) -> None:
    found = page.evaluate(_NAME)
    if name not in found:
        raise AssertionError(f"'{name}' has not the focus, '{found.strip()[:80]}' has")


def _tab_to(page: Page, name: str, *, back: bool = False) -> None:
    for _ in range(TABS):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        visible = page.evaluate("document.activeElement.matches(':focus-visible, :has(:focus-visible)')")
        if name in page.evaluate(_NAME):
            if not visible:
                raise AssertionError(f"the focus on '{name}' is not seen")
            return
    raise AssertionError(f"'{name}' is not reached by Tab")
