"""Chromolaena odorata: leaves with the three-veined pitchfork, clusters of pale lilac thread-like heads."""

from training.plants.canvas import Colour, Pen, Rng, heading
from training.plants.colours import pick, tone, vary
from training.plants.flowers import tubular_head
from training.plants.growth import corymb, opposite_pairs, rising_stem
from training.plants.leaves import shape

LILACS: tuple[Colour, ...] = ((206, 190, 222), (222, 212, 232), (236, 234, 236), (192, 172, 214))


def paint(pen: Pen, rng: Rng, flowering: bool) -> None:
    green = vary(rng, (104, 142, 62), 10)
    for k in range(int(rng.integers(1, 4))):
        stem = pen.at(
            rng.normal(0, 0.05), 0.0, rng.uniform(0.75, 1.0) if k else 1.0, rng.normal(0.0, 0.25 if k else 0.08)
        )
        _stem(stem, rng, green, flowering)


def _stem(pen: Pen, rng: Rng, green: Colour, flowering: bool) -> None:
    path = rising_stem(rng, 0.76 if flowering else 0.92)
    stalk = vary(rng, (138, 150, 84), 7)
    pen.stroke(path, 0.022, 0.011, stalk)
    opposite_pairs(
        pen, rng, path, shape("siam"), green, stalk, pairs=int(rng.integers(4, 7)), length=0.27,
        petiole=0.035, width=rng.uniform(0.9, 1.15), vein=1.3,
    )  # fmt: skip
    if not flowering:
        return
    lilac = vary(rng, pick(rng, LILACS), 5)

    def head(at: Pen) -> None:
        tubular_head(at, rng, 0.027, lilac, (146, 166, 96))

    x, y = map(float, path[-1])
    for side in (-1, 1):
        turned = pen.at(x, y, rng.uniform(0.65, 0.9), heading(path, len(path) - 1) - side * rng.uniform(0.5, 0.9))
        corymb(turned, rng, 0.2, int(rng.integers(6, 10)), tone(stalk, 0.95), head, dome=0.3, rise=0.6)
    corymb(pen.at(x, y, 1.0, rng.normal(0, 0.1)), rng, 0.24, int(rng.integers(10, 16)), stalk, head, dome=0.35)
