"""Item 1: somebody else's object is as one that never was: the same status, the same words, the same time."""

import statistics
import time
from collections.abc import Mapping

from tests.proofs.doors_lines.owasp_ground import UNKNOWN, Ground, Reply
from tests.proofs.results import Figure, at_most, none_of

FULL_PAIRS = 1000
TIME = 1.2
ID = "{request_id}"


def run(ground: Ground) -> list[Figure]:
    expired = ground.place.headers("predict", "read", name="expired", expires_in_days=1e-7)
    routes = [(method, path) for method, path in ground.operations if ID in path]
    time.sleep(0.1)
    faults = []
    for method, path in routes:
        theirs = _ask(ground, method, path, ground.record, ground.other)
        unknown = _ask(ground, method, path, UNKNOWN % 0, ground.other)
        if theirs.status != 404 or theirs.said != unknown.said:
            faults.append(f"{method} {path}: {theirs.status}, an unknown one {unknown.status}")
        for name, headers in {"nobody": {}, "an expired key": expired}.items():
            known, none = (_ask(ground, method, path, each, headers) for each in (ground.record, UNKNOWN % 0))
            if known.status != 401 or known.said != none.said:
                faults.append(f"{method} {path} by {name}: {known.status}")
    return [
        none_of("ways × callers to somebody else's record", faults, 3 * len(routes), ground.context.say),
        none_of("lists, exports and repeats with somebody else's record", _beside(ground), 11, ground.context.say),
        _timing(ground),
    ]


def _ask(ground: Ground, method: str, path: str, record: str, headers: Mapping[str, str]) -> Reply:
    target = path.replace(ID, record)
    if method == "PATCH":
        return ground.ask(method, target, headers, data={"subject": "taken"})
    if method == "PUT":
        return ground.ask(method, target, {**headers, "Content-Type": "image/jpeg"}, ground.photo)
    return ground.ask(method, target, headers)


def _beside(ground: Ground) -> list[str]:
    """Ways that lead past the id: lists, filters, a table, another's page, another's Idempotency-Key, an erasure."""
    owner, other, record = ground.owner, ground.other, ground.record
    cursor = ground.ask("GET", "/history?limit=1", owner).json()["next_cursor"] or ""
    ways = {
        "the list": "/history",
        "a search for the id": f"/history?q={record}",
        "a search for its label": "/history?q=e",
        "a page of the owner's": f"/history?cursor={cursor}",
        "the table": "/history?format=csv",
        "a table of the id": f"/history?format=csv&q={record}",
    }
    faults = [name for name, target in ways.items() if record in ground.ask("GET", target, other).text]
    repeated = [
        ground.predict(headers, **{"Idempotency-Key": "the-same"}).json()["request_id"] for headers in (owner, other)
    ]
    if repeated[0] == repeated[1]:
        faults.append("an Idempotency-Key of the owner's gives the owner's answer")
    gone = ground.predict(owner, "/predict?subject=gone").json()["request_id"]
    # The subjects are the owner's; by somebody else an erasure of them erases none of the owner's.
    for subject in ("objects", "gone"):
        ground.ask("POST", "/erasures", other, data={"subject": subject})
    if ground.ask("GET", f"/history/{gone}", owner).status != 200:
        faults.append("it was erased by its subject")
    certificate = ground.ask("DELETE", f"/history/{gone}", owner).json()["id"]
    told, unknown = (ground.ask("GET", f"/erasures/{each}", other) for each in (certificate, UNKNOWN % 0))
    if told.status != 404 or told.said != unknown.said:
        faults.append(f"the certificate of its erasure: {told.status}")
    still = ground.ask("GET", f"/history/{record}", owner)
    if still.status != 200 or still.json()["subject"] != "objects":
        faults.append("it was changed or erased")
    if ground.ask("GET", f"/history/{record}/image", owner).status != 200:
        faults.append("its picture is gone")
    return faults


def _timing(ground: Ground) -> Figure:
    """A pair: somebody else's record, and one that never was."""
    took: list[tuple[float, float]] = []
    pairs = ground.context.count(FULL_PAIRS, at_least=100)
    for number in range(pairs + 10):
        pair = {}
        for record in (ground.record, UNKNOWN % number)[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            ground.ask("GET", f"/history/{record}", ground.other)
            pair[record] = time.perf_counter() - started
        took.append((pair[ground.record], pair[UNKNOWN % number]))
    known, unknown = (statistics.median(each) for each in zip(*took[10:], strict=True))
    return at_most(f"time of somebody else's id ÷ of an unknown one, medians of {pairs} pairs", known / unknown, TIME)
