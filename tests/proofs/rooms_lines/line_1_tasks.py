"""Line 1: photos come in by every door and are found again; what fails says so, and nothing that was said is lost."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.chromium import Visit, chromium, visit
from tests.proofs.harness import Context, state_folder
from tests.proofs.results import Figure, is_true, none_of
from tests.proofs.rooms_lines.overloaded import SMALL_QUEUE, overloaded
from tests.proofs.samples import FOLDER, RIGHT_LABELS, samples
from tests.proofs.stack import Stack, read_admin_token, running
from tests.proofs.wire import get, predict

NAMES = {
    "knotweed.jpg": "Japanese knotweed",
    "water-hyacinth.jpg": "Water hyacinth",
    "lantana.jpg": "Lantana",
    "parthenium.jpg": "Parthenium weed",
    "giant-hogweed.jpg": "Giant hogweed",
    "siam-weed.jpg": "Siam weed",
}
PLACE = {"latitude": 52.52, "longitude": 13.405}
RECORDS = 60


@dataclass
class Tasks:
    """Runs one task after the other; one that breaks falls short, the others still run."""

    context: Context
    stack: Stack
    here: Visit
    figures: list[Figure] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)  # request ids that a page showed

    @property
    def page(self) -> Page:
        return self.here.page

    def do(self, title: str, task: Callable[["Tasks"], None]) -> None:
        started = time.monotonic()
        try:
            task(self)
            fault = ""
        except Exception as error:  # the browser's and our own
            fault = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
            self.page.screenshot(path=state_folder() / "proofs" / "rooms-fault.png")
        self.context.say(f"{title}: {fault or 'done'}, {time.monotonic() - started:.1f} s")
        self.figures.append(is_true(title, not fault, fault))

    def sample(self, name: str) -> Path:
        return self.stack.root / FOLDER / name

    def choose(self, *names: str) -> None:
        self.page.set_input_files("input[type=file]", [self.sample(name) for name in names])

    def expect_answer(self, name: str) -> None:
        """The newest photo's answer names the plant; its request id is remembered."""
        article = self.page.locator("article").first
        article.locator("ol.candidates").wait_for()
        said = article.get_by_role("heading").first.inner_text()
        if NAMES[name] not in said:
            raise AssertionError(f"{name} was named: {said}")
        self.answered.append(article.locator("code").first.inner_text())


def run(context: Context) -> list[Figure]:
    stack = Stack(context.root, context.folder, environment=SMALL_QUEUE)
    permissions = ["clipboard-read", "clipboard-write", "geolocation"]
    with running(stack), chromium() as browser:
        with visit(browser, stack.port, geolocation=PLACE, permissions=permissions) as here:
            tasks = Tasks(context, stack, here)
            for title, task in TASKS.items():
                tasks.do(title, task)
        return [
            *tasks.figures,
            none_of("complaints of the browser", here.complaints, len(TASKS), context.say),
            none_of("requests to anybody else", here.foreign, len(TASKS), context.say),
        ]


def chosen(tasks: Tasks) -> None:
    tasks.here.open()
    tasks.choose("knotweed.jpg")
    tasks.expect_answer("knotweed.jpg")
    focused = tasks.page.evaluate("document.activeElement.tagName")
    if focused != "H2":
        raise AssertionError(f"the verdict has not the focus, {focused} has")


def pasted(tasks: Tasks) -> None:
    picture = base64.b64encode(tasks.sample("lantana.jpg").read_bytes()).decode()
    tasks.page.evaluate(
        """async (picture) => {
            const bytes = Uint8Array.from(atob(picture), (c) => c.charCodeAt(0));
            const bitmap = await createImageBitmap(new Blob([bytes]));
            const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
            canvas.getContext('2d').drawImage(bitmap, 0, 0);
            const png = await canvas.convertToBlob({ type: 'image/png' });
            await navigator.clipboard.write([new ClipboardItem({ 'image/png': png })]);
        }""",
        picture,
    )
    tasks.page.keyboard.press("Control+V")
    tasks.here.answered(2)
    tasks.expect_answer("lantana.jpg")


