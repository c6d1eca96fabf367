"""Mikania micrantha: a vine that twines over everything; opposite heart-shaped leaves, small whitish clusters."""

import numpy as np

from training.plants.canvas import Colour, Pen, Points, Rng, points
from training.plants.colours import tone, vary
from training.plants.flowers import tubular_head
from training.plants.growth import corymb
from training.plants.leaves import paint_leaf, shape


def paint(pen: Pen, rng: Rng, flowering: bool) -> None:
    green = vary(rng, (96, 152, 62), 10)
    for _ in range(int(rng.integers(2, 5))):
        vine = _vine(rng)
        pen.line(vine, 0.011, tone(vary(rng, (120, 148, 72), 8), 0.95))
        _nodes(pen, rng, vine, green, flowering)


def _vine(rng: Rng) -> Points:
    """Give a path that climbs and winds from the ground to the top."""
    y = np.linspace(0.0, rng.uniform(0.75, 1.0), 40)
    drift = rng.normal(0.0, 0.16) + rng.normal(0.0, 0.18) * y
    turns = rng.uniform(1.5, 3.5)
    x = drift + rng.uniform(0.04, 0.16) * np.sin(2 * np.pi * turns * y + rng.uniform(0, 6))
    return np.stack([x, y + 0.03 * np.sin(7 * y)], axis=1)


def _nodes(pen: Pen, rng: Rng, vine: Points, green: Colour, flowering: bool) -> None:
    for index in range(3, 39, int(rng.integers(4, 7))):
        x, y = map(float, vine[index])
        for side in (-1, 1):
            tip = (x + side * rng.uniform(0.03, 0.08), y + rng.uniform(-0.01, 0.05))
            pen.line(points((x, y), tip), 0.006, tone(green, 0.9))
            angle = -side * rng.uniform(1.2, 2.5)
            size = rng.uniform(0.1, 0.18) * (1.15 - 0.4 * y)
            paint_leaf(
                pen.at(*tip, size, angle, rng.uniform(0.75, 1)),
                shape("mikania"),
                rng,
                green,
                rng.uniform(0.85, 1.05),
                1.18,
            )
        if flowering and rng.random() < 0.6:
            _cluster(pen.at(x, y, rng.uniform(0.09, 0.15), rng.normal(0, 0.5)), rng, tone(green, 1.1))


def _cluster(pen: Pen, rng: Rng, stalk: Colour) -> None:
    colour = vary(rng, (232, 236, 216), 5)
    pen.line(points((0, 0), (0, 0.4)), 0.05, stalk)

    def head(at: Pen) -> None:
        tubular_head(at, rng, 0.11, colour, (150, 178, 120))

    corymb(pen.at(0, 0.4), rng, 1.1, int(rng.integers(9, 15)), stalk, head, dome=0.35, rise=0.35)
