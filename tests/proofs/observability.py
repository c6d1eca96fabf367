"""The proof of what watches: `python -m tests.proofs.observability` (LINE, SHARE, RESUME and CASE).

CASE chooses among the faults of line 1 by the name of an alert, and `panels` or `renamed`: CASE=panels,DatabaseDown.
"""

from tests.proofs.harness import Line, prove
from tests.proofs.observability_lines import (
    line_1_prover,
    line_2_rules,
    line_3_path,
    line_4_cost,
    line_5_layout,
    line_6_scripts,
)

LINES = (
    Line(1, "Every panel has data, and every alert fires, arrives and resolves", line_1_prover.run, 60),
    Line(2, "Each alert is tested firing and quiet", line_2_rules.run, 10),
    Line(3, "One request id leads everywhere", line_3_path.run, 20),
    Line(4, "What metrics, logs and switched-off traces cost", line_4_cost.run, 30),
    Line(5, "Dashboards keep their layout, and expressions their types", line_5_layout.run, 10),
    Line(6, "The scripts run these proofs", line_6_scripts.run, 5),
)

if __name__ == "__main__":
    raise SystemExit(prove("observability", "The proof of what watches", LINES))
