"""Flowers: petals, heads, pompoms, clusters, umbels."""

import numpy as np

from training.plants.canvas import Colour, Pen, Points, Rng, curve
from training.plants.colours import WHITE, blend, tone, vary


def petal(width: float, notch: float = 0.0, n: int = 9) -> Points:
    """Give a petal of length 1 from (0, 0), as wide as `width` in all, with a notched tip if asked."""
    y = np.linspace(0.0, 1.0, n)
    x = width / 2 * np.sin(np.pi * y**1.4) ** 0.7
    tip = np.array([[0.0, 1.0 - notch]])
    x[-1] = width * 0.12 if notch else 0.0
    half = np.stack([x, y], axis=1)
    return np.vstack([half, tip, (half * np.array([-1, 1]))[::-1]])


def ring(pen: Pen, rng: Rng, shape: Points, count: int, radius: float, colour: Colour, jitter: float = 0.08) -> None:
    """Draw `count` petals of length `radius` around the pen's origin."""
    start = rng.uniform(0, 2 * np.pi)
    for k in range(count):
        angle = start + 2 * np.pi * k / count + rng.normal(0.0, jitter)
        pen.at(0, 0, radius * rng.uniform(0.9, 1.08), angle).polygon(shape, vary(rng, colour, 5.0))


def scatter_disc(rng: Rng, count: int) -> Points:
    """Give `count` points spread evenly over the unit disc, from the rim to the middle."""
    k = np.arange(count) + 0.5
    radius, angle = np.sqrt(k / count), k * 2.39996 + rng.uniform(0, 6.28)
    spread = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return np.asarray((spread + rng.normal(0.0, 0.25 / np.sqrt(count), spread.shape))[::-1])


def pompom(pen: Pen, rng: Rng, radius: float, colour: Colour, threads: int = 34) -> None:
    """Draw a fuzzy ball of thread-like florets around the origin."""
    pen.disc(0, -radius * 0.1, radius * 0.8, tone(colour, 0.8))
    angles = rng.uniform(0, 2 * np.pi, threads)
    inner, outer = rng.uniform(0.0, 0.5, threads) * radius, rng.uniform(0.75, 1.12, threads) * radius
    for angle, low, high in zip(angles, inner, outer, strict=True):
        way = np.array([np.cos(angle), np.sin(angle)])
        pen.line(np.array([way * low, way * high]), radius * 0.16, vary(rng, colour, 9.0))


def five_lobed_head(pen: Pen, rng: Rng, radius: float, colour: Colour = WHITE) -> None:
    """Draw Parthenium's head: a domed white disc with five short, notched rays."""
    ring(pen, rng, petal(0.85, 0.22, 7), 5, radius, colour, 0.05)
    pen.disc(0, 0, radius * 0.62, tone(colour, 0.9))
    pen.disc(radius * 0.06, radius * 0.1, radius * 0.42, blend(colour, (214, 206, 160), 0.3))


def tubular_head(pen: Pen, rng: Rng, radius: float, colour: Colour, bracts: Colour) -> None:
    """Draw a head from the side: a narrow green cup of bracts with long florets and styles above.

    The pen's y axis points out of the cup; the cup is as long as `radius`.
    """
    cup = np.array([[-0.24, 0.0], [-0.36, 0.6], [-0.3, 1.0], [0.3, 1.0], [0.36, 0.6], [0.24, 0.0]]) * radius
    pen.polygon(cup, vary(rng, bracts, 6.0))
    for spread in np.linspace(-0.75, 0.75, 9) + rng.normal(0.0, 0.06, 9):
        length = rng.uniform(1.5, 2.0) * radius
        top = (np.sin(spread) * length, np.cos(spread) * length)
        pen.line(np.array([[spread * 0.25 * radius, 0.9 * radius], top]), radius * 0.16, vary(rng, colour, 8.0))


def daisy(pen: Pen, rng: Rng, radius: float, petals: int, colour: Colour, middle: Colour) -> None:
    ring(pen, rng, petal(0.3), petals, radius, colour, 0.04)
    pen.disc(0, 0, radius * 0.3, middle)
    pen.disc(radius * 0.05, radius * 0.06, radius * 0.19, tone(middle, 1.15))


def umbel(
    pen: Pen, rng: Rng, radius: float, rays: int, colour: Colour, stem: Colour, tilt: float = 0.45, florets: int = 12
) -> None:
    """Draw a compound umbel that stands on the origin: rays, each with a flat umbellet.

    Args:
        pen: Its y axis is the stem's direction.
        rng: Chance.
        radius: Of the whole umbel.
        rays: How many.
        colour: Of the florets.
        stem: Colour of the rays.
        tilt: Height of the seen ellipse against its width (1: from above).
        florets: Per umbellet.
    """
    places = scatter_disc(rng, rays) * radius
    rise = radius * 0.75
    ends = [(x, rise + y * tilt + 0.25 * (radius - abs(x)) * (1 - tilt)) for x, y in places]
    for x, y in sorted(ends, key=lambda place: -place[1]):
        pen.line(curve((0, 0), (x * 0.3, y * 0.7), (x, y), 6), radius * 0.018, vary(rng, stem, 6.0))
    size = radius * 1.15 / np.sqrt(rays)
    for x, y in sorted(ends, key=lambda place: -place[1]):
        umbellet(pen.at(x, y), rng, size, florets, colour, tilt)


def umbellet(pen: Pen, rng: Rng, radius: float, florets: int, colour: Colour, tilt: float) -> None:
    flat = 0.4 + 0.6 * tilt
    pen.polygon(
        np.array([[-1, 0], [0, -0.8], [1, 0], [0.5, 0.3 * flat], [-0.5, 0.3 * flat]]) * radius * 0.7, tone(colour, 0.72)
    )
    for x, y in scatter_disc(rng, florets) * radius:
        pen.disc(x, y * flat, radius * rng.uniform(0.16, 0.27), vary(rng, tone(colour, 0.97 + 0.05 * y / radius), 7.0))
