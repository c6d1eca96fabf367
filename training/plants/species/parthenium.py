"""Parthenium hysterophorus: an open panicle of small white five-lobed heads over pinnatifid leaves."""

import numpy as np

from training.plants.canvas import Colour, Pen, Points, Rng, curve, heading
from training.plants.colours import WHITE, tone, vary
from training.plants.flowers import five_lobed_head
from training.plants.growth import rising_stem
from training.plants.leaves import paint_leaf, shape


def paint(pen: Pen, rng: Rng, flowering: bool) -> None:
    green = vary(rng, (98, 134, 78), 9)
    if not flowering:
        _rosette(pen.at(0, 0.25), rng, green)
        return
    stem = rising_stem(rng, 0.7, 0.05)
    _leaves(pen, rng, stem, green)
    pen.stroke(stem, 0.024, 0.012, tone(green, 1.12))
    pen.line(stem, 0.004, tone(green, 1.4))
    branches = int(rng.integers(4, 8))
    for k in range(branches):
        index = int(6 + 7 * k / branches)
        x, y = stem[index]
        turn = heading(stem, index) + (-1) ** k * rng.uniform(0.25, 0.8)
        _branch(pen.at(float(x), float(y), rng.uniform(0.26, 0.36), turn), rng, tone(green, 1.1))
    _branch(pen.on(stem[-1], 0.3, rng.normal(0, 0.1)), rng, tone(green, 1.1))


def _leaves(pen: Pen, rng: Rng, stem: Points, green: Colour) -> None:
    for k in range(int(rng.integers(7, 12))):
        index = int(rng.integers(0, 11))
        x, y = stem[index]
        size = rng.uniform(0.2, 0.34) * (1.1 - 0.05 * index)
        angle = (-1) ** k * rng.uniform(0.6, 1.5)
        paint_leaf(pen.at(float(x), float(y), size, angle), shape("pinnatifid"), rng, green, rng.uniform(1.0, 1.5), 1.3)


def _rosette(pen: Pen, rng: Rng, green: Colour) -> None:
    count = int(rng.integers(9, 15))
    for k in range(count):
        angle = 2 * np.pi * k / count + rng.normal(0, 0.15)
        paint_leaf(
            pen.at(0, 0, rng.uniform(0.34, 0.5), angle), shape("pinnatifid"), rng, green, rng.uniform(1.0, 1.5), 1.3
        )
    pen.disc(0, 0, 0.025, tone(green, 1.2))


def _branch(pen: Pen, rng: Rng, stalk: Colour) -> None:
    """Draw a branch of length 1 that forks towards its heads."""
    pen.line(curve((0, 0), (0, 0.3), (0, 0.55), 6), 0.025, stalk)
    count = int(rng.integers(7, 13))
    for k in range(count):
        angle = (k / (count - 1) - 0.5) * 1.7 + rng.normal(0, 0.12)
        length = rng.uniform(0.3, 0.65)
        start = (0.0, float(rng.uniform(0.3, 0.55)))
        end = (float(np.sin(angle) * length), start[1] + float(np.cos(angle) * length))
        pen.line(curve(start, (end[0] * 0.3, (start[1] + end[1]) / 2), end, 5), 0.014, stalk)
        head = pen.at(*end, rng.uniform(0.055, 0.085), rng.uniform(0, 6), rng.uniform(0.7, 1.0))
        five_lobed_head(head, rng, 1.0, vary(rng, WHITE, 5))
