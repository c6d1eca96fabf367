"""Plants that are no target, some of them easy to take for one."""

from collections.abc import Callable

import numpy as np

from training.plants.canvas import Colour, Pen, Points, Rng, curve, heading, points
from training.plants.colours import BARK, WHITE, leaf_green, pick, tone, vary
from training.plants.flowers import daisy, petal, pompom, ring, umbel
from training.plants.growth import opposite_pairs, rising_stem, spray
from training.plants.leaves import paint_leaf, shape

Plant = Callable[[Pen, Rng], None]
PETALS: tuple[Colour, ...] = (
    (214, 60, 70),
    (240, 180, 60),
    (226, 120, 170),
    (150, 90, 190),
    (240, 240, 232),
    (80, 110, 210),
)


def fern(pen: Pen, rng: Rng) -> None:
    green = leaf_green(rng)
    for k in range(int(rng.integers(4, 9))):
        lean = (-1) ** k * rng.uniform(0.05, 0.7)
        path = curve((0, 0), (lean * 0.3, 0.6), (lean, rng.uniform(0.6, 1.0)), 24)
        pen.line(path, 0.01, tone(green, 0.8))
        for index in range(3, 24):
            size = 0.2 * (1 - index / 25) + 0.015
            for side in (-1, 1):
                place = pen.on(path[index], size, heading(path, index) - side * 1.15)
                paint_leaf(place, shape("lance"), rng, green, 1.5, fold=0.1)


def tall_grass(pen: Pen, rng: Rng) -> None:
    green = vary(rng, (138, 150, 80), 16)
    for _ in range(int(rng.integers(20, 50))):
        lean = rng.normal(0, 0.3)
        blade = curve((rng.normal(0, 0.1), 0), (lean * 0.2, 0.55), (lean, rng.uniform(0.5, 0.95)), 8)
        pen.stroke(blade, 0.018, 0.003, vary(rng, green, 10))
        if rng.random() < 0.3:
            spray(pen, rng, blade[5:], 0.02, 30, vary(rng, (176, 156, 104), 8), 0.006)


def daisies(pen: Pen, rng: Rng) -> None:
    colour = vary(rng, pick(rng, (WHITE, WHITE, (246, 214, 60), (222, 150, 190))), 6)
    green = leaf_green(rng)
    for _ in range(int(rng.integers(3, 9))):
        stem = curve(
            (rng.normal(0, 0.1), 0), (rng.normal(0, 0.1), 0.4), (rng.normal(0, 0.3), rng.uniform(0.5, 0.9)), 10
        )
        pen.stroke(stem, 0.014, 0.01, green)
        paint_leaf(pen.on(stem[3], 0.18, rng.normal(0, 1.2)), shape("lance"), rng, green, 1.4)
        flower = pen.on(stem[-1], 1.0, rng.uniform(0, 6), rng.uniform(0.6, 1))
        daisy(flower, rng, rng.uniform(0.08, 0.13), int(rng.integers(12, 24)), colour, vary(rng, (226, 176, 40), 8))


def dandelion(pen: Pen, rng: Rng) -> None:
    green = leaf_green(rng)
    for k in range(int(rng.integers(6, 12))):
        paint_leaf(
            pen.at(0, 0, rng.uniform(0.3, 0.5), (-1) ** k * rng.uniform(0.5, 1.6)), shape("jagged"), rng, green, 0.5
        )
    for _ in range(int(rng.integers(1, 5))):
        stem = curve((0, 0), (rng.normal(0, 0.1), 0.4), (rng.normal(0, 0.25), rng.uniform(0.6, 0.9)), 10)
        pen.stroke(stem, 0.02, 0.016, vary(rng, (160, 160, 110), 8))
        flower = pen.on(stem[-1])
        if rng.random() < 0.6:
            ring(flower, rng, petal(0.2), 26, 0.11, (238, 196, 40))
            ring(flower, rng, petal(0.25), 16, 0.07, (248, 210, 60))
        else:
            pompom(flower, rng, 0.12, (216, 216, 208), 60)