def dropped(tasks: Tasks) -> None:
    picture = base64.b64encode(tasks.sample("giant-hogweed.jpg").read_bytes()).decode()
    transfer = tasks.page.evaluate_handle(
        """(picture) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(picture), (c) => c.charCodeAt(0));
            transfer.items.add(new File([bytes], 'giant-hogweed.jpg', { type: 'image/jpeg' }));
            return transfer;
        }""",
        picture,
    )
    for event in ("dragenter", "dragover", "drop"):
        tasks.page.dispatch_event("main", event, {"dataTransfer": transfer})
    tasks.here.answered(3)
    tasks.expect_answer("giant-hogweed.jpg")


def found_again(tasks: Tasks) -> None:
    for request_id in tasks.answered:
        tasks.here.open(f"sightings?q={request_id}")
        tasks.page.locator("ul.cards li").first.wait_for()
        if tasks.page.locator("ul.cards li").count() != 1:
            raise AssertionError(f"{request_id} is not there once")


def consent_and_place(tasks: Tasks) -> None:
    page = tasks.page
    tasks.here.open()
    tasks.choose("parthenium.jpg")
    tasks.expect_answer("parthenium.jpg")
    page.get_by_role("button", name="Keep the photo, too").click()
    page.get_by_text("The photo is kept with the record.").first.wait_for()
    page.get_by_role("button", name="Use my position").click()
    page.get_by_text("Position found").wait_for()
    page.get_by_label("Note").fill("ditch by the mill")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    request_id = tasks.answered[-1]
    record = get(tasks.stack.port, f"/history/{request_id}").body
    kept = {name: record[name] for name in ("picture_kept", "latitude", "longitude", "subject")}
    if kept != {"picture_kept": True, **PLACE, "subject": "ditch by the mill"}:
        raise AssertionError(f"the record has {kept}")
    tasks.here.open(f"sightings/{request_id}")
    tasks.here.until("document.querySelector('img.photo')?.naturalWidth > 0")
    page.get_by_text("ditch by the mill").first.wait_for()
    page.get_by_role("button", name="Remove the photo").click()
    page.get_by_text("The photo is no longer kept.").wait_for()
    if get(tasks.stack.port, f"/history/{request_id}/image").status != 404:
        raise AssertionError("the photo is still there")


def several_at_once(tasks: Tasks) -> None:
    tasks.here.open()
    tasks.choose(*NAMES)
    tasks.here.answered(len(NAMES))
    headings = [each.inner_text() for each in tasks.page.locator("article .note h2").all()]
    missing = [name for name in NAMES.values() if not any(name in heading for heading in headings)]
    if missing:
        raise AssertionError(f"not named: {missing}")


def wrong_file(tasks: Tasks) -> None:
    before = _records(tasks.stack)
    tasks.here.open()
    tasks.page.set_input_files("input[type=file]", [tasks.stack.root / "README.md"])
    tasks.page.get_by_text("Nothing was recorded of this file.").wait_for()
    tasks.here.heading("Not a usable image")
    tasks.page.get_by_role("button", name="Remove").click()
    tasks.here.heading("No photo at hand?")
    if _records(tasks.stack) != before:
        raise AssertionError("something was recorded")


def overload(tasks: Tasks) -> None:
    tasks.here.open()
    with overloaded(tasks.stack, samples(tasks.stack.root)["Lantana camara"]):
        tasks.choose("siam-weed.jpg")
        tasks.here.heading("Overloaded")
        tasks.page.get_by_text("The photo is kept in this browser.").wait_for()
        tasks.page.reload()
        tasks.here.heading("Overloaded")
    tasks.here.answered()
    tasks.expect_answer("siam-weed.jpg")
    _once(tasks)


def offline(tasks: Tasks) -> None:
    tasks.here.open()
    tasks.here.remember_shell()
    tasks.here.context.set_offline(True)
    try:
        tasks.choose("water-hyacinth.jpg")
        tasks.here.heading("You are offline")
        tasks.page.reload()
        tasks.here.heading("You are offline")
    finally:
        tasks.here.context.set_offline(False)
    tasks.here.answered()
    tasks.expect_answer("water-hyacinth.jpg")
    _once(tasks)


