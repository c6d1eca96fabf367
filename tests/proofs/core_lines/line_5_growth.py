"""Line 5: a page of the history, and a prediction, cost the same at a million rows as at ten thousand."""

import statistics
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import psycopg

from tests.checker.client import ask, own_picture
from tests.faults.postgres import OwnPostgres, own_postgres
from tests.proofs.core_lines.arena import Arena, arena
from tests.proofs.harness import Context
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, at_most
from tests.proofs.wire import get

SMALL_ROWS = 10_000
LARGE_ROWS = 1_000_000
RATIO = 1.5
LOOKS = 30
PREDICTIONS = 60
LIMIT = 50
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
# Rows are a year's; ids are ordered by time as those of the service are. One row in a hundred has rare values, and
# the oldest hundredth has an old version.
FILL = """
INSERT INTO predictions
SELECT
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(digest, 1, 3)
        || '8' || substr(digest, 4, 15))::uuid,
    'client-' || n, at, 'plants', CASE WHEN n <= %(rows)s / 100 THEN '0' ELSE '1' END, 'species',
    CASE WHEN n %% 100 = 0 THEN 'rare label' ELSE 'label ' || n %% 8 END, NULL,
    CASE WHEN n %% 100 = 1 THEN 0.999 ELSE 0.5 END,
    '[{"label": "x", "confidence": 0.5}]', 0.02, decode(repeat(digest, 2), 'hex'), 60000, 'JPEG', 640, 480,
    false, NULL, NULL, NULL, CASE WHEN n %% 100 = 2 THEN 'near the bridge' END
FROM (
    SELECT n, md5(n::text) AS digest, %(first)s + n * (interval '300 days' / %(rows)s) AS at
    FROM generate_series(1, %(rows)s) AS n) AS series
"""


@dataclass(frozen=True)
class Side:
    """A service on a table of some size."""

    port: int
    server: OwnPostgres
    rows: int

    def some_id(self) -> str:
        query = "SELECT request_id::text FROM predictions ORDER BY request_id OFFSET 5000 LIMIT 1"
        return str(self.server.ask(query))

    def deep_cursor(self) -> str:
        """The cursor after a page from the middle of the table."""
        until = quote((FIRST + timedelta(days=150)).isoformat())
        return str(get(self.port, f"/history?limit={LIMIT}&until={until}").body["next_cursor"])


def run(context: Context) -> list[Figure]:
    with arena(context) as place, own_postgres(context.folder / "large") as server:
        one = place.replica("large", url=server.url, state=context.folder / "large-state")
        try:
            return _compared(place, replace(place, postgres=server), one)
        finally:
            one.stop()


def _compared(small_place: Arena, large_place: Arena, one: Replica) -> list[Figure]:
    one.start()
    one.wait_until_ready()
    small = Side(small_place.stack.port, small_place.postgres, SMALL_ROWS)
    large = Side(one.port, large_place.postgres, LARGE_ROWS)
    for side in (small, large):
        began = time.monotonic()
        fill(side)
        small_place.context.say(f"{side.rows} rows filled in {time.monotonic() - began:.0f} s")
    targets = list(zip(_targets(small).items(), _targets(large).values(), strict=True))
    figures = [_page(small_place, name, small, a, large, b) for (name, a), b in targets]
    return [*figures, _prediction(small_place, small, large)]


def fill(side: Side) -> None:
    with psycopg.connect(side.server.url, autocommit=True) as connection:
        connection.execute(FILL, {"rows": side.rows, "first": FIRST})
        connection.execute("VACUUM ANALYZE predictions")


def _targets(side: Side) -> dict[str, str]:
    some = side.some_id()
    middle = FIRST + timedelta(days=150)
    since, until = quote((middle - timedelta(days=3)).isoformat()), quote(middle.isoformat())
    pages = {
        "first page": "",
        "deep page": f"&cursor={quote(side.deep_cursor())}",
        "label of 1 %": "&label=rare%20label",
        "model": "&model=plants",
        "version of the oldest 1 %": "&version=0",
        "min_confidence of 1 %": "&min_confidence=0.99",
        "since": f"&since={since}",
        "until": f"&until={until}",
        "since and until, 1 %": f"&since={since}&until={until}",
        "q, a text of 1 %": "&q=near%20the%20bridge",
        "q, a client's id": "&q=client-5000",
        "q, an exact id": f"&q={some}",
    }
    return {f"/history {name}": f"/history?limit={LIMIT}{query}" for name, query in pages.items()} | {
        "/history/{id}": f"/history/{some}"
    }


def _page(arena: Arena, name: str, small: Side, small_target: str, large: Side, large_target: str) -> Figure:
    """Looks at both by turns, so that what else the machine does falls on both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(LOOKS):
        for side, target, seconds in ((small, small_target, times[0]), (large, large_target, times[1])):
            began = time.monotonic()
            answer = get(side.port, target, timeout_seconds=30)
            seconds.append(time.monotonic() - began)
            if not answer.is_ok:
                return Figure(name, f"{answer.status} {answer.code}", f"≤ {RATIO:g} ×", holds=False)
        if sum(times[1]) > 60:
            break
    first, second = (1000 * statistics.median(each) for each in times)
    arena.context.say(f"{name}: {first:.1f} ms, {second:.1f} ms")
    return at_most(f"{name}: {first:.1f} ms, then {second:.1f} ms", second / first, RATIO, "×")


def _prediction(arena: Arena, small: Side, large: Side) -> Figure:
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(PREDICTIONS):
        for side, seconds in ((small, times[0]), (large, times[1])):
            operation = ask(side.port, own_picture(arena.pictures[number % len(arena.pictures)]))
            seconds.append(operation.seconds if operation.status == 200 else float("inf"))
    first, second = (1000 * statistics.median(each) for each in times)
    return at_most(f"POST /predict: {first:.1f} ms, then {second:.1f} ms", second / first, RATIO, "×")
