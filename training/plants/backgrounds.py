"""What is behind a plant: soil, litter, grass, water, walls, sky, blurred green."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from training.plants.canvas import Colour, Pen, Rng, curve, pen_for
from training.plants.colours import blend, leaf_green, pick, tone, vary
from training.plants.leaves import paint_leaf, shape

Size = tuple[int, int]
Plane = npt.NDArray[np.float32]
Painter = Callable[[Rng, Size], Image.Image]

SOILS: tuple[Colour, ...] = ((112, 84, 60), (94, 74, 58), (138, 108, 78), (150, 128, 102), (88, 70, 62))
WATERS: tuple[Colour, ...] = ((62, 92, 110), (74, 100, 84), (96, 122, 138), (58, 74, 66), (112, 132, 124))
WALLS: tuple[Colour, ...] = ((190, 182, 170), (168, 150, 132), (206, 202, 196), (150, 152, 156), (178, 122, 96))
SKIES: tuple[Colour, ...] = ((120, 168, 222), (164, 190, 214), (196, 206, 214), (92, 140, 208), (226, 200, 178))


def smooth_noise(rng: Rng, size: Size, cells: int, octaves: int = 3) -> Plane:
    """Give noise around 0 (about -1 to 1), shape (height, width), with `cells` bumps along the long side."""
    total = np.zeros((size[1], size[0]), dtype=np.float32)
    for octave in range(octaves):
        step = max(size) / (cells * 2**octave)
        grid = rng.normal(0.0, 0.5, (int(size[1] / step) + 2, int(size[0] / step) + 2)).astype(np.float32)
        layer = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(layer) / np.float32(2**octave)
    return total


def soften(image: Image.Image, radius: float) -> Image.Image:
    """Blur by `radius` pixels; a wide blur is done on a reduced picture, where it costs little."""
    factor = int(radius / 1.2)
    if factor < 2:
        return image.filter(ImageFilter.GaussianBlur(radius))
    small = image.reduce(factor).filter(ImageFilter.GaussianBlur(radius / factor))
    return small.resize(image.size, Image.Resampling.BILINEAR)


def ramp(size: Size, top: Colour, bottom: Colour, noise: Plane | None = None, depth: float = 14.0) -> Image.Image:
    """Give a vertical gradient, moved by `noise` times `depth` (of 255)."""
    share = np.linspace(0.0, 1.0, size[1], dtype=np.float32)[:, None, None]
    rows = np.array(top[:3], np.float32) * (1 - share) + np.array(bottom[:3], np.float32) * share
    plane = np.broadcast_to(rows, (size[1], size[0], 3))
    if noise is not None:
        plane = plane + noise[:, :, None] * np.float32(depth)
    return Image.fromarray(np.clip(plane, 0, 255).astype(np.uint8))


def soil(rng: Rng, size: Size) -> Image.Image:
    base = vary(rng, pick(rng, SOILS), 8)
    image = ramp(size, tone(base, 1.1), tone(base, 0.9), smooth_noise(rng, size, 24, 4), 20)
    pen = pen_for(image, 0, 0, max(size), 0.0)
    for _ in range(int(rng.integers(20, 120))):
        pen.disc(
            rng.uniform(0, 1),
            -rng.uniform(0, 1),
            rng.uniform(0.002, 0.012),
            vary(rng, tone(base, rng.uniform(0.7, 1.3)), 8),
        )
    return image


def litter(rng: Rng, size: Size) -> Image.Image:
    """Dead leaves on the ground."""
    image = soil(rng, size)
    pen = pen_for(image, 0, 0, max(size))
    browns: tuple[Colour, ...] = ((142, 104, 62), (166, 128, 82), (110, 80, 54), (178, 150, 104), (124, 112, 70))
    for _ in range(int(rng.integers(40, 90))):
        place = pen.at(
            rng.uniform(0, 1), -rng.uniform(0, 1), rng.uniform(0.05, 0.12), rng.uniform(0, 6.3), rng.uniform(0.5, 1)
        )
        paint_leaf(place, shape(str(rng.choice(["elliptic", "ovate"]))), rng, vary(rng, pick(rng, browns), 12))
    return image


def grass(rng: Rng, size: Size) -> Image.Image:
    green = leaf_green(rng)
    image = ramp(size, tone(green, 1.0), tone(green, 0.72), smooth_noise(rng, size, 12), 16)
    pen = pen_for(image, 0, size[1], max(size))
    height = size[1] / max(size)
    for y in np.sort(rng.uniform(-0.15, height, int(rng.integers(150, 320))))[::-1]:
        x, length = rng.uniform(0, 1), rng.uniform(0.06, 0.2)
        tip = (x + rng.normal(0, 0.05), y + length)
        blade = curve((x, y), (x + rng.normal(0, 0.01), y + length * 0.6), tip, 5)
        pen.stroke(blade, 0.007, 0.001, vary(rng, tone(green, rng.uniform(0.75, 1.35)), 7))
    return image


def water(rng: Rng, size: Size) -> Image.Image:
    base = vary(rng, pick(rng, WATERS), 8)
    wide = smooth_noise(rng, (max(8, size[0] // 6), size[1]), 30, 3)
    noise = np.repeat(wide, 6, axis=1)
    noise = np.pad(noise, ((0, 0), (0, max(0, size[0] - noise.shape[1]))), mode="edge")[:, : size[0]]
    image = ramp(size, tone(base, rng.uniform(1.0, 1.4)), tone(base, 0.75), noise, 16)
    return image.filter(ImageFilter.BoxBlur(size[0] / 300))


def wall(rng: Rng, size: Size) -> Image.Image:
    base = vary(rng, pick(rng, WALLS), 8)
    image = ramp(size, base, tone(base, rng.uniform(0.75, 1.0)), smooth_noise(rng, size, 40, 4), 9)
    if rng.random() < 0.6:
        _courses(image, rng, base)
    return image


def _courses(image: Image.Image, rng: Rng, base: Colour) -> None:
    """Draw the joints of bricks, boards or blocks."""
    pen = pen_for(image, 0, 0, max(image.size))
    height = rng.uniform(0.03, 0.12)
    length = height * rng.uniform(2.0, 8.0)
    joint = tone(base, rng.choice((0.72, 1.18)))
    for row in range(int(1 / height) + 1):
        y = -row * height
        pen.line(np.array([[0, y], [1, y]]), 0.004, joint)
        for x in np.arange(length * (0.5 if row % 2 else 0.0), 1, length):
            pen.line(np.array([[x, y], [x, y - height]]), 0.004, joint)


def sky(rng: Rng, size: Size) -> Image.Image:
    base = vary(rng, pick(rng, SKIES), 6)
    clouds = np.maximum(0.0, smooth_noise(rng, size, 5, 4) - np.float32(rng.uniform(-0.2, 0.6))) * np.float32(
        rng.uniform(0, 2.5)
    )
    return ramp(size, base, blend(base, (236, 238, 240), rng.uniform(0.2, 0.7)), clouds, 40)


def meadow(rng: Rng, size: Size) -> Image.Image:
    """Sky over a field, the horizon by chance."""
    image = sky(rng, size)
    horizon = int(size[1] * rng.uniform(0.2, 0.65))
    image.paste(grass(rng, (size[0], size[1] - horizon)), (0, horizon))
    pen = pen_for(image, 0, horizon, max(size))
    dark = tone(leaf_green(rng), 0.6)
    for x in rng.uniform(0, 1, int(rng.integers(0, 40))):
        pen.disc(x, 0.0, rng.uniform(0.01, 0.06), vary(rng, dark, 8))
    return soften(image, size[0] * rng.uniform(0.001, 0.005))


def blurred_green(rng: Rng, size: Size) -> Image.Image:
    """Foliage far behind the sharp plane, with discs of light."""
    small = (max(8, size[0] // 4), max(8, size[1] // 4))
    green = leaf_green(rng)
    image = ramp(
        small, tone(green, rng.uniform(0.8, 1.6)), tone(green, rng.uniform(0.65, 1.1)), smooth_noise(rng, small, 6), 34
    )
    pen = pen_for(image, 0, 0, max(small))
    for _ in range(int(rng.integers(0, 50))):
        light = vary(rng, tone(leaf_green(rng), rng.uniform(0.6, 2.0)), 14)
        pen.disc(rng.uniform(0, 1), -rng.uniform(0, 1), rng.uniform(0.02, 0.08), (*light, 120))
    return image.filter(ImageFilter.GaussianBlur(small[0] * 0.012)).resize(size, Image.Resampling.BILINEAR)


def foliage(rng: Rng, size: Size) -> Image.Image:
    """A hedge of plain leaves that fills the picture, a little out of focus."""
    green = tone(leaf_green(rng), rng.uniform(0.75, 1.05))
    image = ramp(size, tone(green, 0.7), tone(green, 0.5))
    pen = pen_for(image, 0, 0, max(size))
    leaf = shape(str(rng.choice(["elliptic", "ovate", "lance"])))
    for k in range(int(rng.integers(90, 180))):
        place = pen.at(rng.uniform(0, 1), -rng.uniform(0, 1), rng.uniform(0.08, 0.16), rng.uniform(0, 6.3))
        paint_leaf(place, leaf, rng, tone(green, 0.7 + 0.45 * k / 180))
    return soften(image, size[0] * rng.uniform(0.001, 0.006))


GROUNDS: tuple[Painter, ...] = (soil, litter, grass, wall, sky, meadow, blurred_green, foliage)


def paint_background(rng: Rng, size: Size, wet: float) -> Image.Image:
    """Paint a background at half of `size` and enlarge it: it is never as sharp as what stands in front of it.

    `wet` is the chance of water.
    """
    painter = water if rng.random() < wet else GROUNDS[int(rng.integers(len(GROUNDS)))]
    image = painter(rng, (max(1, size[0] // 2), max(1, size[1] // 2)))
    if rng.random() < 0.25:
        image = soften(image, image.width * rng.uniform(0.003, 0.012))
    return image.resize(size, Image.Resampling.BILINEAR)


def tuft(pen: Pen, rng: Rng, blades: int) -> None:
    """Draw a tuft of grass of height 1 on the pen's origin."""
    green = leaf_green(rng)
    for _ in range(blades):
        lean = rng.normal(0, 0.35)
        blade = curve((rng.normal(0, 0.05), 0), (lean * 0.3, 0.6), (lean, rng.uniform(0.6, 1.0)), 7)
        pen.stroke(blade, 0.025, 0.004, vary(rng, green, 9))
