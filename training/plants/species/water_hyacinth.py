"""Pontederia crassipes: floating rosette, swollen petioles, lavender spike with a yellow eye."""

import numpy as np

from training.plants.canvas import Colour, Pen, Rng, curve, heading, points
from training.plants.colours import tone, vary
from training.plants.flowers import petal
from training.plants.leaves import paint_leaf, shape


def paint(pen: Pen, rng: Rng, flowering: bool) -> None:
    green = vary(rng, (88, 150, 60), 10)
    if not flowering:
        pen = pen.at(0.0, 0.1, 1.5)
    pen.polygon(
        np.array([[-0.5, 0.0], [-0.2, -0.06], [0.2, -0.06], [0.5, 0.0], [0.2, 0.05], [-0.2, 0.05]]), (18, 36, 30, 110)
    )
    count = int(rng.integers(6, 11))
    angles = np.sort(rng.uniform(-1.25, 1.25, count))
    order = np.argsort(-np.abs(angles - angles.mean()))
    for k in order[: count // 2]:
        _leaf(pen, rng, float(angles[k]), tone(green, 0.85))
    if flowering:
        _spike(pen, rng)
    for k in order[count // 2 :]:
        _leaf(pen, rng, float(angles[k]), green)


def _shade(pen: Pen) -> None:
    """Darken the water under the rosette."""
    angle = np.linspace(0.0, 2 * np.pi, 24)
    for size in (0.52, 0.4, 0.28):
        pen.polygon(np.stack([size * np.cos(angle), 0.14 * size * np.sin(angle)], axis=1), (18, 36, 30, 50))


def _leaf(pen: Pen, rng: Rng, angle: float, green: Colour) -> None:
    length = rng.uniform(0.22, 0.4) * (1.1 - 0.3 * abs(angle))
    stalk = pen.at(rng.normal(0.0, 0.03), 0.0, 1.0, -angle)
    t = np.linspace(0.0, 1.0, 14)
    bulb = 0.012 + rng.uniform(0.03, 0.05) * np.exp(-(((t - 0.4) / 0.22) ** 2))
    side = np.stack([bulb, t * length], axis=1)
    pale = vary(rng, tone(green, 1.12), 5)
    stalk.polygon(np.vstack([side, (side * np.array([-1, 1]))[::-1]]), pale)
    stalk.polygon(np.vstack([side * np.array([-0.2, 1]), (side * np.array([-1, 1]))[::-1]]), tone(pale, 0.8))
    stalk.line(side[3:9] * np.array([0.45, 1]), 0.008, tone(pale, 1.18))
    blade = stalk.at(0.0, length * 0.97, rng.uniform(0.18, 0.27), rng.normal(0.0, 0.25), rng.uniform(0.6, 1.1))
    paint_leaf(blade, shape("round"), rng, green, vein=1.1, fold=0.4)


def _spike(pen: Pen, rng: Rng) -> None:
    stem = curve((0, 0.05), (rng.normal(0, 0.04), 0.5), (rng.normal(0, 0.06), 0.97))
    pen.stroke(stem, 0.035, 0.02, vary(rng, (112, 150, 88), 6))
    lavender = vary(rng, (178, 156, 216), 9)
    count = int(rng.integers(8, 15))
    for k in range(count):
        index = int(np.interp(k / count, [0, 1], [6, 11]))
        side = (-1, 1, 0)[k % 3]
        x, y = stem[index] + np.array([side * rng.uniform(0.04, 0.085), rng.uniform(0.0, 0.06)])
        turn = heading(stem, index) - side * rng.uniform(0.2, 0.9)
        _flower(
            pen.at(x, y, rng.uniform(0.085, 0.11), turn, rng.uniform(0.7, 1)),
            rng,
            tone(lavender, 0.86 + 0.14 * k / count),
        )


def _flower(pen: Pen, rng: Rng, lavender: Colour) -> None:
    """Draw a flower of radius 1: six petals, the topmost (the banner) with a blue patch and a yellow spot."""
    outline = petal(0.62)
    for k in (3, 2, 4, 1, 5, 0):
        part = pen.at(0, 0, 1.12 if k == 0 else 1.0, k * np.pi / 3 + rng.normal(0, 0.07))
        colour = vary(rng, tone(lavender, 1.0 if k % 2 else 1.1), 5)
        part.polygon(outline, colour)
        part.line(points((0, 0.1), (0, 0.9)), 0.05, tone(colour, 0.82))
        part.line(outline, 0.03, tone(colour, 0.78))
    banner = pen.at(0, 0.14, 0.8)
    banner.polygon(petal(0.56), (112, 92, 186))
    banner.at(0, 0.2, 0.6).polygon(petal(0.5), (246, 212, 60))
    pen.disc(0, 0, 0.1, tone(lavender, 0.7))
