"""A pen that draws in a plant's own units on a supersampled picture."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Points = npt.NDArray[np.float64]
Rng = np.random.Generator
Colour = tuple[int, ...]


def points(*pairs: tuple[float, float]) -> Points:
    return np.array(pairs, dtype=np.float64)


@dataclass(frozen=True)
class Pen:
    """Local units: x right, y up, 1 is the height of the plant that is drawn."""

    draw: ImageDraw.ImageDraw
    matrix: Points
    offset: Points

    @property
    def unit(self) -> float:
        """Pixels of one local unit (of the geometric mean of both axes)."""
        (a, b), (c, d) = self.matrix.tolist()
        return float(abs(a * d - b * c) ** 0.5)

    def at(self, x: float, y: float, scale: float = 1.0, angle: float = 0.0, squeeze: float = 1.0) -> "Pen":
        """Give a pen with its origin at (x, y), turned counter-clockwise by `angle` radians.

        Args:
            x: Place in this pen's units.
            y: Place in this pen's units.
            scale: Length of the new unit in this pen's units.
            angle: Radians.
            squeeze: Factor on the new x axis: below 1 the part is seen from the side.
        """
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        turn = np.array([[cos * squeeze, -sin], [sin * squeeze, cos]])
        return Pen(self.draw, self.matrix @ turn, self.offset + self.matrix @ np.array([x, y]))

    def on(self, place: Points, scale: float = 1.0, angle: float = 0.0, squeeze: float = 1.0) -> "Pen":
        """Give a pen with its origin at `place`, shape (2,); the rest as in `at`."""
        return self.at(float(place[0]), float(place[1]), scale, angle, squeeze)

    def to_pixels(self, shape: Points) -> list[float]:
        return (shape @ self.matrix.T + self.offset).ravel().tolist()

    def polygon(self, shape: Points, colour: Colour) -> None:
        self.draw.polygon(self.to_pixels(shape), fill=colour)

    def line(self, shape: Points, width: float, colour: Colour) -> None:
        pixels = max(1, round(width * self.unit))
        self.draw.line(self.to_pixels(shape), fill=colour, width=pixels, joint="curve" if pixels > 3 else None)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        (cx, cy), r = self.matrix @ np.array([x, y]) + self.offset, max(0.6, radius * self.unit)
        self.draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=colour)

    def stroke(self, path: Points, start: float, end: float, colour: Colour) -> None:
        """Draw a tapering stem along `path`, lit from the right.

        Args:
            path: Shape (n, 2), n at least 2.
            start: Width at the first point, in local units.
            end: Width at the last point.
            colour: Of the lit body.
        """
        sides = normals(path)
        widths = np.linspace(start, end, len(path))[:, None] / 2
        self.polygon(np.vstack([path + sides * widths, (path - sides * widths)[::-1]]), colour)
        if start * self.unit > 3:
            shade = tuple(int(c * 0.72) for c in colour[:3])
            self.polygon(np.vstack([path - sides * widths * 0.25, (path - sides * widths)[::-1]]), shade)


def pen_for(image: Image.Image, x: float, y: float, scale: float, angle: float = 0.0) -> Pen:
    """Give a pen with its origin at pixel (x, y), `scale` pixels per unit; alpha in colours blends."""
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[cos, -sin], [-sin, -cos]])
    return Pen(ImageDraw.Draw(image, "RGBA"), matrix, np.array([x, y]))


def normals(path: Points) -> Points:
    """Give unit vectors to the left of `path` at each of its points."""
    steps = np.gradient(path, axis=0)
    lengths = np.maximum(np.hypot(steps[:, 0], steps[:, 1]), 1e-9)
    return np.stack([-steps[:, 1], steps[:, 0]], axis=1) / lengths[:, None]


def curve(start: tuple[float, float], bend: tuple[float, float], end: tuple[float, float], n: int = 12) -> Points:
    """Give n points on the quadratic Bézier curve from `start` to `end`."""
    t = np.linspace(0.0, 1.0, n)[:, None]
    a, b, c = np.array(start), np.array(bend), np.array(end)
    path: Points = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
    return path


def heading(path: Points, index: int) -> float:
    """Give the angle of `path` at a point, in radians from the y axis, as `Pen.at` wants it."""
    low, high = max(0, index - 1), min(len(path) - 1, index + 1)
    dx, dy = path[high] - path[low]
    return float(np.arctan2(-dx, dy))
