"""What a model archive says of itself. Reads the .mar as data: nothing in it is imported or run."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from control_plane.domain.verdicts import ModelCard
from handlers.preprocessing import InputSpec

UNREADABLE = (KeyError, ValueError, TypeError, OSError, zipfile.BadZipFile)


class NoArchive(Exception):
    """There is no usable archive of the wanted model; the sentence says what to do."""


@dataclass(frozen=True)
class Reference:
    """A picture with the answer that was pinned when the archive was built."""

    picture: bytes
    label: str
    confidence: float


@dataclass(frozen=True)
class Archive:
    file: Path
    model: str
    version: str
    labels: tuple[str, ...]
    card: ModelCard
    references: tuple[Reference, ...]
    frame: int = 1
    """What its handler understands: `handlers.frame.VERSION` when it was built."""
    input: InputSpec = field(default_factory=InputSpec)

    @cached_property
    def known_labels(self) -> frozenset[str]:
        """Made once: each answer is looked up in it."""
        return frozenset(self.labels)

    @property
    def reads_names(self) -> bool:
        """Whether its handler takes a picture by the name of a file."""
        return self.frame >= 2

    @property
    def reads_tensors(self) -> bool:
        """Whether its handler takes the network's input itself, and lists as many labels as it is asked for."""
        return self.frame >= 3


def newest(model_store: Path, model: str) -> Archive:
    """The archive of `model` with the highest version.

    Raises:
        NoArchive: There is none, or it cannot be read.
    """
    archives = [found for file in model_store.glob("*.mar") if (found := _identity(file)) and found[0] == model]
    if not archives:
        _refuse_unreadable(model_store, lambda name: name.startswith(f"{model}-"))
        raise NoArchive(
            f"There is no archive of the model '{model}' in {model_store}. Build one with: make archive MODEL={model}; "
            f"or put one there. It is then served without a restart."
        )
    _, version, file = max(archives, key=lambda each: _sortable(each[1]))
    return read(file, model, version)


def find(model_store: Path, model: str, version: str) -> Archive:
    """The archive of one version.

    Raises:
        NoArchive: There is none, or it cannot be read.
    """
    for file in sorted(model_store.glob("*.mar")):
        if (found := _identity(file)) and found[:2] == (model, version):
            return read(file, model, version)
    _refuse_unreadable(model_store, lambda name: name == f"{model}-{version}.mar")
    raise NoArchive(
        f"There is no archive of '{model}' version '{version}' in {model_store}. "
        f"Build it with: make archive MODEL={model} VERSION={version}"
    )


def digest(file: Path) -> bytes:
    """SHA-256 of its bytes."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def files_of(model_store: Path, model: str, version: str) -> list[Path]:
    """All archives of one version; there should be one."""
    return [file for file in model_store.glob("*.mar") if (found := _identity(file)) and found[:2] == (model, version)]


def read(file: Path, model: str, version: str) -> Archive:
    """Raises NoArchive when it cannot be read."""
    try:
        return _read(file, model, version)
    except UNREADABLE as error:
        raise _cannot_be_read(file, error) from error


def _cannot_be_read(file: Path, error: Exception) -> NoArchive:
    return NoArchive(
        f"The archive {file} cannot be read ({error}): it was cut short or damaged. "
        f"Build it again (make archive), or put a whole copy in its place."
    )


def _refuse_unreadable(model_store: Path, fits: Callable[[str], bool]) -> None:
    """By its name there is one, and nobody can say more of it: that is another reason than none at all."""
    for file in sorted(file for file in model_store.glob("*.mar") if fits(file.name)):
        try:
            _manifest(file)
        except UNREADABLE as error:
            raise _cannot_be_read(file, error) from error


def _identity(file: Path) -> tuple[str, str, Path] | None:
    try:
        model = _manifest(file)
        return str(model["modelName"]), str(model["modelVersion"]), file
    except UNREADABLE:
        return None


def _manifest(file: Path) -> Any:
    with zipfile.ZipFile(file) as mar:
        return _json(mar, "MAR-INF/MANIFEST.json")["model"]


def _read(file: Path, model: str, version: str) -> Archive:
    with zipfile.ZipFile(file) as mar:
        labels = _json(mar, "class_labels.json")
        names = labels if isinstance(labels, list) else [labels[key] for key in sorted(labels, key=int)]
        members = set(mar.namelist())
        card = _json(mar, "model_card.json") if "model_card.json" in members else {}
        build = _json(mar, "build.json") if "build.json" in members else {}
        pinned = _json(mar, "reference.json") if "reference.json" in members else []
        references = tuple(
            Reference(mar.read(each["file"]), str(each["label"]), float(each["confidence"])) for each in pinned
        )
    if not references:
        raise ValueError("it has no reference pictures")
    return Archive(
        file,
        model,
        version,
        tuple(map(str, names)),
        ModelCard.from_json(card),
        references,
        int(build.get("frame", 1)),
        InputSpec.from_dict(card.get("input") or {}),
    )


def _json(mar: zipfile.ZipFile, member: str) -> Any:
    return json.loads(mar.read(member))


def _sortable(version: str) -> tuple[tuple[int, str], ...]:
    """1.10 after 1.9; a part that is no number sorts before the numbers."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in version.split("."))
