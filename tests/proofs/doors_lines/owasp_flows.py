"""Item 6: what can be done to the service's own business by doing allowed things often, or one for oneself.

There is no feedback and no retraining yet, and no second pair of eyes: nothing of theirs is shown.
"""

from tests.hostile.access import SCOPES
from tests.proofs.doors_lines.owasp_ground import Ground
from tests.proofs.results import Figure, for_the_record, is_true, none_of

FULL_ACTS = 300
MODEL = "/models/plants"
ACTS = (
    ("PUT", f"{MODEL}/rollout", {"stable": "1"}),
    ("POST", f"{MODEL}/promote", {"version": "1", "force": True, "reason": "mine"}),
    ("POST", f"{MODEL}/rollback", None),
    ("POST", f"{MODEL}/versions", {"version": "mine"}),
    ("POST", f"{MODEL}/versions/1/evaluate", None),
    ("PUT", f"{MODEL}/versions/1/workers", {"workers": 1}),
    ("DELETE", f"{MODEL}/versions/1", None),
    ("POST", "/keys", {"name": "mine", "scopes": ["admin"]}),
    ("DELETE", "/history", None),
)


def run(ground: Ground) -> list[Figure]:
    without = [scope for scope in SCOPES if scope != "admin"]
    maker = ground.place.headers(*without, name="everything but admin")
    faults = [
        f"{method} {target}: {status}"
        for method, target, data in ACTS
        if (status := ground.ask(method, target, maker, data=data).status) != 403
    ]
    return [
        none_of("acts of approval that a key without admin may do", faults, len(ACTS), ground.context.say),
        *_in_bulk(ground),
        for_the_record("not there yet", "false feedback, retraining, a second pair of eyes"),
    ]


def _in_bulk(ground: Ground) -> list[Figure]:
    """Rollbacks and new keys by the hundred: each that takes effect stands in the audit, no other does."""
    before, taken, faults = _rows(ground), 0, list[str]()
    times = ground.context.count(FULL_ACTS, at_least=30)
    for number in range(times):
        kind = number % 3
        if kind == 0:
            reply = ground.ask("POST", f"{MODEL}/rollback", ground.admin)
        elif kind == 1:
            reply = ground.ask("POST", "/keys", ground.admin, data={"name": f"bulk {number}", "scopes": ["read"]})
        else:
            reply = ground.ask("PUT", f"{MODEL}/versions/1/workers", ground.admin, data={"workers": None})
        taken += reply.status < 300
        if reply.status >= 400 and reply.status not in (409, 429):
            faults.append(f"act {number}: {reply.status}")
    written = _rows(ground) - before
    return [
        none_of("acts in bulk that were neither done nor refused", faults, times, ground.context.say),
        is_true("each that was done is in the audit", written == taken, f"{written} rows of {taken} done"),
    ]


def _rows(ground: Ground) -> int:
    return int(ground.postgres.ask("SELECT count(*) FROM audit"))
