"""The two pictures that all are asked about: drawn and grained by a seed, so that they are the same everywhere."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from training.synthetic import draw

LABEL = "Reynoutria japonica"
SEED = 7


@dataclass(frozen=True)
class Kind:
    """A kind of picture; `grain` is the standard deviation of its fine noise, of 255.

    Without grain a drawing compresses far better than a photo and is decoded far too quickly.
    """

    key: str
    title: str
    size: tuple[int, int]
    grain: float
    quality: int


SMALL = Kind("small", "640 × 480, about 60 KB", (640, 480), grain=4.0, quality=86)
PHOTO = Kind("photo", "12 megapixels, about 3 MB", (4000, 3000), grain=5.0, quality=90)
KINDS = (SMALL, PHOTO)


def make(kind: Kind) -> bytes:
    """The picture as a JPEG; a photo takes some seconds."""
    image = draw(LABEL, 1, SEED, kind.size)
    noise = np.random.default_rng(SEED).standard_normal((kind.size[1], kind.size[0], 1), dtype=np.float32)
    pixels = np.clip(np.asarray(image, dtype=np.float32) + kind.grain * noise, 0, 255).astype(np.uint8)
    stored = BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG", quality=kind.quality)
    return stored.getvalue()


def write_all(folder: Path) -> dict[str, Path]:
    """Write the picture of each kind; gives their paths by key."""
    paths = {kind.key: folder / f"{kind.key}.jpg" for kind in KINDS}
    for kind in KINDS:
        paths[kind.key].write_bytes(make(kind))
    return paths