def conifer(pen: Pen, rng: Rng) -> None:
    green = vary(rng, (48, 82, 56), 10)
    pen.stroke(points((0, 0), (0, 1.0)), 0.05, 0.008, BARK)
    for y in np.linspace(0.12, 0.97, 22):
        for side in (-1, 1):
            end = (side * (1.02 - y) * 0.36 * rng.uniform(0.8, 1.2), y - 0.06)
            branch = curve((0, y), (end[0] * 0.6, y + 0.01), end, 8)
            needles = branch[:, None, :] + np.stack([np.linspace(-0.02, 0.02, 5), np.full(5, -0.035)], axis=1)
            for start, tips in zip(branch, needles, strict=True):
                for tip in tips:
                    pen.line(np.array([start, tip]), 0.006, vary(rng, green, 10))


def shrub(pen: Pen, rng: Rng) -> None:
    green, leaf = leaf_green(rng), shape(str(rng.choice(["elliptic", "ovate", "round", "lance"])))
    for _ in range(int(rng.integers(3, 7))):
        branch = pen.at(rng.normal(0, 0.05), 0, rng.uniform(0.7, 1), rng.normal(0, 0.45))
        stem = rising_stem(rng, 0.95)
        branch.stroke(stem, 0.025, 0.01, vary(rng, BARK, 8))
        opposite_pairs(branch, rng, stem, leaf, green, tone(green, 0.9), pairs=int(rng.integers(6, 10)), length=0.2)


def cow_parsley(pen: Pen, rng: Rng) -> None:
    """A small relative of hogweed: fine stems, several loose umbels, feathery leaves."""
    green = leaf_green(rng)
    for _ in range(int(rng.integers(2, 6))):
        lean = rng.normal(0, 0.25)
        stem = curve((0, 0), (lean * 0.3, 0.5), (lean, rng.uniform(0.6, 0.85)), 10)
        pen.stroke(stem, 0.014, 0.009, green)
        for index in (2, 4, 5):
            place = pen.on(stem[index], 0.22, rng.normal(0, 1.1))
            paint_leaf(place, shape("pinnatifid"), rng, green, 1.3)
        top = pen.on(stem[-1], 1.0, -lean * 0.5)
        umbel(top, rng, rng.uniform(0.09, 0.16), int(rng.integers(9, 16)), vary(rng, WHITE, 5), green, 0.4, 8)


def bindweed(pen: Pen, rng: Rng) -> None:
    """A twiner with heart-shaped leaves as Mikania's, alternate, and with large trumpets."""
    green = leaf_green(rng)
    colour = vary(rng, pick(rng, (WHITE, (236, 190, 210), (120, 110, 214))), 5)
    for _ in range(int(rng.integers(2, 4))):
        y = np.linspace(0, 1, 30)
        vine = np.stack([rng.normal(0, 0.2) + 0.1 * np.sin(y * rng.uniform(8, 16)), y], axis=1)
        pen.line(vine, 0.01, tone(green, 0.9))
        for index in range(2, 29, 3):
            x, up = map(float, vine[index])
            side = 1 if index % 2 else -1
            paint_leaf(
                pen.at(x + side * 0.04, up, rng.uniform(0.11, 0.18), -side * rng.uniform(1, 2.4)),
                shape("heart"),
                rng,
                green,
            )
            if rng.random() < 0.25:
                _trumpet(pen.at(x - side * 0.06, up, rng.uniform(0.07, 0.1), 0, rng.uniform(0.7, 1)), colour)


def _trumpet(pen: Pen, colour: Colour) -> None:
    pen.disc(0, 0, 1.0, colour)
    for k in range(5):
        angle = k * 2 * np.pi / 5
        pen.line(points((0, 0), (np.sin(angle), np.cos(angle))), 0.1, tone(colour, 0.88))
    pen.disc(0, 0, 0.3, tone(colour, 0.7))


