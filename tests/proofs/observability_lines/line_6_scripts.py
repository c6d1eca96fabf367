"""Line 6: the scripts are there, and each runs the proof that its name promises."""

import os
import subprocess
from pathlib import Path

from tests.proofs.harness import Context
from tests.proofs.results import Figure, is_true, none_of

SCRIPTS = {
    "test-monitoring.sh": ([], "make prove-observability LINE=1 CASE=panels"),
    "test-alerts.sh": (["DatabaseDown"], "make prove-observability LINE=1 CASE=DatabaseDown"),
    "test-logging.sh": ([], "make prove-observability LINE=3"),
}
SECONDS = 60


def run(context: Context) -> list[Figure]:
    """With a `make` in front of the real one that says what it was asked for."""
    stand_in = context.folder / "make"
    stand_in.write_text('#!/bin/sh\necho "make $@"\n')
    stand_in.chmod(0o755)
    wrong = []
    for name, (words, wanted) in SCRIPTS.items():
        script = context.root / "scripts" / name
        said = _said(script, words, context.folder) if os.access(script, os.X_OK) else "it cannot be run"
        if said != wanted:
            wrong.append(f"{name}: {said}")
    everything = _said(context.root / "scripts" / "test-alerts.sh", [], context.folder)
    return [
        none_of("scripts that do not run their proof", wrong, len(SCRIPTS), context.say),
        is_true(
            "test-alerts.sh without a name and a terminal runs all", everything == "make prove-observability LINE=1"
        ),
    ]


def _said(script: Path, words: list[str], front: Path) -> str:
    environment = {**os.environ, "PATH": f"{front}:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(script), *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    return (done.stdout + done.stderr).strip()
