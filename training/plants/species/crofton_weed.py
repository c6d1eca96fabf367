"""Ageratina adenophora: purple stems, toothed trowel-shaped leaves, flat clusters of white pompoms."""

from training.plants.canvas import Colour, Pen, Rng, heading
from training.plants.colours import WHITE, tone, vary
from training.plants.flowers import pompom
from training.plants.growth import corymb, opposite_pairs, rising_stem
from training.plants.leaves import shape


def paint(pen: Pen, rng: Rng, flowering: bool) -> None:
    green = vary(rng, (68, 108, 56), 9)
    purple = vary(rng, (112, 58, 84), 9)
    for k in range(int(rng.integers(1, 4))):
        stem = pen.at(
            rng.normal(0, 0.05), 0.0, rng.uniform(0.75, 1.0) if k else 1.0, rng.normal(0.0, 0.22 if k else 0.08)
        )
        _stem(stem, rng, green, purple, flowering)


def _stem(pen: Pen, rng: Rng, green: Colour, purple: Colour, flowering: bool) -> None:
    path = rising_stem(rng, 0.78 if flowering else 0.92)
    pen.stroke(path, 0.024, 0.012, purple)
    opposite_pairs(
        pen, rng, path, shape("trowel"), green, tone(purple, 1.1),
        pairs=int(rng.integers(4, 7)), length=0.24, petiole=0.09, width=rng.uniform(0.9, 1.1), vein=1.25,
    )  # fmt: skip
    if not flowering:
        return
    colour = vary(rng, WHITE, 4)

    def head(at: Pen) -> None:
        pompom(at, rng, 0.027, colour)

    x, y = map(float, path[-1])
    for side in (-1, 1):
        turned = pen.at(x, y, rng.uniform(0.7, 0.95), heading(path, -1 % len(path)) - side * rng.uniform(0.4, 0.7))
        corymb(turned, rng, 0.19, int(rng.integers(7, 11)), purple, head, dome=0.15, rise=0.55)
    corymb(pen.at(x, y, 1.0, rng.normal(0, 0.1)), rng, 0.24, int(rng.integers(12, 18)), purple, head, dome=0.15)
