"""The golden set: pictures whose names are known, or a seeded generator that draws them, beside a version's source.

A folder `golden/Lantana camara/*.jpg`, or `golden.json`: {"generator": "drawn plants", "seed": 7, "per_class": 10}.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER, GENERATOR = "golden", "golden.json"
GENERATORS = {"drawn plants": "training.golden"}
MOST_PICTURES = 2000
DRAWING_SECONDS = 600
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


class NoGoldenSet(Exception):
    """It cannot be used; the sentence says why."""


@dataclass(frozen=True)
class Golden:
    """One picture and its name."""

    file: Path
    id: str
    label: str


def find(store: Path, cache: Path, model: str, *versions: str) -> list[Golden]:
    """That of the first of these versions that has one; empty when none has. May draw pictures: call it in a thread.

    Raises:
        NoGoldenSet: It is there and cannot be used.
    """
    for version in versions:
        source = store / "sources" / model / version
        if (source / FOLDER).is_dir():
            return _bounded(source / FOLDER)
        if (source / GENERATOR).is_file():
            return _bounded(_drawn(source / GENERATOR, cache))
    return []


def _bounded(folder: Path) -> list[Golden]:
    found = list(_in_folders(folder))
    if len(found) > MOST_PICTURES:
        raise NoGoldenSet(f"The golden set {folder} has {len(found)} pictures; at most {MOST_PICTURES} are played.")
    return found


def _in_folders(folder: Path) -> Iterator[Golden]:
    for label in sorted(each for each in folder.iterdir() if each.is_dir()):
        for file in sorted(label.iterdir()):
            if file.suffix.lower() in SUFFIXES:
                yield Golden(file, f"{label.name}/{file.name}", label.name)


def _drawn(file: Path, cache: Path) -> Path:
    """The folder with what the generator draws; drawn once, since the same seed draws the same."""
    content = file.read_bytes()
    try:
        wanted = json.loads(content)
        module = GENERATORS[wanted["generator"]]
        options = [f"--seed={int(wanted['seed'])}", f"--per-class={int(wanted['per_class'])}"]
    except (KeyError, ValueError, TypeError) as error:
        known = ", ".join(f'"{name}"' for name in GENERATORS)
        raise NoGoldenSet(f"{file} must name a generator ({known}), a seed and per_class ({error!r}).") from error
    target = cache / hashlib.sha256(content).hexdigest()[:16]
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=cache, prefix="new-"))
    try:
        command = [sys.executable, "-m", module, *options, str(fresh)]
        subprocess.run(command, check=True, timeout=DRAWING_SECONDS, capture_output=True)
        fresh.rename(target)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        if target.is_dir():  # another replica was faster
            return target
        raise NoGoldenSet(f"The golden set of {file} cannot be drawn: {error}") from error
    return target
