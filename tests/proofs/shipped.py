"""The proof of what is shipped, on a Docker engine: `python -m tests.proofs.shipped` (LINE, SHARE, RESUME and CASE)."""

from tests.proofs.harness import Line, prove
from tests.proofs.stack_lines import (
    line_1_whole,
    line_2_changes,
    line_3_backup,
    line_4_images,
    line_5_kubernetes,
    line_6_cache,
    line_7_docs,
)

LINES: tuple[Line, ...] = (
    Line(1, "The whole stack, in production's form", line_1_whole.run, 40),
    Line(2, "Updates, deaths and hangs under load", line_2_changes.run, 40),
    Line(3, "A backup under load, everything destroyed, all restored", line_3_backup.run, 45),
    Line(4, "Images are small, light and closed", line_4_images.run, 40),
    Line(5, "What is applied to a cluster is sound, by asserts that can fail", line_5_kubernetes.run, 10),
    Line(6, "Repeated pictures: the answer cache, and a swap beside it", line_6_cache.run, 15),
    Line(7, "Every command of the documents is run, or says why not", line_7_docs.run, 10),
)

if __name__ == "__main__":
    raise SystemExit(prove("stack", "The proof of what is shipped", LINES))
