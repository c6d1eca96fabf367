"""Where a model's source lies, and whether an archive was built from exactly that.

This module must not import torch: `make run` asks it at each start.
"""

import hashlib
import json
import re
import zipfile
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from handlers import frame
from handlers.errors import SourceError

HANDLERS = Path(__file__).parent
MODEL_STORE = HANDLERS.parent / "model_store"
BUILD_FILE = "build.json"
WORKER_MODULES = ("plant_classifier.py", "batch.py", "frame.py", "preprocessing.py", "telling.py")
"""Our code inside an archive."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# What decides the bytes of an archive beside the source and our own code.
_PACKAGES = ("torch", "torchvision", "onnx", "onnxscript", "onnxruntime", "numpy", "pillow", "torch-model-archiver")


@dataclass(frozen=True)
class ModelSource:
    """One version of a model as its trainer left it."""

    name: str
    version: str
    checkpoint: Path
    labels: Path
    architecture: str | None = None

    def __post_init__(self) -> None:
        for what, value in (("model name", self.name), ("version", self.version)):
            if not _NAME.fullmatch(value):
                raise SourceError(f"The {what} {value!r} cannot be used. Use letters, digits, '.', '_' and '-' only.")

    @property
    def archive_name(self) -> str:
        return f"{self.name}-{self.version}.mar"

    @property
    def card(self) -> Path:
        return self.checkpoint.parent / "model_card.json"

    @property
    def config(self) -> Path:
        return self.checkpoint.parent / "model-config.yaml"

    @property
    def samples(self) -> tuple[Path, ...]:
        return tuple(sorted((self.checkpoint.parent / "samples").glob("*.jpg")))

    def read_card(self) -> dict[str, Any]:
        """The model card, empty where there is none.

        Raises:
            SourceError: The card is no JSON object.
        """
        if not self.card.exists():
            return {}
        try:
            card = json.loads(self.card.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SourceError(f"{self.card} is no JSON ({error}). Correct or remove it.") from error
        if not isinstance(card, dict):
            raise SourceError(f"{self.card} must hold a JSON object.")
        return card


def find_source(
    name: str,
    version: str | None = None,
    *,
    checkpoint: Path | None = None,
    labels: Path | None = None,
    architecture: str | None = None,
    store: Path = MODEL_STORE,
) -> ModelSource:
    """Name the source's files; what is not given lies where the model store keeps it.

    Args:
        name: The model's name.
        version: Its version; absent means the highest in the store, or "1".
        checkpoint: A model.pth anywhere; card, samples and labels are looked for beside it.
        labels: The labels file, when it does not lie beside the checkpoint.
        architecture: Beats what checkpoint and card say.
        store: The model store.
    """
    if version is None:
        version = "1" if checkpoint else _highest(store / "sources" / name)
    checkpoint = checkpoint or store / "sources" / name / version / "model.pth"
    return ModelSource(name, version, checkpoint, labels or checkpoint.parent / "class_labels.json", architecture)


def build_inputs(source: ModelSource) -> dict[str, Any]:
    """Everything that decides an archive's bytes, as digests and version numbers.

    Raises:
        SourceError: A needed file is absent.
    """
    return {**content_inputs(source), "packages": {package: installed_version(package) for package in _PACKAGES}}


def content_inputs(source: ModelSource) -> dict[str, Any]:
    """The same without the packages that it is built with: what an archive holds of the source and of our code.

    Raises:
        SourceError: A needed file is absent.
    """
    files = {"model.pth": source.checkpoint, "class_labels.json": source.labels}
    files |= {path.name: path for path in (source.card, source.config) if path.exists()}
    files |= {f"samples/{path.name}": path for path in source.samples}
    files |= {f"handlers/{path.name}": path for path in sorted(HANDLERS.glob("*.py"))}
    return {
        "model": source.name,
        "version": source.version,
        "architecture": source.architecture,
        "frame": frame.VERSION,
        "files": {name: _digest(path) for name, path in files.items()},
    }


def is_current(source: ModelSource, archive: Path) -> bool:
    """Whether the archive is whole and was built from exactly this source, code and these packages."""
    try:
        with zipfile.ZipFile(archive) as packed:
            built = json.loads(packed.read(BUILD_FILE))
            return bool(built == build_inputs(source)) and packed.testzip() is None
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return False


def built_archive(name: str, version: str | None, folder: Path) -> Path | None:
    """The archive of a model (the highest version unless one is asked for) that lies in a folder, whatever made it."""
    found = {}
    for path in folder.glob(f"{name}-*.mar"):
        try:
            with zipfile.ZipFile(path) as packed:
                model = json.loads(packed.read("MAR-INF/MANIFEST.json"))["model"]
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            continue
        if model.get("modelName") == name and version in (None, model.get("modelVersion")):
            found[str(model.get("modelVersion"))] = path
    return found[max(found, key=_version_order)] if found else None


def _highest(folder: Path) -> str:
    versions = [path.name for path in folder.glob("*") if path.is_dir()]
    return max(versions, key=_version_order, default="1")


def _version_order(version: str) -> list[tuple[int, str]]:
    """Numbers by value, so that 10 comes after 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"[._-]", version)]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}). Put the file there or name another.") from error