def water_lily(pen: Pen, rng: Rng) -> None:
    green, colour = leaf_green(rng), vary(rng, pick(rng, (WHITE, (236, 170, 196))), 6)
    for _ in range(int(rng.integers(4, 10))):
        pad = pen.at(rng.normal(0, 0.45), rng.uniform(0, 0.35), rng.uniform(0.14, 0.22))
        angle = np.linspace(0.2, 6.1, 24) + rng.uniform(0, 6)
        edge = np.stack([np.cos(angle), 0.4 * np.sin(angle)], axis=1)
        pad.polygon(np.vstack([edge, [[0, 0]]]), vary(rng, green, 9))
        for x, y in edge[::4]:
            pad.line(points((0, 0), (x, y)), 0.02, tone(green, 0.8))
    for _ in range(int(rng.integers(1, 3))):
        flower = pen.at(rng.normal(0, 0.25), rng.uniform(0.1, 0.35))
        for radius in (0.16, 0.12, 0.08):
            ring(flower.at(0, 0.02, 1.0, 0.0), rng, petal(0.35), 10, radius, colour)
        flower.disc(0, 0.02, 0.03, (238, 196, 60))


def border_flower(pen: Pen, rng: Rng) -> None:
    """A garden flower: one large bloom per stem."""
    green, colour = leaf_green(rng), vary(rng, pick(rng, PETALS), 10)
    for _ in range(int(rng.integers(1, 5))):
        stem = rising_stem(rng, rng.uniform(0.6, 0.85), 0.15)
        pen.stroke(stem, 0.022, 0.016, green)
        for index in (2, 5, 7):
            place = pen.on(stem[index], rng.uniform(0.2, 0.32), rng.choice((-1, 1)) * rng.uniform(0.4, 1.1))
            paint_leaf(place, shape("elliptic"), rng, green)
        bloom = pen.on(stem[-1], 1.0, 0.0, rng.uniform(0.7, 1))
        for radius in np.linspace(0.16, 0.06, int(rng.integers(1, 5))):
            ring(bloom, rng, petal(rng.uniform(0.5, 1.0)), int(rng.integers(5, 9)), radius, colour)
        bloom.disc(0, 0, 0.035, tone(colour, 0.6))


def lavender(pen: Pen, rng: Rng) -> None:
    """Thin violet spikes: the colour of water hyacinth on another plant."""
    violet = vary(rng, (146, 118, 196), 10)
    for _ in range(int(rng.integers(8, 22))):
        lean = rng.normal(0, 0.3)
        stem = curve((rng.normal(0, 0.06), 0), (lean * 0.4, 0.5), (lean, rng.uniform(0.7, 1)), 12)
        pen.line(stem, 0.007, vary(rng, (120, 140, 100), 8))
        spray(pen, rng, stem[8:], 0.035, 40, vary(rng, violet, 8), 0.011)


def cactus(pen: Pen, rng: Rng) -> None:
    green = vary(rng, (92, 132, 92), 10)
    for x, bottom, height in ((0.0, 0.0, 0.95), (-0.22, 0.4, 0.35), (0.22, 0.3, 0.4)):
        column = points((x, bottom), (x, bottom + height))
        pen.stroke(column, 0.16, 0.13, green)
        pen.disc(x, bottom + height, 0.065, green)
        if x:
            pen.stroke(points((0, bottom), (x, bottom + 0.03)), 0.1, 0.1, green)
        for shift in (-0.05, 0.0, 0.05):
            pen.line(column + np.array([shift, 0.0]), 0.006, tone(green, 1.35))


def tree(pen: Pen, rng: Rng) -> None:
    """A broad-leaved tree seen whole."""
    pen.stroke(rising_stem(rng, 0.6), 0.09, 0.04, vary(rng, BARK, 8))
    green = leaf_green(rng)
    crown: Points = rng.normal(0.0, 0.13, (int(rng.integers(250, 420)), 2)) + np.array([0.0, 0.72])
    for x, y in crown:
        pen.disc(x, y, rng.uniform(0.01, 0.032), vary(rng, tone(green, 0.7 + 0.6 * max(0.0, y - 0.4)), 8))


OTHERS: tuple[Plant, ...] = (
    fern, tall_grass, daisies, dandelion, conifer, shrub, cow_parsley, bindweed, water_lily, border_flower,
    lavender, cactus, tree,
)  # fmt: skip
