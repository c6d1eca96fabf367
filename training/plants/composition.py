"""One picture: background, plants in front of it, what is in the way, camera."""

from importlib import import_module
from typing import cast

import numpy as np
from PIL import Image

from training.plants.backgrounds import paint_background, soften, tuft
from training.plants.camera import photograph
from training.plants.canvas import Pen, Rng, pen_for
from training.plants.colours import leaf_green
from training.plants.leaves import paint_leaf, shape
from training.plants.others import OTHERS, Plant, water_lily
from training.plants.scenes import SCENES, Scene

NOT_A_TARGET = "not_a_target"
# Label of the class -> module that draws it. The order is that of the class's seeds: append only.
SPECIES = {
    "Ageratina adenophora": "crofton_weed",
    "Chromolaena odorata": "siam_weed",
    "Heracleum mantegazzianum": "giant_hogweed",
    "Lantana camara": "lantana",
    "Mikania micrantha": "mikania",
    "Parthenium hysterophorus": "parthenium",
    "Pontederia crassipes": "water_hyacinth",
    "Reynoutria japonica": "knotweed",
}
Size = tuple[int, int]


def compose(label: str, rng: Rng, size: Size) -> Image.Image:
    """Draw a picture of the class at `size`; the pixels are already supersampled and reduced."""
    large = _supersampled(size)
    image = _other_scene(rng, large) if label == NOT_A_TARGET else _species_scene(label, rng, large)
    return photograph(
        image.resize(size, Image.Resampling.BOX if large[0] == 2 * size[0] else Image.Resampling.LANCZOS), rng
    )


def _supersampled(size: Size) -> Size:
    factor = 2.0 if max(size) <= 800 else 1.4
    return int(size[0] * factor), int(size[1] * factor)


def _species_scene(label: str, rng: Rng, size: Size) -> Image.Image:
    afloat = label == "Pontederia crassipes"
    image = paint_background(rng, size, 0.75 if afloat else 0.06)
    _clutter(image, rng, chance=0.4)
    painter = import_module(f"training.plants.species.{SPECIES[label]}").paint
    flowering = rng.random() < 0.8
    for pen in _places(image, rng, crowd=5 if afloat else 3):
        painter(pen, rng, flowering and rng.random() < 0.9)
    _in_front(image, rng)
    return image


def choose_other(rng: Rng) -> Plant | Scene:
    """Choose what a picture of not_a_target shows."""
    kinds: tuple[Plant | Scene, ...] = SCENES if rng.random() < 0.45 else OTHERS
    return kinds[int(rng.integers(len(kinds)))]


def _other_scene(rng: Rng, size: Size) -> Image.Image:
    subject = choose_other(rng)
    if subject in SCENES:
        return subject(rng, size)
    plant = cast("Plant", subject)
    image = paint_background(rng, size, 1.0 if plant is water_lily else 0.08)
    _clutter(image, rng, chance=0.4)
    for pen in _places(image, rng, crowd=3):
        plant(pen, rng)
    _in_front(image, rng)
    return image


def _places(image: Image.Image, rng: Rng, crowd: int) -> list[Pen]:
    """Give pens for one to `crowd` plants, the far ones first.

    The nearest stands about the middle, since the network sees the centre only; a large one is partly outside.
    """
    width, height = image.size
    count = 1 + int(rng.integers(crowd)) if rng.random() < 0.5 else 1
    pens: list[Pen] = []
    for scale in sorted(rng.uniform(0.7, 1.7, count) / count**0.35):
        length = scale * height * min(1.0, 1.3 * width / height)
        nearest = len(pens) == count - 1
        x = width / 2 + rng.normal(0, 0.11) * min(width, height) if nearest else width * rng.uniform(0, 1)
        y = height * (0.5 + rng.normal(0, 0.06))
        focus = length * (rng.uniform(0.4, 0.85) if scale > 0.95 else 0.5)
        lean = rng.normal(0.0, 0.12)
        pens.append(pen_for(image, x + focus * np.sin(lean), y + focus * np.cos(lean), length, lean))
    return pens


def _clutter(image: Image.Image, rng: Rng, chance: float) -> None:
    """Put other plants behind, out of focus."""
    if rng.random() > chance:
        return
    width, height = image.size
    for _ in range(int(rng.integers(1, 4))):
        pen = pen_for(image, width * rng.uniform(0, 1), height * rng.uniform(0.8, 1.1), height * rng.uniform(0.3, 0.8))
        if rng.random() < 0.5:
            tuft(pen, rng, 25)
        else:
            OTHERS[int(rng.integers(len(OTHERS)))](pen, rng)
    image.paste(soften(image, width * rng.uniform(0.001, 0.006)))


def _in_front(image: Image.Image, rng: Rng) -> None:
    """Put a tuft or a few stray leaves before the plant, sometimes."""
    width, height = image.size
    if rng.random() < 0.25:
        tuft(pen_for(image, width * rng.uniform(0, 1), height * 1.02, height * rng.uniform(0.2, 0.6)), rng, 14)
    if rng.random() < 0.15:
        green = leaf_green(rng)
        for _ in range(int(rng.integers(1, 5))):
            pen = pen_for(
                image,
                width * rng.uniform(0, 1),
                height * rng.uniform(0, 1),
                height * rng.uniform(0.1, 0.3),
                rng.uniform(0, 6),
            )
            paint_leaf(pen, shape("elliptic"), rng, green)
