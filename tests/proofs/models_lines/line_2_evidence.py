"""Line 2: evidence decides. Exchanged labels are refused by name, worse canaries go, a shadow is counted right."""

import time
from typing import Any

import httpx2

from tests.changing import MODEL, Changing, changing
from tests.checker.client import ask, own_picture
from tests.misbehaving import misbehaving
from tests.proofs.harness import Context
from tests.proofs.models_lines import canaries
from tests.proofs.results import Figure, at_least, is_true, none_of
from tests.proofs.samples import samples
from tests.versions import exchanged

PAIR = ("Lantana camara", "Heracleum mantegazzianum")
FULL_COPIES = 900
STORED_SECONDS = 20.0


def run(context: Context) -> list[Figure]:
    switch = context.folder / "switch"
    context.folder.chmod(0o755)
    with changing(context.root) as place:
        source = place.store / "sources/plants/1"
        source.mkdir(parents=True)
        (source / "golden.json").write_bytes((context.root / "model_store/sources/plants/1/golden.json").read_bytes())
        place.add("2", exchanged(*PAIR))
        for version, kind in (("3", "slow"), ("4", "failing")):
            place.add(version, misbehaving(kind, switch))
        return [
            *_refused(context, place),
            *_shadow(context, place),
            *canaries.taken_away(context, place, "3", "slow", switch),
            *canaries.taken_away(context, place, "4", "failing", switch),
        ]


def _promote(place: Changing, version: str) -> httpx2.Response:
    headers = {**place.admin, "If-Match": f'"{place.facts()["rollout"]["revision"]}"'}
    return place.http.post(f"{MODEL}/promote", json={"version": version}, headers=headers)


def _refused(context: Context, place: Changing) -> list[Figure]:
    picture = samples(context.root)[PAIR[0]]
    kept = ask(place.stack.port, own_picture(picture), target="/predict?consent=true")
    unseen = _promote(place, "2")
    begun = place.http.post(f"{MODEL}/versions/2/evaluate", headers=place.admin)
    ended = place.ended(begun.headers["location"])
    evidence = place.http.get(f"{MODEL}/versions/2/evidence").json()
    flipped = {flip["label"]: sorted(flip["to"]) for flip in evidence["flips"]}
    records = [record for flip in evidence["flips"] for record in flip["records"]]
    refused = _promote(place, "2")
    findings = [each for each in refused.json().get("errors", []) if each["rule"] == "flips_of_a_label_at_most"]
    named = sorted(label for label in PAIR if any(f"named {label}," in each["message"] for each in findings))
    context.say(refused.json().get("detail", ""))
    return [
        is_true("without evidence: refused", unseen.json().get("code") == "not_promoted", unseen.json().get("detail")),
        is_true(
            "evaluated", ended["state"] == "done", f"{evidence['pictures']} pictures, {evidence['sightings']} kept"
        ),
        is_true("flipped names: the two", flipped == {PAIR[0]: [PAIR[1]], PAIR[1]: [PAIR[0]]}, str(flipped)),
        is_true("the kept sighting is among the flips", kept.request_id in [each["id"] for each in records]),
        is_true("promotion refused", refused.status_code == 409, f"{refused.status_code} {refused.json().get('code')}"),
        is_true("findings name exactly the two", len(findings) == 2 and named == sorted(PAIR), ", ".join(named)),
        is_true("version 1 still answers", place.stable == "1"),
    ]


def _shadow(context: Context, place: Changing) -> list[Figure]:
    """The exchanged version listens to everything: it disagrees about the pair, always, and about nothing else."""
    assert place.change({"stable": "1", "shadow": "2", "shadow_percent": 100})["state"] == "done"
    pictures, count = samples(context.root), context.count(FULL_COPIES, at_least=27)
    asked = []
    for number in range(count):
        label = list(pictures)[number % len(pictures)]
        asked.append((label, ask(place.stack.port, own_picture(pictures[label]))))
        time.sleep(0.05)
    time.sleep(2)
    faults, stored = [], 0
    other = {PAIR[0]: PAIR[1], PAIR[1]: PAIR[0]}
    deadline = time.monotonic() + STORED_SECONDS
    for label, answer in asked:
        if (answer.status, answer.label, answer.version) != (200, label, "1"):
            faults.append(f"{label} was answered {answer.status} {answer.label} by {answer.version}")
        shadows = _shadows_of(place, answer.request_id, deadline)
        stored += len(shadows)
        for each in shadows:
            if (each["label"], each["agrees"]) != (other.get(label, label), label not in PAIR):
                faults.append(f"{label}: the shadow says {each['label']}, agrees {each['agrees']}")
    seen = _counted(place)
    disagreed = sum(label in PAIR for label, answer in asked if _shadows_of(place, answer.request_id, 0.0))
    assert place.change({"stable": "1"})["state"] == "done"
    return [
        none_of("answers or shadow answers that are not as they must be", faults, count, context.say),
        at_least("copies that were made and stored", 100 * stored / count, 90, "%"),
        is_true("disagreement counted right", seen == (stored - disagreed, disagreed), f"{seen[1]} of {sum(seen)}"),
    ]


def _shadows_of(place: Changing, request_id: str, deadline: float) -> list[dict[str, Any]]:
    while True:
        found: list[dict[str, Any]] = place.http.get(f"/history/{request_id}").json()["shadows"]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _counted(place: Changing) -> tuple[int, int]:
    """Copies that agreed and that disagreed, by the metrics."""
    lines = [
        line for line in place.http.get("/metrics").text.splitlines() if line.startswith("weedwatch_shadow_copies")
    ]

    def of(outcome: str) -> int:
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if f'outcome="{outcome}"' in line)

    return of("agrees"), of("disagrees")
