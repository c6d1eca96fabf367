"""Line 3: a newcomer's way: what the README says to type, what is clicked, until the first answer."""

import re
import time

from tests.browser.chromium import chromium, visit
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_most, for_the_record, is_true
from tests.proofs.samples import FOLDER
from tests.proofs.spine_lines.line_1_fresh_start import COLOURS, FIRST_START_SECONDS
from tests.proofs.stack import Stack, clone

COMMANDS = 2
CLICKS = 1
CLICKS_OWN_PHOTO = 2  # the button, and the file in the system's own dialog


def run(context: Context) -> list[Figure]:
    root = clone(context.root, context.folder / "clone")
    readme = (root / "README.md").read_text()
    commands = readme.split("## Quick start")[1].split("```")[1].strip().splitlines()
    stack = Stack(root, context.folder, command=("make", "run"))
    started = time.monotonic()
    try:
        stack.start()
        stack.wait_until_ready(FIRST_START_SECONDS)
        address = _printed_address(stack)
        with chromium() as browser, visit(browser, stack.port) as here:
            here.home = address
            here.open()
            here.page.get_by_role("button", name="Use the sample photo").click()
            here.answered()
            seconds = time.monotonic() - started
            named = here.page.locator("article h2").first.inner_text()
            here.open()
            here.page.get_by_text("Take or choose photos").click()
            here.choose(root / FOLDER / "knotweed.jpg")
            here.answered()
            own = here.page.locator("article h2").first.inner_text()
    finally:
        stack.stop()
    for command in commands:
        context.say(command)
    return [
        at_most("commands in the README's quick start", len(commands), COMMANDS),
        is_true("the last of them is make run", commands[-1] == "make run"),
        is_true("the address is printed", address == f"http://localhost:{stack.port}", address),
        at_most("clicks to the first answer, with the sample photo", 1, CLICKS),
        at_most("clicks to the first answer, with a photo of one's own", 2, CLICKS_OWN_PHOTO),
        for_the_record("the sample photo was answered", named),
        is_true("the photo of one's own was answered", own == "Likely Japanese knotweed", own),
        for_the_record("from the command to the first answer in the browser, setup included", f"{seconds:.0f} s"),
    ]


def _printed_address(stack: Stack, seconds: float = 60) -> str:
    """The block is printed some moments after the service is ready."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := re.search(r"^ *Open +(\S+)$", COLOURS.sub("", stack.output()), re.MULTILINE):
            return found[1]
        time.sleep(0.2)
    return "no address"
