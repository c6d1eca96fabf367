"""The proof of what watches: `python -m tests.proofs.observability` (LINE, SHARE, RESUME and CASE).

CASE chooses among the faults of line 1 by the name of an alert, and `panels` or `renamed`: CASE=panels,DatabaseDown.
"""

from tests.proofs.harness import Line, prove
from tests.proofs.observability_lines import line_1_prover

LINES = (Line(1, "Every panel has data, and every alert fires, arrives and resolves", line_1_prover.run, 45),)

if __name__ == "__main__":
    raise SystemExit(prove("observability", "The proof of what watches", LINES))
