"""Colours and how they vary."""

from training.plants.canvas import Colour, Rng

LEAF_GREENS: tuple[Colour, ...] = ((74, 122, 52), (58, 105, 48), (96, 140, 62), (84, 118, 70), (46, 92, 50))
WHITE: Colour = (244, 244, 236)
CREAM: Colour = (238, 232, 205)
BARK: Colour = (104, 82, 60)


def tone(colour: Colour, factor: float) -> Colour:
    """Make a colour darker (factor below 1) or lighter (above 1)."""
    red, green, blue = (min(255, max(0, int(c * factor))) for c in colour[:3])
    return red, green, blue


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours; `share` is the part of the second."""
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(first[:3], second[:3], strict=True))
    return red, green, blue


def vary(rng: Rng, colour: Colour, amount: float = 10.0) -> Colour:
    """Move a colour by chance: a common step and a smaller one per channel (standard deviations, of 255)."""
    common = rng.normal(0.0, amount)
    red, green, blue = (
        min(255, max(0, int(c + common + step)))
        for c, step in zip(colour[:3], rng.normal(0.0, amount / 2, 3), strict=True)
    )
    return red, green, blue


def pick(rng: Rng, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(rng.integers(len(colours)))]


def leaf_green(rng: Rng) -> Colour:
    return vary(rng, pick(rng, LEAF_GREENS), 8.0)
