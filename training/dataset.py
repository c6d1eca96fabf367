"""Folders of pictures, one per class, decoded once and kept as arrays."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from handlers.preprocessing import InputSpec, UnusableImage, decode

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic"})
Pixels = npt.NDArray[np.uint8]
Targets = npt.NDArray[np.int64]


class UnusableDataset(ValueError):
    """The folder is no dataset; the message says what to change."""


@dataclass(frozen=True)
class Dataset:
    """Pictures and their classes.

    Attributes:
        pixels: uint8, shape (n, height, width, 3), RGB.
        targets: Index into `labels` of each picture, shape (n,).
        labels: Class names, sorted.
        paths: Where each picture came from.
    """

    pixels: Pixels
    targets: Targets
    labels: tuple[str, ...]
    paths: tuple[Path, ...]


def load(folder: Path, height: int, width: int, resize: int, labels: tuple[str, ...] | None = None) -> Dataset:
    """Decode folder/label/*.jpg as the server would; the arrays are kept in folder/.decoded for the next time.

    Args:
        folder: Holds one folder per class.
        height: Of the centre crop, in pixels.
        width: Of the centre crop.
        resize: Length of the short side before the crop.
        labels: Class names in the network's order; the folder's own, sorted, when None.

    Raises:
        UnusableDataset: Classes are missing, empty or strange, or a picture cannot be read.
    """
    names = labels or _class_names(folder)
    unknown = sorted(set(_class_names(folder)) - set(names))
    if unknown:
        raise UnusableDataset(
            f"{folder} has classes that the network does not know: {', '.join(unknown)}. Remove them."
        )
    found = [(path, index) for index, name in enumerate(names) for path in _pictures(folder / name)]
    paths = tuple(path for path, _ in found)
    spec = InputSpec(height=height, width=width, resize=resize)
    return Dataset(_decoded(folder, paths, spec), np.array([index for _, index in found], dtype=np.int64), names, paths)


def _class_names(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise UnusableDataset(
            f"There is no folder {folder}. Give a folder that holds one folder of pictures per class."
        )
    names = tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))
    if len(names) < 2:
        raise UnusableDataset(f"{folder} has {len(names)} class folders. A classifier needs at least two.")
    return names


def _pictures(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not paths:
        raise UnusableDataset(f"{folder} holds no pictures. Put some there, or remove the class.")
    return paths


def _decoded(folder: Path, paths: tuple[Path, ...], spec: InputSpec) -> Pixels:
    cache = folder / ".decoded" / f"{_digest(folder, paths, spec)}.npy"
    if cache.exists():
        return np.asarray(np.load(cache), dtype=np.uint8)
    pixels = np.stack([_read(path, spec) for path in track(paths, f"Decoding {folder.name}")])
    cache.parent.mkdir(exist_ok=True)
    for old in cache.parent.glob("*.npy"):
        old.unlink()
    unfinished = cache.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.save(file, pixels)
    unfinished.replace(cache)
    return pixels


def _read(path: Path, spec: InputSpec) -> Pixels:
    try:
        return np.asarray(decode(path.read_bytes(), spec), dtype=np.uint8)
    except UnusableImage as error:
        raise UnusableDataset(f"{path} cannot be used: {error} Remove or replace it.") from error


def _digest(folder: Path, paths: tuple[Path, ...], spec: InputSpec) -> str:
    """Name the decoded pictures by all that they depend on."""
    digest = sha256(repr(spec).encode())
    for path in paths:
        status = path.stat()
        digest.update(f"{path.relative_to(folder)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]
