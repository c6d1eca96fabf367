"""kustomize: this machine's, else Debian's, unpacked beside the system into `.tools/kustomize`."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from observability.debian import alone_with, unpack

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".tools" / "kustomize"
SUITES = ("trixie", "forky", "sid")


@cache
def program() -> Path:
    """Its path, fetched if it must be.

    Raises:
        CannotFetch: It is neither here nor to be had.
    """
    fetched = FOLDER / "usr" / "bin" / "kustomize"
    if not fetched.exists() and (own := shutil.which("kustomize")):
        return Path(own)
    with alone_with(FOLDER):
        if not fetched.exists():
            unpack(("kustomize",), SUITES, FOLDER)
    return fetched


def build(folder: Path) -> str:
    """What the folder's kustomization gives: YAML documents.

    Raises:
        RuntimeError: It cannot be rendered; kustomize's own words.
    """
    command = [str(program()), "build", str(folder)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if said.returncode != 0:
        raise RuntimeError(f"{folder.name} does not render: {said.stderr.strip()}")
    return said.stdout
