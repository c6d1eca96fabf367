"""F09: one request of a group cannot be stored: only it is refused, and the spool never stops at it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import quote

from tests.checker.client import ask, own_picture
from tests.checker.record import Operation
from tests.hostile.contract import FAULT_REFUSALS, PICTURE_REFUSALS
from tests.proofs.core_lines.arena import Arena, waiting_records, within
from tests.proofs.results import Figure, at_least, is_true, none_of

GROUP = 32
SUBJECTS = (
    *(
        "%00",
        "a%00b",
        "%ED%A0%80",
        "%FF%FE",
        "%C0%80",
        "%EF%BF%BF",
        "%F4%8F%BF%BF",
        "%E2%80%AE",
        "%C2%85",
        "%7F",
        "%0A",
    ),
    *("%E2%80%A8", "%25s%25(x)s", "%5Cx00", "%5Cu0000", "null", "{}", "a" * 200, "a" * 201, "a" * 60_000),
    *(quote("'; DROP TABLE predictions; --"), quote("\U0001f33f" * 200)),
)
QUERIES = (
    *(
        "latitude=NaN&longitude=NaN",
        "latitude=inf&longitude=1",
        "latitude=1e309&longitude=1",
        "latitude=91&longitude=1",
    ),
    *("latitude=0&longitude=-0.0", "latitude=1e-400&longitude=1", "latitude=1", "latitude=1&longitude=180.00001"),
    *("top_k=9223372036854775808", "top_k=-1", "top_k=%EF%BC%91", "top_k=1e1", "consent=maybe", "consent=true"),
    *("model=plants%00", "version=%F0%9F%8C%BF", "version=" + "1" * 300),
)
HEADERS = (
    {"X-Request-ID": "a" * 129},
    {"X-Request-ID": "'; DROP TABLE predictions; --"},
    {"X-Request-ID": "\u00e9"},
    {"X-Deadline-Ms": "1"},
    {"traceparent": "00-" + "f" * 5000},
)
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.subject = 'poison' THEN RAISE EXCEPTION 'poison' USING ERRCODE = '22P05'; END IF; RETURN NEW; END $$
"""
ALLOWED = FAULT_REFUSALS | PICTURE_REFUSALS | {"model_not_found"}


def run(arena: Arena) -> list[Figure]:
    kinds: list[tuple[str, dict[str, str]]] = [(f"/predict?subject={subject}", {}) for subject in SUBJECTS]
    kinds += [(f"/predict?{query}", {}) for query in QUERIES]
    kinds += [("/predict", headers) for headers in HEADERS]
    kinds = kinds[:: max(1, round(0.2 / arena.context.share))]
    good: list[Operation] = []
    poison: list[Operation] = []
    for target, headers in kinds:
        one, others = _group(arena, target, headers)
        poison.append(one)
        good += others
    return [
        _unharmed(arena, f"F09 {len(kinds)} kinds of poison: others of the group that failed", good),
        *arena.judged("F09 poison by HTTP", good + poison, allowed=ALLOWED),
        *_refused_by_database(arena),
    ]


def _group(arena: Arena, target: str, headers: dict[str, str]) -> tuple[Operation, list[Operation]]:
    with ThreadPoolExecutor(GROUP) as pool:
        pictures = [own_picture(arena.pictures[0]) for _ in range(GROUP)]
        poison = pool.submit(ask, arena.stack.port, pictures[0], target=target, headers=headers)
        others = [pool.submit(ask, arena.stack.port, picture) for picture in pictures[1:]]
        return poison.result(), [each.result() for each in others]


def _unharmed(arena: Arena, name: str, good: list[Operation]) -> Figure:
    failed = [f"{each.status} {each.code}" for each in good if each.status != 200]
    return none_of(name, failed, len(good), arena.context.say)


def _refused_by_database(arena: Arena) -> list[Figure]:
    """PostgreSQL itself refuses a row that the service let through, directly and out of the spool."""
    target = "/predict?subject=poison"
    with _refusing(arena):
        direct, beside = _group(arena, target, {})
        arena.proxy.refuse()
        spooled, spooled_beside = _group(arena, target, {})
        waiting = waiting_records(arena.spools)
        arena.proxy.forward()
        home = arena.settle()
    operations = [direct, *beside, spooled, *spooled_beside]
    return [
        is_true("F09 a row that PostgreSQL refuses is not acknowledged", direct.status == 503, direct.code),
        _unharmed(arena, "F09 others of its group that failed", beside + spooled_beside),
        at_least("F09 records in the spool beside it", waiting, GROUP - 1),
        within("F09 the spool came home past it", home, 30),
        *arena.judged("F09 poison in PostgreSQL", operations, allowed=ALLOWED),
    ]


@contextmanager
def _refusing(arena: Arena) -> Iterator[None]:
    trigger = "CREATE TRIGGER refuse BEFORE INSERT ON predictions FOR EACH ROW EXECUTE FUNCTION refuse()"
    arena.postgres.execute(REFUSE, trigger)
    try:
        yield
    finally:
        arena.postgres.execute("DROP TRIGGER refuse ON predictions", "DROP FUNCTION refuse")
