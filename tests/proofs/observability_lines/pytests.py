"""Lines that an acceptance test shows already run that very test."""

import re
import subprocess
import sys

from tests.proofs.harness import Context
from tests.proofs.results import Figure, is_true
from tests.proofs.stack import clean_environment

SECONDS = 1500


def passes(context: Context, name: str, *tests: str) -> Figure:
    """Whether these tests pass, none of them skipped."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=context.root, env=clean_environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode != 0:
        context.say(done.stdout[-3000:])
    passed = re.search(r"(\d+) passed", done.stdout)
    skipped = re.search(r"(\d+) skipped", done.stdout)
    said = f"{passed[1] if passed else 0} passed" + (f", {skipped[1]} skipped" if skipped else "")
    return is_true(name, done.returncode == 0 and passed is not None and skipped is None, said)
