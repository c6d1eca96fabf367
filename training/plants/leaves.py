"""Leaves: outlines from a few control points, margins, venation, light."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from training.plants.canvas import Colour, Pen, Points, Rng, points
from training.plants.colours import tone, vary


@dataclass(frozen=True)
class LeafShape:
    """A leaf of length 1: base at (0, 0), tip at (0, 1).

    Attributes:
        outline: The right half from base to tip, shape (n, 2).
        veins: "pinnate", "three" (from the base, the pitchfork), "parallel" or "none".
        pairs: Side veins on each half.
    """

    outline: Points
    veins: str = "pinnate"
    pairs: int = 5


def smooth(control: Points, n: int = 8) -> Points:
    """Give a Catmull-Rom curve through the control points, n points per span."""
    padded = np.vstack([2 * control[0] - control[1], control, 2 * control[-1] - control[-2]])
    t = np.linspace(0.0, 1.0, n, endpoint=False)[:, None]
    spans = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.vstack([*spans, control[-1:]])


def toothed(outline: Points, teeth: int, depth: float, rounded: bool = False) -> Points:
    """Cut teeth that point to the tip into a half outline.

    Args:
        outline: Right half from base to tip.
        teeth: How many.
        depth: Share of the half width that a tooth takes.
        rounded: Crenate instead of serrate.
    """
    fine = np.stack(
        [np.interp(np.linspace(0, 1, teeth * 4 + 1), np.linspace(0, 1, len(outline)), axis) for axis in outline.T],
        axis=1,
    )
    phase = np.linspace(0, teeth, len(fine)) % 1.0
    cut = np.abs(np.sin(np.pi * phase)) - 1 if rounded else phase - 1
    fine[:, 0] *= 1 + depth * cut
    fine[-1] = outline[-1]
    return fine


@cache
def shape(name: str) -> LeafShape:
    """Give one of the named leaf shapes of this module."""
    return _SHAPES[name]()


def paint_leaf(
    pen: Pen, leaf: LeafShape, rng: Rng, colour: Colour, width: float = 1.0, vein: float = 1.22, fold: float = 0.25
) -> None:
    """Draw one leaf, folded along its midrib and bent by chance.

    Args:
        pen: Its origin is the leaf's base, its unit the leaf's length.
        leaf: Shape.
        rng: Chance.
        colour: Of the blade.
        width: Factor on the width.
        vein: Brightness of the veins against the blade.
        fold: How far one half may turn away from the eye (0 to 1).
    """
    bend, turned = rng.normal(0.0, 0.1), 1 - rng.uniform(0.0, fold)
    left, right = (width * turned, width) if rng.random() < 0.5 else (width, width * turned)
    rib = np.stack([bend * np.linspace(0, 1, 6) ** 2, np.linspace(0, 1, 6)], axis=1)
    base = vary(rng, colour, 7.0)
    for side, brightness in ((-left, 0.84), (right, 1.05)):
        half = leaf.outline * np.array([side, 1.0])
        half[:, 0] += bend * half[:, 1] ** 2
        pen.polygon(np.vstack([half, rib[::-1]]), tone(base, brightness))
    if pen.unit > 14:
        _paint_veins(pen, leaf, (left, right), bend, tone(base, vein))
        pen.line(rib, 0.02, tone(base, vein * 1.08))


def _paint_veins(pen: Pen, leaf: LeafShape, widths: tuple[float, float], bend: float, colour: Colour) -> None:
    for vein in _veins(leaf):
        for side in (-widths[0], widths[1]):
            path = vein * np.array([side, 1.0])
            path[:, 0] += bend * path[:, 1] ** 2
            pen.line(path, 0.011, colour)


def _veins(leaf: LeafShape) -> list[Points]:
    """Give the paths of the veins of the right half, unbent."""
    if leaf.veins == "pinnate":
        starts = 0.08 + 0.75 * np.arange(leaf.pairs) / leaf.pairs
        return [_side_vein(leaf, start, start + 0.16) for start in starts]
    if leaf.veins == "three":
        along = np.linspace(0.0, 1.0, 6)
        reach = np.interp(0.36, *_edge(leaf.outline)) * 0.62
        return [np.stack([reach * np.sin(along * 2.6), 0.03 + 0.72 * along], axis=1)]
    if leaf.veins == "parallel":
        shares = np.arange(1, leaf.pairs) / leaf.pairs
        return [leaf.outline[::4] * np.array([share, 1.0 - 0.05 * share]) for share in shares]
    return []


def _side_vein(leaf: LeafShape, start: float, end: float) -> Points:
    """Give a straight vein from the midrib almost to the margin."""
    along = np.linspace(0.0, 1.0, 4)
    reach = np.interp(end, *_edge(leaf.outline)) * 0.88
    return np.stack([reach * along, start + (end - start) * along], axis=1)


def _edge(outline: Points) -> tuple[Points, Points]:
    order = np.argsort(outline[:, 1], kind="stable")
    return outline[order, 1], outline[order, 0]


def _ovate() -> LeafShape:
    return LeafShape(smooth(points((0, 0), (0.22, 0.08), (0.32, 0.3), (0.24, 0.62), (0.08, 0.88), (0, 1))))


def _elliptic() -> LeafShape:
    return LeafShape(smooth(points((0, 0), (0.13, 0.15), (0.2, 0.45), (0.14, 0.8), (0, 1))), pairs=6)


def _lance() -> LeafShape:
    return LeafShape(smooth(points((0, 0), (0.07, 0.12), (0.1, 0.4), (0.06, 0.75), (0, 1))), veins="none")


def _lantana() -> LeafShape:
    half = smooth(points((0, 0), (0.2, 0.05), (0.34, 0.25), (0.27, 0.58), (0.1, 0.86), (0, 1)))
    return LeafShape(toothed(half, 14, 0.14, rounded=True), pairs=8)


def _trowel() -> LeafShape:
    """Crofton weed: a diamond or trowel, wedge base, toothed beyond its widest part."""
    half = smooth(points((0, 0), (0.1, 0.06), (0.4, 0.27), (0.31, 0.52), (0.14, 0.8), (0, 1)))
    return LeafShape(toothed(half, 10, 0.22), veins="pinnate", pairs=4)


def _siam() -> LeafShape:
    """Siam weed: deltoid-ovate, few coarse teeth, long tip, three veins."""
    half = smooth(points((0, 0), (0.12, 0.08), (0.27, 0.25), (0.23, 0.5), (0.08, 0.8), (0, 1)))
    return LeafShape(toothed(half, 6, 0.2), veins="three")


def _heart() -> LeafShape:
    half = smooth(points((0, 0), (0.12, -0.14), (0.32, -0.1), (0.42, 0.12), (0.3, 0.48), (0.1, 0.82), (0, 1)))
    return LeafShape(half, pairs=4)


def _mikania() -> LeafShape:
    half = smooth(points((0, 0), (0.12, -0.13), (0.3, -0.15), (0.41, 0.08), (0.27, 0.46), (0.08, 0.82), (0, 1)))
    return LeafShape(toothed(half, 7, 0.1, rounded=True), veins="three", pairs=4)


def _spade() -> LeafShape:
    """Japanese knotweed: base cut straight, abrupt long tip, smooth margin."""
    half = smooth(points((0, 0), (0.3, -0.015), (0.41, 0.09), (0.4, 0.36), (0.24, 0.68), (0.06, 0.87), (0, 1)))
    return LeafShape(half, pairs=6)


def _round() -> LeafShape:
    half = smooth(points((0, 0), (0.3, 0.06), (0.5, 0.4), (0.38, 0.8), (0.14, 0.97), (0, 1)))
    return LeafShape(half, veins="parallel", pairs=5)


def _pinnatifid() -> LeafShape:
    """Parthenium: cut almost to the midrib into lobes that are cut again."""
    y = np.linspace(0.0, 1.0, 97)
    envelope = 0.34 * np.sin(np.pi * y**0.8) ** 0.7
    lobes = 0.16 + 0.84 * np.abs(np.sin(np.pi * 6 * y)) ** 1.2
    cuts = 1 - 0.34 * lobes * (np.cos(np.pi * 48 * y) > 0)
    forward = 0.09 * lobes * np.sin(np.pi * y)
    return LeafShape(np.stack([envelope * lobes * cuts, y + forward], axis=1), veins="none")


def _jagged() -> LeafShape:
    """Giant hogweed: a leaflet with deep, sharply pointed, unequal lobes."""
    half = points(
        (0, 0), (0.2, 0.02), (0.42, -0.06), (0.36, 0.08), (0.5, 0.14), (0.36, 0.22), (0.16, 0.24), (0.3, 0.34),
        (0.48, 0.44), (0.34, 0.48), (0.36, 0.58), (0.2, 0.56), (0.1, 0.58), (0.22, 0.7), (0.28, 0.8), (0.16, 0.8),
        (0.08, 0.86), (0, 1),
    )  # fmt: skip
    return LeafShape(half, pairs=4)


_SHAPES = {
    "ovate": _ovate, "elliptic": _elliptic, "lance": _lance, "round": _round, "heart": _heart, "lantana": _lantana,
    "trowel": _trowel, "siam": _siam, "mikania": _mikania, "spade": _spade, "pinnatifid": _pinnatifid,
    "jagged": _jagged,
}  # fmt: skip
