"""Lantana camara: umbels of small flowers whose colour turns with age; rough opposite leaves on square stems."""

import numpy as np

from training.plants.canvas import Colour, Pen, Rng, curve, heading
from training.plants.colours import tone, vary
from training.plants.flowers import petal, scatter_disc
from training.plants.growth import opposite_pairs, rising_stem
from training.plants.leaves import shape

# (young inner flowers, old outer flowers)
FORMS: tuple[tuple[Colour, Colour], ...] = (
    ((248, 206, 60), (226, 92, 128)),
    ((250, 196, 50), (226, 88, 38)),
    ((246, 224, 120), (236, 150, 176)),
    ((250, 214, 70), (206, 52, 52)),
    ((246, 232, 160), (214, 150, 214)),
    ((250, 218, 90), (240, 160, 50)),
)


def paint(pen: Pen, rng: Rng, flowering: bool) -> None:
    green = vary(rng, (72, 112, 52), 10)
    form = FORMS[int(rng.integers(len(FORMS)))]
    for k in range(int(rng.integers(2, 5))):
        branch = pen.at(
            rng.normal(0, 0.03), 0.0, rng.uniform(0.7, 1.0) if k else 1.0, rng.normal(0.0, 0.4 if k else 0.1)
        )
        _branch(branch, rng, green, form, flowering)


def _branch(pen: Pen, rng: Rng, green: Colour, form: tuple[Colour, Colour], flowering: bool) -> None:
    stem = rising_stem(rng, 0.86)
    pen.stroke(stem, 0.026, 0.012, vary(rng, (116, 104, 66), 8))
    opposite_pairs(
        pen,
        rng,
        stem,
        shape("lantana"),
        green,
        tone(green, 1.1),
        pairs=int(rng.integers(4, 7)),
        length=0.25,
        petiole=0.03,
        vein=0.78,
    )
    if not flowering:
        return
    for k in range(int(rng.integers(2, 5))):
        index = len(stem) - 1 - k // 2 * 3
        x, y = stem[index]
        side = (-1) ** k * (0.5 if k < 2 else 0.9)
        end = (float(x + 0.12 * side + rng.normal(0, 0.02)), float(y + 0.1 + rng.normal(0, 0.02)))
        pen.line(curve((float(x), float(y)), (x + 0.08 * side, y + 0.04), end, 6), 0.01, tone(green, 1.15))
        umbel_of_flowers(pen.at(*end, rng.uniform(0.085, 0.12), heading(stem, index) * 0.5, 1.0), rng, form)


def umbel_of_flowers(pen: Pen, rng: Rng, form: tuple[Colour, Colour]) -> None:
    """Draw one head of radius 1: old flowers at the rim, young ones and buds in the middle."""
    inner, outer = form
    tilt = rng.uniform(0.6, 1.0)
    pen.disc(0, -0.1, 0.75, tone(outer, 0.6))
    for x, y in scatter_disc(rng, int(rng.integers(22, 34))):
        radius = np.hypot(x, y)
        colour = outer if radius > rng.normal(0.58, 0.06) else inner
        if radius < 0.2:
            pen.disc(x, y * tilt, 0.12, tone(inner, 0.85))
            continue
        _floret(pen.at(x, y * tilt, 0.27, rng.uniform(0, 1.6), 1.0), rng, vary(rng, colour, 8))


def _floret(pen: Pen, rng: Rng, colour: Colour) -> None:
    for k in range(4):
        pen.at(0, 0, rng.uniform(0.85, 1.1), k * np.pi / 2).polygon(petal(0.95, n=6), tone(colour, 1.05 - 0.06 * k))
    pen.disc(0, 0, 0.2, (232, 150, 40))
