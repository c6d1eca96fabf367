"""A canary gets its share and no more, a key stays with its version, and one that does worse is gone in a minute."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from tests.changing import Changing
from tests.checker.client import ask, own_picture
from tests.load import asking
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_least, at_most, for_the_record, is_true, none_of
from tests.proofs.samples import samples
from tests.waiting import wait_until

FULL_KEYS = 5000
KEYS_PERCENT = 10.0
DEVIATIONS = 2.6  # 8.9 to 11.1 % of 5000 keys
PERCENT = 20.0
GONE_SECONDS = 60.0
WAIT_SECONDS = 120.0
PER_SECOND = 20.0


def keys(context: Context, place: Changing, canary: str) -> list[Figure]:
    """The same keys twice: each has the same version both times."""
    assert place.change({"stable": "1", "canary": canary, "canary_percent": KEYS_PERCENT})["state"] == "done"
    count = context.count(FULL_KEYS, at_least=100)
    picture = samples(context.root)["Lantana camara"]

    def version(number: int) -> str:
        answer = ask(place.stack.port, own_picture(picture), headers={"X-Sticky-Key": f"key-{number}"})
        return answer.version or f"{answer.status} {answer.code}"

    with ThreadPoolExecutor(4) as clients:
        first, second = list(clients.map(version, range(count))), list(clients.map(version, range(count)))
    assert place.change(None)["state"] == "done"
    changed = [
        f"key-{n}: {one}, then {two}" for n, (one, two) in enumerate(zip(first, second, strict=True)) if one != two
    ]
    share, wide = 100 * first.count(canary) / count, 100 * DEVIATIONS * math.sqrt(0.09 / count)
    return [
        none_of("keys that changed side", changed, count, context.say),
        at_least("share of keys at 10 %", share, KEYS_PERCENT - wide, "%"),
        at_most("share of keys at 10 %", share, KEYS_PERCENT + wide, "%"),
    ]


def taken_away(
    context: Context, place: Changing, version: str, kind: str, switch: Path, *, labels: tuple[str, ...] = ()
) -> list[Figure]:
    """At 20 %, misbehaving from the moment on at which the switch is thrown; `labels`: of the pictures to ask with."""
    every = samples(context.root)
    pictures = [every[label] for label in labels or every]
    assert place.change({"stable": "1", "canary": version, "canary_percent": PERCENT})["state"] == "done"
    with asking([place.stack.port], pictures, clients=8, per_second=PER_SECOND) as log:
        began = monotonic()
        switch.touch()
        gone = wait_until(lambda: place.facts()["rollout"]["canary"] is None, WAIT_SECONDS, 0.2)
        seconds = monotonic() - began
    switch.unlink()
    operation = place.facts()["operation"]
    answers = log.all()
    touched = [each for each in answers if each.version == version or each.status != 200]
    limit = PERCENT + 100 * DEVIATIONS * math.sqrt(PERCENT / 100 * (1 - PERCENT / 100) / max(1, len(answers)))
    context.say(f"{kind}: {operation['why']} {len(answers)} requests, {len(touched)} touched.")
    return [
        at_most(f"{kind} canary: gone after", seconds if gone is not None else math.inf, GONE_SECONDS, "s"),
        at_most(f"{kind} canary: requests touched", 100 * len(touched) / max(1, len(answers)), round(limit, 1), "%"),
        is_true(f"{kind} canary: taken away by the guard", operation["actor"] == "guard", str(operation["why"])),
        for_the_record(
            f"{kind} canary: requests that failed", f"{sum(e.status != 200 for e in answers)} of {len(answers)}"
        ),
    ]
