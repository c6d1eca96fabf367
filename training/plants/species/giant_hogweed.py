"""Heracleum mantegazzianum: huge white compound umbels, thick purple-blotched stem, jagged divided leaves."""

import numpy as np

from training.plants.canvas import Colour, Pen, Points, Rng, curve, points
from training.plants.colours import WHITE, tone, vary
from training.plants.flowers import umbel
from training.plants.growth import rising_stem
from training.plants.leaves import paint_leaf, shape


def paint(pen: Pen, rng: Rng, flowering: bool) -> None:
    green = vary(rng, (82, 126, 58), 10)
    if not flowering:
        pen = pen.at(0.0, 0.12, 1.6)
    stem = rising_stem(rng, 0.74 if flowering else 0.3, 0.04)
    for side in (-1, 1, -1, 1)[: int(rng.integers(2, 5))]:
        start = stem[int(rng.integers(1, 5))] if flowering else stem[1]
        _leaf(pen.on(start), rng, side, green)
    pale = vary(rng, (126, 148, 88), 7)
    if flowering:
        _side_umbels(pen, rng, stem, pale)
        pen.stroke(stem, 0.06, 0.034, pale)
        _blotches(pen, rng, stem)
        top = pen.on(stem[-1], 1.0, rng.normal(0, 0.12))
        umbel(
            top,
            rng,
            rng.uniform(0.22, 0.3),
            int(rng.integers(34, 60)),
            vary(rng, WHITE, 5),
            pale,
            rng.uniform(0.25, 0.6),
            16,
        )
    _leaf(pen.on(stem[1]), rng, int(rng.choice((-1, 1))), tone(green, 1.08))


def _leaf(pen: Pen, rng: Rng, side: int, green: Colour) -> None:
    """Draw a divided leaf: a stout stalk, one end leaflet, one or two pairs at its sides."""
    length = rng.uniform(0.2, 0.34)
    angle = -side * rng.uniform(0.7, 1.35)
    stalk = pen.at(0, 0, 1.0, angle)
    pen_path = curve((0, 0), (0.03 * side, length * 0.5), (0, length), 8)
    stalk.stroke(pen_path, 0.022, 0.013, vary(rng, (132, 120, 92), 8))
    size = rng.uniform(0.26, 0.36)
    for share, turn, scale in ((0.62, 1.15, 0.75), (0.95, 0.85, 0.85)):
        for hand in (-1, 1):
            paint_leaf(
                stalk.at(0, length * share, size * scale, hand * turn, 0.9), shape("jagged"), rng, green, 0.8, 1.25
            )
    paint_leaf(stalk.at(0, length, size, rng.normal(0, 0.1)), shape("jagged"), rng, tone(green, 1.05), 1.0, 1.25)


def _side_umbels(pen: Pen, rng: Rng, stem: Points, pale: Colour) -> None:
    for k in range(int(rng.integers(0, 4))):
        x, y = map(float, stem[int(rng.integers(8, 12))])
        side = (-1) ** k
        end = (x + side * rng.uniform(0.16, 0.28), y + rng.uniform(0.08, 0.2))
        path = curve((x, y), (x + side * 0.1, y + 0.02), end)
        pen.stroke(path, 0.024, 0.016, pale)
        place = pen.at(*end, 1.0, -side * 0.25)
        umbel(place, rng, rng.uniform(0.1, 0.15), int(rng.integers(20, 32)), vary(rng, WHITE, 5), pale, 0.4, 10)


def _blotches(pen: Pen, rng: Rng, stem: Points) -> None:
    for _ in range(int(rng.integers(40, 90))):
        place = rng.uniform(0, len(stem) - 1)
        x, y = (float(np.interp(place, np.arange(len(stem)), axis)) for axis in stem.T)
        x += rng.normal(0, 0.011)
        size = rng.uniform(0.003, 0.008)
        pen.polygon(points((x - size, y), (x, y - 2 * size), (x + size, y), (x, y + 2 * size)), (108, 44, 76, 190))
