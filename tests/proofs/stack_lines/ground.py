"""What the lines of this proof stand on: an engine, the stand-ins, and our images."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.proofs.harness import Context, state_folder
from tests.stack import standins
from tests.stack.docker import Docker
from tests.stack.engine import engine

TAG = "proof"
BUILD_SECONDS = 2400.0


@contextmanager
def ready_engine(context: Context) -> Iterator[Docker]:
    """An engine with everything that a registry would have given."""
    with engine(state_folder() / "docker") as docker:
        standins.build(docker, context.say)
        yield docker


def images(context: Context, docker: Docker, tag: str = TAG) -> str:
    """Build ours and the archive that they serve, of the tree as it is, as far as it has changed. Gives the tag."""
    archive = [sys.executable, "-m", "handlers.archive"]
    subprocess.run(archive, cwd=context.root, check=True, capture_output=True, timeout=BUILD_SECONDS)
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "images", "--tag", tag],
        cwd=context.root,
        env={**docker.environment, **_torch()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    for line in done.stdout.splitlines():
        context.say(line)
    if done.returncode != 0:
        raise RuntimeError(f"The images cannot be built: {done.stderr[-3000:]}")
    return tag


def _torch() -> dict[str, str]:
    """A folder of wheels that pip is told of on this machine, whichever way; else PyTorch's builds with CUDA."""
    if os.environ.get("TORCH"):
        return {}
    asked = subprocess.run(
        ["python3", "-m", "pip", "config", "get", "global.find-links"], capture_output=True, text=True, check=False
    )
    folders = [*os.environ.get("PIP_FIND_LINKS", "").split(), *asked.stdout.split()]
    for folder in folders:
        if list(Path(folder).glob("torch-*cpu*.whl")):
            return {"TORCH": f"wheels:{folder}"}
    return {"TORCH": "cuda"}
