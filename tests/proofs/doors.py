"""The proof of the doors: `python -m tests.proofs.doors` (LINE, SHARE, RESUME and CASE from the environment).

CASE chooses among the items of line 4: CASE=objects,functions.
"""

from tests.proofs.doors_lines import (
    line_1_access,
    line_2_keys,
    line_3_limits,
    line_4_owasp,
    line_5_erasure,
    line_6_audit,
)
from tests.proofs.harness import Line, prove

LINES = (
    Line(1, "Every route asks of everybody what the policy says", line_1_access.run, 20),
    Line(2, "A revoked key is refused everywhere, and looking at keys costs little", line_2_keys.run, 30),
    Line(3, "One caller far over its limit keeps nobody else waiting, and who waits is let in", line_3_limits.run, 10),
    Line(4, "The ten of OWASP, as generated tests", line_4_owasp.run, 45),
    Line(5, "What a person leaves is gone after an erasure, and the audit holds", line_5_erasure.run, 20),
    Line(6, "Weak code, vulnerable packages and secrets are looked for", line_6_audit.run, 20),
)

if __name__ == "__main__":
    raise SystemExit(prove("doors", "The proof of the doors", LINES))
