"""A real Chromium, and what a page of ours must not do in it: complain, or ask anybody else."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, FileChooser, Page, Request, sync_playwright

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
HEIGHTS = {320: 640, 360: 740, 1280: 800}
PATIENCE_MS = 60_000
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Chromium's own word for every answer that is an error; the page says it in better ones.
EXPECTED = "Failed to load resource"
TALLEST = 6000
_SHELL_IS_KEPT = """Promise.race([
    navigator.serviceWorker.ready.then(() => true),
    new Promise((_, no) => setTimeout(() => no(new Error('there is no service worker')), 30000)),
])"""
_OVERFLOWS = "[document.documentElement, document.querySelector('main')].some((e) => e.scrollWidth > e.clientWidth)"
# On a phone the room scrolls above the bar, else the document does.
_HEIGHT = """() => {
    const [room, bar] = [document.querySelector('main'), document.querySelector('nav')];
    const within = getComputedStyle(room).overflowY === 'auto';
    return within ? room.scrollHeight + bar.offsetHeight : document.documentElement.scrollHeight;
}"""
Scheme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's package; a missing one is an error, not a reason to skip."""
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("Chromium is missing. On Debian: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """One page in a fresh profile; `complaints` and `foreign` fill by themselves."""

    context: BrowserContext
    page: Page
    home: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    choosers: list[FileChooser] = field(default_factory=list)  # listened for from the start, so that none is missed

    def choose(self, *files: Path) -> None:
        """In the file dialog that was just opened."""
        self.until_true(lambda: bool(self.choosers))
        self.choosers.pop().set_files(files)

    def open(self, room: str = "") -> None:
        """A room by the part of its address behind `#/`; loads the page anew."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.home}/#/{room}" if room else f"{self.home}/")
        self.page.wait_for_selector("h1")

    def answered(self, count: int = 1) -> None:
        """Wait until so many photos have their answer."""
        self.page.locator("ol.candidates").nth(count - 1).wait_for()

    def heading(self, text: str) -> None:
        """Wait until a heading holds the text."""
        self.page.get_by_role("heading", name=text).first.wait_for()

    def until(self, expression: str) -> None:
        """Wait until it is true. Playwright's own way evaluates within the page, which its policy forbids."""
        self.until_true(lambda: bool(self.page.evaluate(expression)))

    def until_true(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError("it never came true")
            self.page.wait_for_timeout(50)

    def remember_shell(self) -> None:
        """Wait until the page could be opened without the service."""
        self.page.evaluate(_SHELL_IS_KEPT)

    def violations(self) -> list[str]:
        """What axe finds, as sentences."""
        found = Axe().run(self.page, options={"runOnly": RULES}).response["violations"]
        return [f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:120]}" for each in found]

    def overflows(self) -> bool:
        return bool(self.page.evaluate(_OVERFLOWS))

    def shoot(self, path: Path) -> None:
        """All of the page, also of what scrolls within it."""
        size = self.page.viewport_size
        assert size
        height = min(TALLEST, self.page.evaluate(_HEIGHT))
        self.page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})
        self.page.screenshot(path=path)
        self.page.set_viewport_size(size)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(EXPECTED):
            self.complaints.append(message.text)

    def _opened(self, chooser: FileChooser) -> None:
        self.choosers.append(chooser)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:", "blob:", "about:")):
            self.foreign.append(request.url)


@contextmanager
def visit(browser: Browser, port: int, *, width: int = 1280, scheme: Scheme = "light", **more: Any) -> Iterator[Visit]:
    """A context and a page of that width in pixels."""
    size = {"width": width, "height": HEIGHTS[width]}
    context = browser.new_context(viewport=size, color_scheme=scheme, locale="en-GB", **more)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    made = Visit(context, page, f"http://localhost:{port}")
    page.on("console", made._heard)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.on("filechooser", made._opened)
    context.on("request", made._asked)
    try:
        yield made
    finally:
        context.close()
