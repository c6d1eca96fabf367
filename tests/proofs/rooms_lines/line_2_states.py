"""Line 2: every state, at phone and desk width, light and dark: no axe violation, no complaint, nobody else asked."""

import gzip
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from io import BytesIO
from itertools import combinations, product
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from tests.browser.chromium import HEIGHTS, Scheme, Visit, chromium, visit
from tests.changing import fill_store
from tests.closed import with_keys, with_provider
from tests.faults.processes import frozen
from tests.proofs.core_lines.arena import Arena, arena
from tests.proofs.harness import DEFAULT_SHARE, Context, state_folder
from tests.proofs.results import Figure, at_least, at_most, for_the_record, is_true, none_of
from tests.proofs.rooms_lines import states
from tests.proofs.rooms_lines.keyboard import by_keyboard_alone
from tests.proofs.rooms_lines.overloaded import SMALL_QUEUE, overloaded
from tests.proofs.rooms_lines.states import Scene, Show
from tests.proofs.rooms_lines.versions import add_versions
from tests.proofs.samples import samples
from tests.proofs.stack import read_admin_token
from tests.proofs.wire import get
from tests.waiting import wait_until

WIDTHS = (360, 1280)
NARROWEST = 320
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
FIRST_VIEW_KIB = 40.0
SHARES = [percent / 100 for percent in range(30, 75, 5)]
SHORT = "short"
NOT_READY_SECONDS = 30.0
POLICY = {"default-src": "'none'", "style-src": "'self'", "connect-src": "'self'", "frame-ancestors": "'none'"}


@dataclass
class Look:
    """Takes every state in at every width and theme."""

    context: Context
    browser: Browser
    scene: Scene
    pages: int = 0
    seen: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    overflowing: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def at(
        self,
        shows: dict[str, Show],
        *,
        during: Callable[[], AbstractContextManager[None]] = nullcontext,
        offline: bool = False,
    ) -> None:
        """`during` is what happens to the service, anew for each width and theme: a hung worker is soon replaced."""
        for width, scheme in self.looks:
            with visit(self.browser, self.scene.port, width=width, scheme=scheme) as here, during():
                self._prepare(here, offline)
                for name, show in shows.items():
                    self._one(here, f"{name}-{width}-{scheme}", show, width)
                    self.seen.add(name)
                self.complaints += [f"{width} {scheme}: {each}" for each in here.complaints]
                self.foreign += here.foreign

    @property
    def looks(self) -> list[tuple[int, Scheme]]:
        """Every width in every theme; at a small share each width and each theme once."""
        few = self.context.share < DEFAULT_SHARE
        return list(zip(WIDTHS, SCHEMES, strict=True) if few else product(WIDTHS, SCHEMES))

    def _prepare(self, here: Visit, offline: bool) -> None:
        if offline:
            here.open()
            here.remember_shell()
            here.context.set_offline(True)

    def _one(self, here: Visit, name: str, show: Show, width: int) -> None:
        self.pages += 1
        try:
            show(here, self.scene)
            here.page.wait_for_timeout(350)  # what fades in is there
            self.violations += [f"{name}: {each}" for each in here.violations()]
            here.shoot(shots() / f"{name}.png")
            for narrow in {width, min(width, NARROWEST)}:
                here.page.set_viewport_size({"width": narrow, "height": HEIGHTS[width]})
                if here.overflows():
                    self.overflowing.append(f"{name} at {narrow} px")
            here.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        except Exception as error:  # the browser's and our own
            here.page.screenshot(path=shots() / f"{name}-{SHORT}.png")
            self.broken.append(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:200]}")


def shots() -> Path:
    folder = state_folder() / "proofs" / "rooms"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(context: Context) -> list[Figure]:
    for old in shots().glob("*.png"):
        old.unlink()
    store = context.folder / "store"
    fill_store(context.root, store)
    with arena(context, WEEDWATCH_MODEL_STORE=str(store), **SMALL_QUEUE) as place, chromium() as browser:
        look = Look(context, browser, Scene(place.stack.port, context.root, {}))
        figures = [*_strict(place), _first_view(browser, place.stack.port)]
        _stages(place, look, store)
        figures.append(
            is_true(
                "the whole task by keyboard alone",
                *by_keyboard_alone(browser, look.scene, shots() / "keyboard-short.png"),
            )
        )
        _stages_that_end_it(place, look)
    say = context.say
    return [
        at_least("states", len(look.seen), 20),
        for_the_record("pages looked at: states × 360 and 1280 px × light and dark", str(look.pages)),
        none_of("states that did not come about", look.broken, look.pages, say),
        none_of("axe violations", look.violations, look.pages, say),
        none_of("complaints on the console", look.complaints, look.pages, say),
        none_of("requests to anybody else", look.foreign, look.pages, say),
        none_of("sideways scroll, also at 320 px", look.overflowing, look.pages, say),
        *figures,
    ]


