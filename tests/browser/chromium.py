"""A real Chromium, and what a page of ours must not do in it: complain, or ask anybody else."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
HEIGHTS = {320: 640, 360: 740, 1280: 800}
PATIENCE_MS = 60_000
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Chromium's own word for every answer that is an error; the page says it in better ones.
EXPECTED = "Failed to load resource"
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

    def open(self, room: str = "") -> None:
        """A room by the part of its address behind `#/`; loads the page anew."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.home}/#/{room}" if room else f"{self.home}/")
        self.page.wait_for_selector("h1")

    def answered(self, count: int = 1) -> None:
        """Wait until so many photos have their answer."""
        self.page.wait_for_function("count => document.querySelectorAll('ol.candidates').length >= count", arg=count)

    def heading(self, text: str) -> None:
        """Wait until a heading holds the text."""
        self.page.get_by_role("heading", name=text).first.wait_for()

    def remember_shell(self) -> None:
        """Wait until the page could be opened without the service."""
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    def violations(self) -> list[str]:
        """What axe finds, as sentences."""
        found = Axe().run(self.page, options={"runOnly": RULES}).response["violations"]
        return [f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:120]}" for each in found]

    def overflows(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(EXPECTED):
            self.complaints.append(message.text)

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
    context.on("request", made._asked)
    try:
        yield made
    finally:
        context.close()
