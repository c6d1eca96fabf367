"""How stems grow: leaf arrangements and flower clusters that several species share."""

from collections.abc import Callable

import numpy as np

from training.plants.canvas import Colour, Pen, Points, Rng, curve, heading, points
from training.plants.leaves import LeafShape, paint_leaf

Head = Callable[[Pen], None]


def rising_stem(rng: Rng, height: float, sway: float = 0.08, n: int = 14) -> Points:
    """Give a path from (0, 0) up to about (sway, height)."""
    lean = rng.normal(0.0, sway)
    return curve((0.0, 0.0), (rng.normal(0.0, sway), height * 0.5), (lean, height), n)


def opposite_pairs(
    pen: Pen,
    rng: Rng,
    stem: Points,
    leaf: LeafShape,
    colour: Colour,
    petiole_colour: Colour,
    *,
    pairs: int,
    length: float,
    petiole: float = 0.05,
    width: float = 1.0,
    start: float = 0.12,
    vein: float = 1.22,
) -> None:
    """Draw pairs of opposite leaves up a stem, each pair turned a right angle from the last.

    `length` is that of the longest leaf, in the pen's units; the upper leaves are smaller.
    """
    for pair in range(pairs):
        share = start + (0.95 - start) * pair / max(1, pairs - 1)
        index = int(share * (len(stem) - 1))
        x, y = stem[index]
        size = length * (1.0 - 0.5 * share) * rng.uniform(0.8, 1.15)
        facing = 0.55 if pair % 2 else 1.0
        for side in (-1, 1):
            angle = heading(stem, index) - side * rng.normal(1.25 - 0.3 * share, 0.18)
            reach = petiole * rng.uniform(0.7, 1.3) * facing
            tip = (float(x - np.sin(angle) * reach), float(y + np.cos(angle) * reach))
            pen.line(points((float(x), float(y)), tip), 0.009, petiole_colour)
            droop = angle - side * rng.normal(0.2, 0.2)
            paint_leaf(pen.at(*tip, size, droop, rng.uniform(0.75, 1.0) * facing**0.5), leaf, rng, colour, width, vein)


def corymb(
    pen: Pen, rng: Rng, width: float, count: int, stalk: Colour, head: Head, *, dome: float = 0.3, rise: float = 0.6
) -> None:
    """Draw a flat-topped or domed cluster of heads on stalks that part at the origin.

    Args:
        pen: Its y axis points out of the cluster.
        rng: Chance.
        width: Of the cluster, in the pen's units.
        count: Heads.
        stalk: Colour of the stalks.
        head: Draws one head at its pen's origin, y pointing out.
        dome: How much higher the middle stands, as a share of the width.
        rise: Height of the rim above the origin, as a share of the width.
    """
    x = np.linspace(-0.5, 0.5, count) + rng.normal(0.0, 0.3 / count, count)
    y = rise + dome * (1 - 4 * x**2) + rng.normal(0.0, 0.09, count)
    places = sorted(zip(x * width, y * width, strict=True), key=lambda place: -place[1])
    for px, py in places:
        pen.line(curve((0, 0), (px * 0.35, py * 0.55), (px, py), 6), width * 0.02, stalk)
    for px, py in places:
        head(pen.at(px, py, 1.0, -1.1 * px / width + rng.normal(0.0, 0.15)))


def spray(pen: Pen, rng: Rng, path: Points, width: float, count: int, colour: Colour, size: float) -> None:
    """Draw a dense cluster of dots along a path: a panicle's branch.

    Args:
        pen: Units of `path`.
        rng: Chance.
        path: The axis, shape (n, 2).
        width: Spread about the axis at its base; it narrows to the tip.
        count: Dots.
        colour: Of the flowers.
        size: Radius of a dot.
    """
    share = np.sort(rng.uniform(0.0, 1.0, count))
    where = share * (len(path) - 1)
    x = np.interp(where, np.arange(len(path)), path[:, 0]) + rng.normal(0.0, 0.5, count) * width * (1.1 - share)
    y = np.interp(where, np.arange(len(path)), path[:, 1]) + rng.normal(0.0, 0.5, count) * width * (1.1 - share)
    shades = rng.normal(1.0, 0.07, count)
    for px, py, shade in zip(x, y, shades, strict=True):
        tinted = tuple(min(255, int(c * shade)) for c in colour)
        pen.disc(px, py, size * (0.8 + 0.4 * abs(shade - 0.9) * 5), tinted)
