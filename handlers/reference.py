"""Reference pictures: what a fresh archive answers is pinned, and readiness asks for it again and again."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from handlers.errors import SourceError
from handlers.plant_classifier import Network, rank, softmax
from handlers.preprocessing import InputSpec, UnusableImage, preprocess

MAX_PICTURES = 5
_DRAWN = 3


def reference_pictures(samples: tuple[Path, ...]) -> dict[str, bytes]:
    """The first samples of the source, or drawn pictures where it has none, by their name in the archive."""
    pictures = [sample.read_bytes() for sample in samples[:MAX_PICTURES]] or [draw(seed) for seed in range(_DRAWN)]
    return {f"reference-{number}.jpg": picture for number, picture in enumerate(pictures, start=1)}


def pin_answers(pictures: dict[str, bytes], network: Network, spec: InputSpec, labels: list[str]) -> list[Any]:
    """What the served network answers: `[{"file", "label", "confidence"}]`.

    Raises:
        SourceError: A sample is no picture that the service would take.
    """
    answers = []
    for name, data in pictures.items():
        try:
            pixels = preprocess(data, spec)
        except UnusableImage as error:
            raise SourceError(f"A picture in samples/ cannot be used. {error} Replace or remove it.") from error
        best = rank(softmax(network(pixels[None]))[0], labels, 1)[0]
        answers.append({"file": name, **best})
    return answers


def draw(seed: int) -> bytes:
    """A small JPEG of discs on a gradient, the same for the same seed."""
    generator = np.random.default_rng(seed)
    corners = generator.integers(40, 216, (2, 2, 3), dtype=np.uint8)
    image = Image.fromarray(corners).resize((320, 240), Image.Resampling.BILINEAR)
    pencil = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, radius = (int(value) for value in generator.integers((0, 0, 10), (320, 240, 60)))
        red, green, blue = (int(value) for value in generator.integers(0, 256, 3))
        pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(red, green, blue))
    encoded = BytesIO()
    image.save(encoded, "JPEG", quality=90)
    return encoded.getvalue()
