"""Beside the ten: an act that cannot be written into the audit does not take effect."""

from typing import Any

from tests.proofs.doors_lines.owasp_ground import Ground
from tests.proofs.results import Figure, is_true, none_of

ACTS = 50
MODEL = "/models/plants"
BLOCK = (
    "CREATE FUNCTION refuse_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'blocked'; END $$",
    "CREATE TRIGGER refuse_audit BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse_audit()",
)
UNBLOCK = ("DROP TRIGGER refuse_audit ON audit", "DROP FUNCTION refuse_audit()")


def run(ground: Ground) -> list[Figure]:
    keys = [ground.place.make_key("read", name=f"kept {number}")["id"] for number in range(2)]
    acts: list[tuple[str, str, Any]] = [
        ("POST", "/keys", {"name": "never", "scopes": ["read"]}),
        ("POST", f"/keys/{keys[0]}/rotation", {"overlap_seconds": 0}),
        ("DELETE", f"/keys/{keys[1]}", None),
        ("DELETE", "/history", None),
        ("DELETE", f"/history/{ground.record}", None),
        ("POST", "/erasures", {"subject": "objects"}),
        ("PUT", f"{MODEL}/versions/1/workers", {"workers": 1}),
    ]
    before = _state(ground)
    ground.postgres.execute(*BLOCK)
    try:
        statuses = [
            ground.ask(*acts[number % len(acts)][:2], ground.admin, data=acts[number % len(acts)][2]).status
            for number in range(ACTS)
        ]
    finally:
        ground.postgres.execute(*UNBLOCK)
    done = [f"{acts[number % len(acts)][:2]}: {status}" for number, status in enumerate(statuses) if status < 400]
    untold = [str(status) for status in statuses if status in (0, 500)]
    after = _state(ground)
    works = ground.ask("POST", "/keys", ground.admin, data={"name": "again", "scopes": ["read"]})
    changed = [name for name in before if before[name] != after[name]]
    return [
        none_of("acts that were said to be done while the audit was blocked", done, ACTS, ground.context.say),
        none_of("of these, answered 500", untold, ACTS, ground.context.say),
        none_of("things that these changed", changed, len(before), ground.context.say),
        is_true("acts are done again afterwards", works.status == 201, str(works.status)),
    ]


def _state(ground: Ground) -> dict[str, Any]:
    ask = ground.postgres.ask
    return {
        "keys": ask(
            "SELECT string_agg(k::text, ',' ORDER BY k::text) FROM (SELECT id, expires_at, revoked_at FROM keys) k"
        ),
        "records": ask("SELECT count(*) FROM predictions"),
        "versions": ask("SELECT string_agg(v::text, ',' ORDER BY v::text) FROM model_versions v"),
        "audit": ask("SELECT count(*) FROM audit"),
        "kept": ground.ask("GET", f"/history/{ground.record}/image", ground.owner).status,
    }
