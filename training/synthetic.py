"""Seeded drawn pictures of eight invasive species and of what is none of them; and a dataset of such pictures.

Picture `index` of a class is the same whatever else is drawn.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image
from rich.progress import Progress

from training.plants.composition import NOT_A_TARGET, SPECIES, choose_other, compose

__all__ = ["LABELS", "NOT_A_TARGET", "SPLITS", "draw", "other_subject", "split_seed", "write_dataset", "write_picture"]

LABELS = (*SPECIES, NOT_A_TARGET)
SPLITS = ("train", "held_out")
EXIF_ORIENTATION = 0x0112
# How a stored picture must be turned so that this orientation shows it upright.
_STORED = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
_ASPECTS = ((4, 3), (3, 4), (3, 2), (2, 3), (1, 1), (16, 9), (9, 16))
_CHUNK = 20


def draw(label: str, index: int, seed: int, size: tuple[int, int] | None = None) -> Image.Image:
    """Draw picture `index` of a class, upright.

    Args:
        label: One of LABELS.
        index: 0 or more.
        seed: Of the dataset.
        size: Width and height in pixels; by chance, 320 to 1280 along the long side, when None.

    Raises:
        ValueError: `label` is not one of LABELS.
    """
    if label not in LABELS:
        raise ValueError(f"There is no class {label!r}. Use one of: {', '.join(LABELS)}.")
    rng = _rng(label, index, seed, "picture")
    chosen = _size(rng)
    return compose(label, rng, size or chosen)


def other_subject(index: int, seed: int) -> str:
    """Name what picture `index` of not_a_target shows, such as `fern`, without drawing it."""
    rng = _rng(NOT_A_TARGET, index, seed, "picture")
    _size(rng)
    return choose_other(rng).__name__


def split_seed(seed: int, split: str) -> int:
    """Give the seed of a split's pictures: no two splits share one."""
    return seed * len(SPLITS) + SPLITS.index(split)


def write_picture(path: Path, label: str, index: int, seed: int) -> None:
    """Draw a picture and save it as a JPEG, its quality and EXIF orientation by chance."""
    rng = _rng(label, index, seed, "file")
    orientation = int(rng.choice((1, 3, 6, 8), p=(0.82, 0.06, 0.06, 0.06)))
    turn = _STORED[orientation]
    image = draw(label, index, seed)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    unfinished = path.with_suffix(".part")
    stored = image.transpose(turn) if turn is not None else image
    stored.save(unfinished, "JPEG", quality=int(rng.integers(60, 95)), exif=exif)
    unfinished.replace(path)


def write_dataset(folder: Path, per_class: int, seed: int, split: str, processes: int = 2) -> None:
    """Write `per_class` pictures of each class to folder/split/label/.

    not_a_target, which is many things, gets twice as many. What is already there is kept.
    The splits never share a picture.
    """
    missing = [job for job in _jobs(folder / split, per_class) if not job[0].exists()]
    for label in LABELS:
        (folder / split / label).mkdir(parents=True, exist_ok=True)
    chunks = [missing[start : start + _CHUNK] for start in range(0, len(missing), _CHUNK)]
    if not chunks:
        return
    with Progress() as progress, ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        task = progress.add_task(f"Drawing {split}", total=len(missing))
        for done in as_completed([pool.submit(_write_chunk, chunk, split_seed(seed, split)) for chunk in chunks]):
            progress.advance(task, done.result())


def _jobs(folder: Path, per_class: int) -> Iterator[tuple[Path, str, int]]:
    for label in LABELS:
        for index in range(per_class * 2 if label == NOT_A_TARGET else per_class):
            yield folder / label / f"{index:05d}.jpg", label, index


def _write_chunk(chunk: list[tuple[Path, str, int]], seed: int) -> int:
    for path, label, index in chunk:
        write_picture(path, label, index, seed)
    return len(chunk)


def _rng(label: str, index: int, seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng((seed, crc32(label.encode()), index, crc32(purpose.encode())))


def _size(rng: np.random.Generator) -> tuple[int, int]:
    long_side = int(320 * 4 ** (rng.random() ** 2.5))
    wide, high = _ASPECTS[int(rng.integers(len(_ASPECTS)))]
    scale = long_side / max(wide, high)
    return round(wide * scale), round(high * scale)
