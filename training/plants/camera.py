"""What light, lens and sensor do to a picture."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from training.plants.backgrounds import smooth_noise
from training.plants.canvas import Rng


def photograph(image: Image.Image, rng: Rng) -> Image.Image:
    """Give the picture as a mediocre camera would: light, cast, vignette, blur, noise; same size."""
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(max(image.size) * rng.uniform(0.0004, 0.0025)))
    pixels = np.asarray(image, dtype=np.float32) / 255.0
    pixels = pixels * _light(rng, image.size)[:, :, None] * _cast(rng)
    contrast = rng.uniform(0.8, 1.2)
    pixels = (pixels - 0.45) * contrast + 0.45 + rng.normal(0.0, 0.03)
    pixels = np.clip(pixels, 0.0, 1.0) ** rng.uniform(0.7, 1.2)
    grain = rng.exponential(0.012)
    if grain > 0.004:
        pixels = pixels + rng.standard_normal(pixels.shape, dtype=np.float32) * min(grain, 0.06)
    return Image.fromarray((np.clip(pixels, 0.0, 1.0) * 255).astype(np.uint8))


def _light(rng: Rng, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Give a map of brightness around 1: a slope, dappled shade, the vignette."""
    x = np.linspace(-1, 1, size[0], dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
    light = 1.0 + rng.normal(0, 0.1) * x + rng.normal(0, 0.12) * y
    light = light - rng.uniform(0.0, 0.16) * (x**2 + y**2)
    if rng.random() < 0.35:
        spots = smooth_noise(rng, size, int(rng.integers(3, 9)), 2)
        light = light + rng.uniform(0.1, 0.4) * np.tanh(3 * spots)
    return np.asarray(light, dtype=np.float32)


def _cast(rng: Rng) -> npt.NDArray[np.float32]:
    """Give factors of red, green and blue: exposure and white balance."""
    warm = rng.normal(0.0, 0.06)
    return np.array([1 + warm, 1 + rng.normal(0, 0.02), 1 - warm], dtype=np.float32) * np.float32(rng.uniform(0.9, 1.3))
