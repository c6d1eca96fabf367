"""Line 3: one request id leads from the browser to the logs, the trace, the record and the exemplar."""

from tests.proofs.harness import Context
from tests.proofs.observability_lines.pytests import passes
from tests.proofs.results import Figure


def run(context: Context) -> list[Figure]:
    return [
        passes(
            context,
            "the acceptance test: browser, both logs, trace, record, exemplar, on the running platform",
            "tests/acceptance/test_observability.py",
        )
    ]
