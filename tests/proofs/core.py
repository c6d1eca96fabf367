"""The proof of the core: `python -m tests.proofs.core` (LINE, SHARE, RESUME and CASE from the environment).

CASE chooses among the faults of the lines 1 and 2: CASE=F04,F06.
"""

from tests.proofs.core_lines import (
    line_1_durability,
    line_2_bounded,
    line_3_overload,
    line_4_benchmark,
    line_5_growth,
)
from tests.proofs.harness import Line, prove

LINES = (
    Line(1, "Durability: nothing acknowledged is lost, doubled or false", line_1_durability.run, 120),
    Line(2, "Faults: bounded errors, recovery without a hand", line_2_bounded.run, 90),
    Line(3, "Overload: flat goodput, quick refusals, no worse afterwards", line_3_overload.run, 60),
    Line(4, "Faster than the peers that run our own functions", line_4_benchmark.run, 40),
    Line(5, "The history's size costs nothing", line_5_growth.run, 30),
)

if __name__ == "__main__":
    raise SystemExit(prove("core", "The proof of the core", LINES))
