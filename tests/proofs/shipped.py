"""The proof of what is shipped, on a Docker engine: `python -m tests.proofs.shipped` (LINE, SHARE, RESUME and CASE)."""

from tests.proofs.harness import Line, prove

LINES: tuple[Line, ...] = ()

if __name__ == "__main__":
    raise SystemExit(prove("stack", "The proof of what is shipped", LINES))
