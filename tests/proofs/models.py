"""The proof of the models: `python -m tests.proofs.models` (LINE, SHARE, RESUME and CASE from the environment).

CASE chooses among the faults of line 3: CASE=F15,F17.
"""

from tests.proofs.harness import Line, prove
from tests.proofs.models_lines import (
    line_1_swaps,
    line_2_evidence,
    line_3_interrupted,
    line_4_readiness,
    line_5_hostile,
    line_6_protocol,
    line_7_commands,
)

LINES = (
    Line(1, "Versions change under load and nobody notices", line_1_swaps.run, 90),
    Line(2, "Evidence decides who answers", line_2_evidence.run, 30),
    Line(3, "Whatever dies while versions change, what is wanted is reached", line_3_interrupted.run, 60),
    Line(4, "What keeps a model from answering is said; a dead canary goes by itself", line_4_readiness.run, 30),
    Line(5, "Hostile versions are refused and nothing of them runs", line_5_hostile.run, 40),
    Line(6, "A client that others wrote is served unchanged", line_6_protocol.run, 20),
    Line(7, "Every command that the documents show runs", line_7_commands.run, 30),
)

if __name__ == "__main__":
    raise SystemExit(prove("models", "The proof of the models", LINES))
