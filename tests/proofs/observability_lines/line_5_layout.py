"""Line 5: every dashboard keeps the rules of its layout, and every expression has its types."""

import json

from observability import dashboards
from observability.dashboards import DASHBOARDS
from tests.integration.observability.test_promql import expressions, refused
from tests.proofs.harness import Context
from tests.proofs.observability_lines.pytests import passes
from tests.proofs.results import Figure, for_the_record, none_of
from tests.unit.observability.layout import problems


def run(context: Context) -> list[Figure]:
    boards = {each.key: json.loads(dashboards.encoded(each)) for each in DASHBOARDS}
    panels = sum(panel["type"] != "row" for board in boards.values() for panel in board["panels"])
    wrong = [f"{key}: {problem}" for key, board in boards.items() for problem in problems(board)]
    queries = expressions()
    said = refused(context.folder, queries)
    return [
        none_of("faults of layout", wrong, panels, context.say),
        none_of("expressions that promtool refuses", [said] if said else [], len(queries), context.say),
        passes(
            context,
            "each rule, and wrong types, are seen to be refused",
            "tests/unit/observability/test_dashboards.py",
            "tests/integration/observability/test_promql.py",
            "tests/integration/observability/test_logql.py",
        ),
        for_the_record("dashboards, panels", f"{len(boards)}, {panels}"),
    ]
