"""The proof of what is shipped, on a Docker engine: `python -m tests.proofs.shipped` (LINE, SHARE, RESUME and CASE)."""

from tests.proofs.harness import Line, prove
from tests.proofs.stack_lines import line_3_backup, line_4_images

LINES = (
    Line(3, "A backup under load, everything destroyed, all restored", line_3_backup.run, minutes=20),
    Line(4, "Images are small, light and closed", line_4_images.run, minutes=30),
)

if __name__ == "__main__":
    raise SystemExit(prove("stack", "The proof of what is shipped", LINES))
