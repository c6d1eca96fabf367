"""Line 7: every command of the documents says what runs it, and the quick ones run here, in a clean clone."""

import re
import subprocess
from pathlib import Path

from tests import marked
from tests.proofs.harness import Context
from tests.proofs.results import Figure, for_the_record, is_true, none_of
from tests.proofs.stack import clean_environment, clone

SECONDS = 300
WHO = ("AUTHOR", "COMMITTER")


def run(context: Context) -> list[Figure]:
    blocks = marked.all_blocks()
    wrong = [block.fault for block in blocks if block.fault]
    unrun = [block for block in blocks if block.kind == "not run"]
    here = [block for block in blocks if marked.HERE in block.files]
    place = clone(context.root, context.folder / "clone")
    failed = [fault for block in here if (fault := _fault(block, place))]
    for block in unrun:
        context.say(f"not run: {block.page}: {block.commands[0]}: {block.said}")
    return [
        none_of("blocks of commands in the documents whose mark is missing or wrong", wrong, len(blocks), context.say),
        none_of("blocks that fail as they stand, in a clean clone", failed, len(here), context.say),
        for_the_record("blocks whose commands a test or a proof names", f"{len(blocks) - len(unrun)} of {len(blocks)}"),
        for_the_record("blocks not run, each with its reason", f"{len(unrun)} of {len(blocks)}"),
        is_true("what was made there is not in git", not _left(place)),
    ]


def _fault(block: marked.Block, place: Path) -> str | None:
    """`# exit code 1` behind a command says how it must end; else all of a block must end well, one after the other."""
    wanted = re.search(r"# exit code (\d+)", block.text)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=place,
        env={**clean_environment(), **{f"GIT_{who}_{what}": "proof" for who in WHO for what in ("NAME", "EMAIL")}},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode == (int(wanted[1]) if wanted else 0):
        return None
    return f"{block.page}: {block.commands[0]}: ended with {done.returncode}: {(done.stdout + done.stderr)[-300:]}"


def _left(place: Path) -> str:
    done = subprocess.run(["git", "status", "--porcelain"], cwd=place, capture_output=True, text=True, check=True)
    return done.stdout
