"""Reynoutria japonica: zigzag red-flecked stems, alternate spade leaves cut straight at the base, cream panicles."""

import numpy as np

from training.plants.canvas import Colour, Pen, Points, Rng, curve, points
from training.plants.colours import CREAM, tone, vary
from training.plants.growth import spray
from training.plants.leaves import paint_leaf, shape


def paint(pen: Pen, rng: Rng, flowering: bool) -> None:
    green = vary(rng, (96, 144, 64), 10)
    for k in range(int(rng.integers(1, 4))):
        cane = pen.at(
            rng.normal(0, 0.06), 0.0, rng.uniform(0.7, 1.0) if k else 1.0, rng.normal(0.0, 0.22 if k else 0.08)
        )
        _cane(cane, rng, green, flowering)


def zigzag(rng: Rng, nodes: int) -> Points:
    """Give a stem of height about 1 that turns at every node and arches over at its top."""
    y = np.linspace(0.0, 1.0, nodes)
    arch = rng.normal(0.0, 0.16) * y**2
    x = arch + 0.028 * (-1.0) ** np.arange(nodes) * np.minimum(1.0, 2.5 * y)
    return np.stack([x, y - 0.35 * np.abs(arch) * y], axis=1)


def _cane(pen: Pen, rng: Rng, green: Colour, flowering: bool) -> None:
    stem = zigzag(rng, int(rng.integers(9, 14)))
    colour = vary(rng, (134, 150, 92), 8)
    pen.stroke(stem, 0.036, 0.01, colour)
    _flecks(pen, rng, stem)
    for index in range(2, len(stem)):
        side = 1 if index % 2 else -1
        x, y = map(float, stem[index])
        pen.disc(x, y, 0.02 * (1.1 - 0.7 * y), vary(rng, (150, 84, 70), 8))
        if flowering and y > 0.3:
            _panicles(pen.at(x, y, 0.2 * rng.uniform(0.8, 1.2), -side * rng.uniform(0.1, 0.9)), rng)
        tip = (x + side * 0.045, y + rng.uniform(0.0, 0.03))
        pen.line(points((x, y), tip), 0.009, vary(rng, (168, 96, 84), 8))
        size = rng.uniform(0.2, 0.27) * (1.15 - 0.5 * y)
        blade = pen.at(*tip, size, -side * rng.normal(1.75, 0.3), rng.uniform(0.8, 1))
        paint_leaf(blade, shape("spade"), rng, green, rng.uniform(0.9, 1.1), 1.25)


def _flecks(pen: Pen, rng: Rng, stem: Points) -> None:
    for _ in range(60):
        place = rng.uniform(0, len(stem) * 0.7)
        x, y = (np.interp(place, np.arange(len(stem)), axis) for axis in stem.T)
        offset = rng.normal(0, 0.006)
        pen.line(points((x + offset, y), (x + offset, y + rng.uniform(0.004, 0.012))), 0.004, (142, 58, 52))


def _panicles(pen: Pen, rng: Rng) -> None:
    colour = vary(rng, CREAM, 7)
    for _ in range(int(rng.integers(2, 5))):
        angle = rng.normal(0.0, 0.5)
        end = (float(np.sin(angle)), float(np.cos(angle)) * rng.uniform(0.7, 1.0))
        axis = curve((0, 0), (end[0] * 0.2, end[1] * 0.6), end, 8)
        pen.line(axis, 0.02, tone(colour, 0.75))
        spray(pen, rng, axis, 0.16, 46, colour, 0.024)