def _stages(place: Arena, look: Look, store: Path) -> None:
    _as_if_new(place)
    look.at(states.BEFORE_ANY)
    look.scene.pictures = _pictures(place, look.context.folder)
    states.keep_one(look.scene)
    add_versions(place, look.scene, store)
    look.at(states.WELL)
    _closed(place, look)
    place.proxy.refuse()
    look.at(states.DATABASE_AWAY)
    place.proxy.forward()
    if place.writes_again(place.stack.port) is None:
        raise RuntimeError("Nothing was written to PostgreSQL again.")
    place.settle()


def _closed(place: Arena, look: Look) -> None:
    """Beside the open service, one that asks for keys and one where people sign in."""
    open_port = look.scene.port
    with with_keys(place.stack) as closed:
        look.scene.port = closed.port
        look.at(states.WITH_KEYS)
    with with_provider(place.stack) as (closed, _):
        look.scene.port = closed.port
        look.at(states.WITH_PROVIDER)
    look.scene.port = open_port


def _as_if_new(place: Arena) -> None:
    """Without the prediction that the start made, in the record and in the last hour."""
    token = read_admin_token(place.stack.state)
    address = f"http://127.0.0.1:{place.stack.port}/history"
    request = urllib.request.Request(address, method="DELETE", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass
    before = place.stack.process("control plane")
    before.terminate()
    before.wait(30)
    place.stack.wait_until_ready()


def _stages_that_end_it(place: Arena, look: Look) -> None:
    stack = place.stack
    look.at(states.STANDING_STILL, during=lambda: frozen([worker.pid for worker in stack.processes("worker")]))
    look.at(states.OVERLOADED, during=lambda: overloaded(stack, samples(stack.root)["Lantana camara"]))
    look.at(states.OFFLINE, offline=True)
    with frozen([stack.process("java").pid]):
        wait_until(lambda: get(stack.port, "/health/ready", 3).status == 503, NOT_READY_SECONDS, 0.2)
        look.at(states.NOT_READY)
    with ExitStack() as visits:
        ready = [visits.enter_context(_remembering(look, width, scheme)) for width, scheme in look.looks]
        stack.stop()
        for here, width, scheme in ready:
            for name, show in states.STOPPED.items():
                look._one(here, f"{name}-{width}-{scheme}", show, width)
                look.seen.add(name)


@contextmanager
def _remembering(look: Look, width: int, scheme: Scheme) -> Iterator[tuple[Visit, int, Scheme]]:
    """A visit that can open the page without the service."""
    with visit(look.browser, look.scene.port, width=width, scheme=scheme) as here:
        here.open()
        here.remember_shell()
        yield here, width, scheme
        look.complaints += here.complaints
        look.foreign += here.foreign


def _pictures(place: Arena, folder: Path) -> dict[str, Path]:
    """A picture for each verdict of the real model: the samples, and two of them laid over each other."""
    found: dict[str, Path] = {}
    for number, picture in enumerate(_candidates(list(samples(place.context.root).values()))):
        verdict = states.verdict_of(place.stack.port, picture)
        if verdict not in found:
            found[verdict] = folder / f"picture-{number}.jpg"
            found[verdict].write_bytes(picture)
        if set(states.VERDICTS) <= set(found):
            return found
    raise RuntimeError(f"No picture gave {set(states.VERDICTS) - set(found)}.")


def _candidates(pictures: list[bytes]) -> Iterator[bytes]:
    yield from pictures
    images = [Image.open(BytesIO(picture)).convert("RGB") for picture in pictures]
    for one, other in combinations(images, 2):
        for share in SHARES:
            out = BytesIO()
            Image.blend(one, other.resize(one.size), share).save(out, "JPEG", quality=90)
            yield out.getvalue()


def _strict(place: Arena) -> list[Figure]:
    with urllib.request.urlopen(f"http://127.0.0.1:{place.stack.port}/", timeout=10) as answer:
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    weak = [name for name, value in policy.items() if "unsafe" in value or "*" in value or "http" in value]
    strict = not weak and all(policy.get(name) == value for name, value in POLICY.items())
    return [is_true("the content security policy is strict", strict, "" if strict else str(policy))]


def _first_view(browser: Browser, port: int) -> Figure:
    """All that the first view loads, as gzip makes it."""
    with visit(browser, port) as here:
        urls: set[str] = set()
        here.page.on("response", lambda answer: urls.add(answer.url))
        here.open()
        here.page.get_by_text("About this model").wait_for()
        pages = [url for url in urls if re.search(r"/$|/ui/", url) and not url.endswith("/sw.js")]
        sizes = [len(gzip.compress(here.context.request.get(url).body(), 9)) for url in pages]
    return at_most("first view, gzipped", sum(sizes) / 1024, FIRST_VIEW_KIB, "KiB")
