"""Small valid pictures of every format on the list, the same bytes for the same seed."""

import io
from functools import cache

import numpy as np
import pillow_heif
from PIL import Image

CONTENT_TYPES = {
    "JPEG": "image/jpeg",
    "PROGRESSIVE": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "HEIF": "image/heif",
}


def canvas(width: int, height: int, seed: int = 1) -> Image.Image:
    """Soft colour with some grain, so that every coder has work to do."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    base = np.stack([rows * 255 // height, columns * 255 // width, (rows + columns) % 256], axis=-1)
    grain = rng.integers(-20, 20, size=base.shape)
    return Image.fromarray(np.clip(base + grain, 0, 255).astype(np.uint8), "RGB")


@cache
def encoded(kind: str, width: int = 160, height: int = 120, seed: int = 1) -> bytes:
    """A valid file of the format (a key of CONTENT_TYPES)."""
    picture, target = canvas(width, height, seed), io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(picture).save(target, quality=70)
    elif kind == "PROGRESSIVE":
        picture.save(target, "JPEG", progressive=True, quality=80)
    elif kind == "MPO":
        second = canvas(width, height, seed + 1)
        picture.save(target, "MPO", save_all=True, append_images=[second])
    elif kind == "TIFF":
        picture.save(target, "TIFF", compression="tiff_lzw")
    else:
        picture.save(target, kind)
    return target.getvalue()
