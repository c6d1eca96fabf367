"""Line 4: what keeps the model from answering is said within 30 s, each with a reason of its own; a dead canary goes.

TorchServe's own `/ping` is asked each time: it says Healthy whenever it has nothing loaded, or loads it in vain.
"""

import json
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.changing import MODEL, Changing, without_model
from tests.load import asking
from tests.proofs.harness import Context
from tests.proofs.readiness import sampling
from tests.proofs.results import Figure, at_least, at_most, for_the_record, is_true, none_of
from tests.proofs.samples import samples
from tests.versions import as_version
from tests.waiting import wait_until

SAID_SECONDS = 30.0
GONE_SECONDS = 60.0  # as any canary that does worse: a worker that takes its place may answer once more
WAIT_SECONDS = 120.0
FULL_SCALINGS = 10
PAUSE_SECONDS = 3.0


def run(context: Context) -> list[Figure]:
    with without_model(context.root) as place:
        return [
            *_no_model(place),
            *_workers_asked_for(context, place),
            *_dead_canary(context, place, "2", "killed", _kill_for_good),
            *_dead_canary(context, place, "3", "frozen", _freeze_again_and_again),
            *_truncated(place),
            *_other_labels(place),
        ]


def _said(place: Changing, name: str, words: str, began: float) -> list[Figure]:
    """Until /health/ready says these words; and what TorchServe said then."""
    seen = wait_until(lambda: words in place.reasons(), WAIT_SECONDS, 0.1)
    seconds = float("inf") if seen is None else time.monotonic() - began
    return [
        at_most(f"{name}: the reason is said after", seconds, SAID_SECONDS, "s"),
        for_the_record(f"{name}: the reason", place.reasons()[:160]),
        for_the_record(f"{name}: TorchServe's /ping meanwhile", place.ping()),
    ]


