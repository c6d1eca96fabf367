"""A small disk of its own for a folder: a tmpfs, which needs the right to mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BALLAST = "ballast"
CHUNK = bytes(65536)
LARGEST_BYTES = 2**30


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """`folder` is an empty disk of that size while the block runs.

    Raises:
        RuntimeError: Mounting is not allowed here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size_bytes},mode=755"
    command = ["mount", "-t", "tmpfs", "-o", options, "weedwatch-fault", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"A small disk cannot be mounted; run the proof as root. {done.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: what a killed process still holds must not keep the folder.
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, timeout=20, check=False)


def fill(folder: Path, leave_bytes: int = 0) -> Path:
    """Take all free bytes of the disk but `leave_bytes` by one file, which the caller removes.

    Raises:
        RuntimeError: This is no small disk.
    """
    if os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize > LARGEST_BYTES:
        raise RuntimeError(f"{folder} is not on a small disk; it will not be filled.")
    ballast = folder / BALLAST
    with ballast.open("wb", buffering=0) as file:
        try:
            while _free(folder) > leave_bytes:
                file.write(CHUNK[: max(1, min(len(CHUNK), _free(folder) - leave_bytes))])
        except OSError:
            pass  # full earlier than it said
    return ballast


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
