"""The proof of the spine: `python -m tests.proofs.spine` (LINE, SHARE and RESUME from the environment)."""

from tests.proofs.harness import Line, prove
from tests.proofs.spine_lines import (
    line_1_fresh_start,
    line_2_tests,
    line_3_bad_inputs,
    line_4_faults,
    line_5_models,
    line_6_endings,
)

LINES = (
    Line(1, "A fresh clone starts, tells the truth and names the species", line_1_fresh_start.run, 40),
    Line(2, "The tests are green in a fresh clone", line_2_tests.run, 60, only_in_full=True),
    Line(3, "Whatever the bytes: documented refusals, the same workers, memory back", line_3_bad_inputs.run, 40),
    Line(4, "Parts are killed under load: answered, recorded, recovered", line_4_faults.run, 40),
    Line(5, "The same answers in training and serving, also for another network", line_5_models.run, 20),
    Line(6, "However it ends: nothing left behind, nothing lost", line_6_endings.run, 30),
)

if __name__ == "__main__":
    raise SystemExit(prove("spine", "The proof of the spine", LINES))