def _no_model(place: Changing) -> list[Figure]:
    """It was started without one; then an archive that was cut short appears, then a whole one."""
    live = place.http.get("/health/live").status_code
    figures = [is_true("no model: the process lives, /info lists none", live == 200 and not _listed(place), f"{live}")]
    figures += _said(place, "no model", "There is no archive", time.monotonic())
    whole = place.aside.read_bytes()
    began = time.monotonic()
    place.archive.write_bytes(whole[: len(whole) // 2])
    figures += _said(place, "an archive that was cut short appears", "plants-1.mar cannot be read", began)
    began = time.monotonic()
    shutil.copy(place.aside, place.archive)
    ready = wait_until(place.stack.is_ready, WAIT_SECONDS, 0.1)
    seconds = float("inf") if ready is None else time.monotonic() - began
    return [*figures, at_most("a model appears: served without a restart after", seconds, SAID_SECONDS, "s")]


def _listed(place: Changing) -> bool:
    return bool(place.http.get("/info").json()["models"])


def _workers_asked_for(context: Context, place: Changing) -> list[Figure]:
    """More and fewer workers under load."""
    rounds = context.count(FULL_SCALINGS, at_least=2)
    faults: list[str] = []
    with asking([place.stack.port], list(samples(context.root).values()), clients=4) as log:
        for number in range(2 * rounds):
            wanted = 3 if number % 2 == 0 else 1
            place.http.put(f"{MODEL}/versions/1/workers", json={"workers": wanted}, headers=place.admin)
            if wait_until(lambda wanted=wanted: place.registered() == {"1": wanted}, WAIT_SECONDS, 0.1) is None:  # type: ignore[misc]
                faults.append(f"{wanted} were wanted, {place.registered()}")
            time.sleep(1)
    place.http.put(f"{MODEL}/versions/1/workers", json={"workers": None}, headers=place.admin)
    bad = [f"{each.status} {each.code}" for each in log.all() if each.status != 200]
    return [
        none_of("workers asked for: not reached", faults, 2 * rounds, context.say),
        none_of("workers come and go: requests that failed", bad, len(log.all()), context.say),
    ]


def _dead_canary(
    context: Context, place: Changing, version: str, how: str, hurt: Callable[[Changing, str], None]
) -> list[Figure]:
    """`hurt` is called again and again."""
    name = f"canary's workers {how} for good"
    as_version(place.aside, place.store, version)
    added = place.http.post(f"{MODEL}/versions", json={"version": version}, headers=place.admin)
    assert added.status_code == 201, added.text
    assert place.change({"stable": "1", "canary": version, "canary_percent": 30})["state"] == "done"
    time.sleep(PAUSE_SECONDS)
    named = gone = float("inf")
    reason = ""
    pictures = list(samples(context.root).values())
    with asking([place.stack.port], pictures, clients=2, per_second=6) as log, sampling(place.stack.port) as said:
        began = time.monotonic()
        while time.monotonic() - began < WAIT_SECONDS and gone == float("inf"):
            hurt(place, version)
            health = place.health_of(version)
            if health.get("reason") and health["role"] == "canary":
                reason, named = health["reason"], min(named, time.monotonic() - began)
            if place.facts()["rollout"]["canary"] is None:
                gone = time.monotonic() - began
            time.sleep(0.2)
    operation = place.facts()["operation"]
    unready = [f"{sample.at - began:.1f} s: {sample.ready}" for sample in said if sample.ready is not True]
    bad = [f"{each.status} {each.code}" for each in log.all() if each.status != 200]
    return [
        at_most(f"{name}: named in /health/detailed after", named, SAID_SECONDS, "s"),
        for_the_record(f"{name}: the reason", reason[:160]),
        at_most(f"{name}: rolled back by itself after", gone, GONE_SECONDS, "s"),
        is_true(f"{name}: by the guard, which says why", operation["actor"] == "guard", str(operation["why"])[:160]),
        none_of(f"{name}: looks at /health/ready that were not 200", unready, len(said), context.say),
        none_of(f"{name}: requests that failed", bad, len(log.all()), context.say),
        at_least(f"{name}: requests meanwhile", len(log.all()), 10),
        for_the_record(f"{name}: TorchServe's /ping meanwhile", place.ping()),
    ]


def _kill_for_good(place: Changing, version: str) -> None:
    """What TorchServe unpacked loses its network, so that no worker can be started again."""
    if place.break_unpacked(version):
        _signal(place, version, signal.SIGKILL)


def _freeze_again_and_again(place: Changing, version: str) -> None:
    _signal(place, version, signal.SIGSTOP)


def _signal(place: Changing, version: str, sign: signal.Signals) -> None:
    for pid in place.workers(version):
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if any(word.endswith("model_service_worker.py") for word in process.cmdline()):
                process.send_signal(sign)


def _truncated(place: Changing) -> list[Figure]:
    """The file of what is served is cut short: TorchServe is restarted, then everything is."""
    wait_until(lambda: set(place.registered()) == {"1"}, WAIT_SECONDS, 0.2)
    whole = place.aside.read_bytes()
    place.archive.write_bytes(whole[: len(whole) // 2])
    began = time.monotonic()
    place.stack.process("java").kill()
    words = "cannot load the archive plants-1.mar"
    figures = _said(place, "cut short, TorchServe restarted", words, began)
    began = _restart(place)
    figures += _said(place, "cut short, all restarted", "plants-1.mar cannot be read", began)
    began = time.monotonic()
    shutil.copy(place.aside, place.archive)
    ready = wait_until(place.stack.is_ready, WAIT_SECONDS, 0.1)
    seconds = float("inf") if ready is None else time.monotonic() - began
    return [*figures, at_most("a whole archive in its place: ready after", seconds, SAID_SECONDS, "s")]


def _other_labels(place: Changing) -> list[Figure]:
    """The labels in the archive of what is served stand in another order than when its answers were pinned."""

    def turned(content: bytes) -> bytes:
        labels = json.loads(content)
        return json.dumps([*labels[1:], labels[0]]).encode()

    place.stack.stop()
    as_version(place.aside, place.store, "1", {"class_labels.json": turned})
    began = _restart(place)
    return _said(place, "labels in another order", "was answered", began)


def _restart(place: Changing) -> float:
    """Give the time at which the start began."""
    place.stack.stop()
    began = time.monotonic()
    place.stack.start()
    return began