def dead_server(tasks: Tasks) -> None:
    tasks.here.open()
    tasks.here.remember_shell()
    tasks.stack.stop()
    try:
        tasks.choose("giant-hogweed.jpg")
        tasks.here.heading("The service does not answer")
        tasks.page.reload()
        tasks.here.heading("The service does not answer")
        tasks.page.get_by_role("link", name="Status").click()
        tasks.here.heading("The service does not answer.")
    finally:
        tasks.stack.start()
        tasks.stack.wait_until_ready()
    tasks.page.get_by_role("link", name="Identify").click()
    tasks.here.answered()
    tasks.expect_answer("giant-hogweed.jpg")
    _once(tasks)


def search_and_paging(tasks: Tasks) -> None:
    pictures = samples(tasks.stack.root)
    wanted = RIGHT_LABELS["mile-a-minute.jpg"]
    for number in range(RECORDS):
        answer = predict(tasks.stack.port, pictures[wanted], 30, f"/predict?subject=plot-{number}")
        if not answer.is_ok:
            raise AssertionError(f"a record was not made: {answer.status} {answer.code}")
    page = tasks.page
    tasks.here.open("sightings")
    page.get_by_label("Plant").select_option(label="Mile-a-minute weed")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/#/sightings?*label=*")
    page.locator("ul.cards li").first.wait_for()
    while page.get_by_role("button", name="Load more").count():
        shown = page.locator("ul.cards li").count()
        page.get_by_role("button", name="Load more").click()
        page.locator("ul.cards li").nth(shown).wait_for()
    if page.locator("ul.cards li").count() != RECORDS:
        raise AssertionError(f"{page.locator('ul.cards li').count()} of {RECORDS} are shown")
    page.get_by_label("Name, note or request id").fill("no such plant")
    page.get_by_role("button", name="Search").click()
    tasks.here.heading("No sighting matches")
    page.get_by_role("main").get_by_role("link", name="Clear the filter").first.click()
    page.locator("ul.cards li").first.wait_for()


def deletion(tasks: Tasks) -> None:
    page = tasks.page
    tasks.here.open("sightings")
    page.get_by_role("button", name="Delete records").click()
    page.get_by_label("Admin token").fill("a wrong token")
    page.get_by_role("button", name="Delete", exact=True).click()
    tasks.here.heading("The service does not take this credential.")
    page.get_by_label("Admin token").fill(read_admin_token(tasks.stack.state))
    page.get_by_role("button", name="Delete", exact=True).click()
    tasks.here.heading("No sightings yet")
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    if "token" in stored.lower():
        raise AssertionError("the token was stored")
    if _records(tasks.stack) != 0:
        raise AssertionError("records are left")


def _once(tasks: Tasks) -> None:
    request_id = tasks.answered[-1]
    record = get(tasks.stack.port, f"/history/{request_id}").body
    same = get(tasks.stack.port, "/history?limit=200").body["items"]
    alike = [item for item in same if item["image"]["sha256"] == record["image"]["sha256"]]
    newest = [item for item in alike if item["created_at"] >= record["created_at"]]
    if len(newest) != 1:
        raise AssertionError(f"the photo was recorded {len(newest)} times: {json.dumps(newest)[:300]}")


def _records(stack: Stack) -> int:
    return len(get(stack.port, "/history?limit=200").body["items"])


TASKS: dict[str, Callable[[Tasks], None]] = {
    "a chosen photo is identified, and the verdict has the focus": chosen,
    "a pasted photo is identified": pasted,
    "a dropped photo is identified": dropped,
    "all three are found in Sightings": found_again,
    "consent, place and note after the answer; the photo kept, and taken back": consent_and_place,
    "six photos at once": several_at_once,
    "a wrong file says so, and nothing is recorded": wrong_file,
    "an overload says so, survives a reload, and ends in one record": overload,
    "an offline moment says so, survives a reload, and ends in one record": offline,
    "a dead server says so, survives a reload, and ends in one record": dead_server,
    "search and paging show every record": search_and_paging,
    "deletion asks for the token, which is not stored": deletion,
}
