"""The rooms in a real browser, in short; `make prove-rooms` looks at every state of them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.acceptance.conftest import ROOT, SAMPLES, Service
from tests.browser.chromium import Visit, visit

UI = ROOT / "ui"


@pytest.fixture(params=[360, 1280])
def here(service: Service, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A page that must neither complain, nor ask anybody else, nor break a rule of axe."""
    with visit(browser, service.stack.port, width=request.param) as opened:
        yield opened
        assert opened.violations() == []
        assert (opened.complaints, opened.foreign) == ([], [])
        assert not opened.overflows()


def test_a_photo_is_identified_and_found_again(here: Visit) -> None:
    here.open()
    here.page.set_input_files("input[type=file]", [SAMPLES / "knotweed.jpg"])
    here.answered()
    here.heading("Likely Japanese knotweed")
    here.page.get_by_role("link", name="See it in Sightings").click()
    here.page.get_by_role("heading", name="Japanese knotweed", level=1).wait_for()
    here.page.get_by_role("link", name="All sightings").click()
    here.page.locator("ul.cards li").first.wait_for()


def test_a_file_that_is_no_picture_says_so(here: Visit) -> None:
    here.open()
    here.page.set_input_files("input[type=file]", [ROOT / "README.md"])
    here.heading("Not a usable image")


def test_status_says_that_it_is_ready(here: Visit) -> None:
    here.open("status")
    here.page.get_by_text("Ready.").wait_for()
    here.page.get_by_text("No Prometheus is connected").wait_for()


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_the_api_pages_ask_nobody_else(service: Service, browser: Browser, page: str) -> None:
    with visit(browser, service.stack.port) as here:
        here.page.goto(f"{here.home}/{page}")
        here.page.get_by_text("Name what is on a photo").filter(visible=True).first.wait_for()
        assert (here.complaints, here.foreign) == ([], [])


def test_the_page_is_strict(service: Service) -> None:
    page = service.http.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert service.http.get("/ui/app.js", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"


def test_the_worker_keeps_all_that_the_rooms_need() -> None:
    kept = set(re.findall(r"'(/[^']*)'", (UI / "sw.js").read_text().split("SHELL = [")[1].split("]")[0]))
    modules = {f"/ui/{file.relative_to(UI)}" for file in _own_modules()}
    vendored = {f"/ui/vendor/{name}" for name in ("preact.js", "hooks.js", "htm.js", "idb-keyval.js", "icons.svg")}
    assert kept == {"/", "/ui/app.css", "/ui/icon.svg", "/ui/runbooks.json", *modules, *vendored}


def test_rooms_have_no_sentences_of_their_own() -> None:
    """A text between tags that is no expression belongs to strings.js."""
    found = {
        f"{file.name}: {text.strip()}"
        for file in _own_modules()
        if file.name != "strings.js"
        for text in re.findall(r">([^<>`${}=()]*[A-Za-z]{3,}[^<>`${}=()]*)</", file.read_text())
    }
    assert found == set()


def test_every_icon_is_there() -> None:
    sprite = (UI / "vendor" / "icons.svg").read_text()
    used = {
        name for file in _own_modules() for name in re.findall(r"<\$\{Icon\} name=\"([a-z0-9-]+)\"", file.read_text())
    } | {"camera", "book-open", "layers", "activity", "circle-check", "triangle-alert"}
    assert {name for name in used if f'id="{name}"' not in sprite} == set()


def _own_modules() -> list[Path]:
    return [
        file for file in (*UI.glob("*.js"), *UI.glob("rooms/*.js")) if file.name not in {"sw.js", "docs.js", "redoc.js"}
    ]
