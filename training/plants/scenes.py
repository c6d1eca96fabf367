"""Pictures without a plant to name: animals, things, rooms, landscapes, papers, patterns, nothing."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.plants.backgrounds import GROUNDS, Size, paint_background, ramp, sky, smooth_noise, wall, water
from training.plants.canvas import Colour, Pen, Rng, curve, pen_for, points
from training.plants.colours import blend, tone, vary

Scene = Callable[[Rng, Size], Image.Image]


def any_colour(rng: Rng) -> Colour:
    red, green, blue = (int(c) for c in rng.integers(20, 240, 3))
    grey = (red + green + blue) // 3
    return blend((red, green, blue), (grey, grey, grey), rng.uniform(0.0, 0.7))


def ground_only(rng: Rng, size: Size) -> Image.Image:
    return (*GROUNDS, water)[int(rng.integers(len(GROUNDS) + 1))](rng, size)


def animal(rng: Rng, size: Size) -> Image.Image:
    """A four-legged animal or a bird from the side."""
    image = paint_background(rng, size, 0.15)
    for _ in range(int(rng.integers(1, 3))):
        pen = pen_for(
            image,
            size[0] * rng.uniform(0.25, 0.75),
            size[1] * rng.uniform(0.65, 0.95),
            min(size) * rng.uniform(0.4, 0.9),
        )
        (_bird if rng.random() < 0.4 else _beast)(pen.at(0, 0, 1.0, 0.0, rng.choice((-1, 1))), rng)
    return image


def _beast(pen: Pen, rng: Rng) -> None:
    fur = vary(
        rng, ((128, 96, 66), (60, 56, 54), (196, 170, 132), (220, 216, 208), (170, 110, 60))[int(rng.integers(5))], 10
    )
    for x in (-0.26, -0.18, 0.16, 0.25):
        pen.stroke(points((x, 0.0), (x * 0.95, 0.4)), 0.05, 0.09, tone(fur, 0.85))
    pen.at(0, 0.45, 1.0, 0, 1.9).disc(0, 0, 0.2, fur)
    for x in np.linspace(-0.24, 0.24, 9):
        pen.disc(x, 0.46 + rng.normal(0, 0.01), 0.15, fur)
    pen.stroke(curve((-0.34, 0.5), (-0.5, 0.55), (-0.52, rng.uniform(0.3, 0.8))), 0.06, 0.03, fur)
    pen.stroke(points((0.25, 0.5), (0.4, 0.72)), 0.2, 0.14, fur)
    pen.disc(0.44, 0.74, 0.12, tone(fur, 1.08))
    pen.disc(0.54, 0.71, 0.06, tone(fur, 0.9))
    for x in (0.38, 0.47):
        pen.polygon(points((x - 0.04, 0.82), (x, rng.uniform(0.9, 1.0)), (x + 0.04, 0.82)), tone(fur, 0.8))
    pen.disc(0.47, 0.77, 0.016, (20, 18, 16))


def _bird(pen: Pen, rng: Rng) -> None:
    plumage = any_colour(rng)
    for x in (-0.03, 0.06):
        pen.line(points((x, 0.0), (x, 0.25)), 0.018, (150, 110, 60))
    body = np.stack([0.34 * np.cos(np.linspace(0, 6.28, 24)), 0.4 + 0.2 * np.sin(np.linspace(0, 6.28, 24))], axis=1)
    pen.polygon(points((-0.25, 0.42), (-0.62, 0.3), (-0.58, 0.42)), tone(plumage, 0.7))
    pen.polygon(body, plumage)
    pen.polygon(points((0.1, 0.5), (-0.1, 0.3), (-0.42, 0.32), (-0.15, 0.5)), tone(plumage, 0.78))
    pen.disc(0.28, 0.62, 0.13, tone(plumage, 1.1))
    pen.polygon(points((0.39, 0.65), (0.52, 0.6), (0.39, 0.58)), (220, 160, 50))
    pen.disc(0.32, 0.65, 0.018, (15, 15, 15))


def things(rng: Rng, size: Size) -> Image.Image:
    """Mugs, boxes, balls, bottles on a surface."""
    image = wall(rng, size)
    edge = int(size[1] * rng.uniform(0.45, 0.75))
    top = any_colour(rng)
    image.paste(ramp((size[0], size[1] - edge), tone(top, 1.1), tone(top, 0.8)), (0, edge))
    for _ in range(int(rng.integers(1, 6))):
        scale = min(size) * rng.uniform(0.2, 0.6)
        pen = pen_for(image, size[0] * rng.uniform(0.1, 0.9), edge + (size[1] - edge) * rng.uniform(0.1, 0.7), scale)
        (_box, _ball, _bottle, _mug)[int(rng.integers(4))](pen, rng, any_colour(rng))
    return image


def _box(pen: Pen, rng: Rng, colour: Colour) -> None:
    width, height = rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.9)
    pen.polygon(points((0, 0), (width, 0), (width, height), (0, height)), colour)
    pen.polygon(
        points((width, 0), (width + 0.2, 0.12), (width + 0.2, height + 0.12), (width, height)), tone(colour, 0.7)
    )
    pen.polygon(
        points((0, height), (width, height), (width + 0.2, height + 0.12), (0.2, height + 0.12)), tone(colour, 1.2)
    )


def _ball(pen: Pen, _rng: Rng, colour: Colour) -> None:
    for k in range(8):
        pen.disc(0.03 * k, 0.4 + 0.03 * k, 0.4 * (1 - k / 9), tone(colour, 0.8 + 0.09 * k))


def _bottle(pen: Pen, _rng: Rng, colour: Colour) -> None:
    pen.polygon(points((0, 0), (0.3, 0), (0.3, 0.6), (0.2, 0.75), (0.2, 1), (0.1, 1), (0.1, 0.75), (0, 0.6)), colour)
    pen.line(points((0.06, 0.05), (0.06, 0.6)), 0.03, tone(colour, 1.4))


def _mug(pen: Pen, _rng: Rng, colour: Colour) -> None:
    pen.line(curve((0.4, 0.4), (0.75, 0.3), (0.4, 0.1)), 0.06, tone(colour, 0.8))
    pen.polygon(points((0.03, 0), (0.4, 0), (0.43, 0.5), (0, 0.5)), colour)
    pen.polygon(points((0.03, 0), (0.12, 0), (0.1, 0.5), (0, 0.5)), tone(colour, 1.2))


def street(rng: Rng, size: Size) -> Image.Image:
    """Houses under a sky, sometimes a car."""
    image = sky(rng, size)
    pen = pen_for(image, 0, size[1] * 0.85, size[0])
    x = -0.1
    while x < 1:
        width, height, colour = rng.uniform(0.12, 0.3), rng.uniform(0.2, 0.6), any_colour(rng)
        pen.polygon(points((x, -0.3), (x + width, -0.3), (x + width, height), (x, height)), colour)
        pen.polygon(points((x, height), (x + width, height), (x + width / 2, height + 0.1)), tone(colour, 0.6))
        for wx in np.arange(x + 0.02, x + width - 0.03, 0.06):
            for wy in np.arange(0.05, height - 0.05, 0.1):
                pen.polygon(points((wx, wy), (wx + 0.03, wy), (wx + 0.03, wy + 0.05), (wx, wy + 0.05)), (70, 84, 104))
        x += width
    pen.polygon(points((0, 0), (1, 0), (1, -1), (0, -1)), vary(rng, (96, 96, 98), 10))
    if rng.random() < 0.6:
        _car(pen.at(rng.uniform(0.1, 0.6), -0.05, rng.uniform(0.2, 0.4)), any_colour(rng))
    return image


def _car(pen: Pen, colour: Colour) -> None:
    pen.polygon(
        points((0, 0.1), (1, 0.1), (1, 0.3), (0.82, 0.34), (0.68, 0.52), (0.3, 0.52), (0.14, 0.34), (0, 0.3)), colour
    )
    pen.polygon(points((0.24, 0.34), (0.34, 0.48), (0.64, 0.48), (0.74, 0.34)), (150, 180, 200))
    for x in (0.22, 0.78):
        pen.disc(x, 0.1, 0.11, (30, 30, 32))
        pen.disc(x, 0.1, 0.05, (150, 150, 155))


def hills(rng: Rng, size: Size) -> Image.Image:
    image = sky(rng, size)
    pen = pen_for(image, 0, size[1], max(size))
    colour = vary(rng, (120, 140, 150), 15)
    x = np.linspace(0, 1, 40)
    for layer in range(int(rng.integers(2, 6))):
        top = (0.6 - 0.13 * layer) * size[1] / max(size) + 0.06 * np.sin(x * rng.uniform(3, 14) + rng.uniform(0, 6))
        pen.polygon(np.vstack([np.stack([x, top], axis=1), [[1, -1], [0, -1]]]), colour)
        colour = vary(rng, tone(colour, 0.78), 12)
    return image


def paper(rng: Rng, size: Size) -> Image.Image:
    """A page or a screen with lines of text and blocks."""
    dark = rng.random() < 0.25
    page, ink = ((30, 32, 38), (200, 204, 210)) if dark else ((246, 245, 241), (52, 52, 56))
    image = ramp(size, page, tone(page, 0.95))
    draw = ImageDraw.Draw(image)
    step = max(6, int(size[1] * rng.uniform(0.02, 0.06)))
    for y in range(step, size[1] - step, step * 2):
        x = int(size[0] * 0.06)
        while x < size[0] * rng.uniform(0.6, 0.95):
            word = int(step * rng.uniform(0.6, 4))
            draw.rectangle((x, y, x + word, y + step * 0.7), fill=ink)
            x += word + step // 2
    if rng.random() < 0.5:
        left, top = (int(rng.uniform(0, 0.6) * side) for side in size)
        draw.rectangle((left, top, left + size[0] // 3, top + size[1] // 3), fill=any_colour(rng))
    return image


def pattern(rng: Rng, size: Size) -> Image.Image:
    """Stripes, checks or dots of two colours."""
    first, second = any_colour(rng), any_colour(rng)
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / max(size)
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(0.02, 0.25)
    u, v = (x * np.cos(angle) + y * np.sin(angle)) / pitch, (y * np.cos(angle) - x * np.sin(angle)) / pitch
    kind = int(rng.integers(3))
    mask = (u % 1 < 0.5, (u % 1 < 0.5) ^ (v % 1 < 0.5), np.hypot(u % 1 - 0.5, v % 1 - 0.5) < 0.3)[kind]
    pixels = np.where(mask[:, :, None], np.array(first), np.array(second)).astype(np.uint8)
    return Image.fromarray(pixels)


def nothing(rng: Rng, size: Size) -> Image.Image:
    """One colour, a gradient, clouds of colour, or pure noise."""
    kind = int(rng.integers(4))
    if kind == 0:
        grey = int(rng.choice((0, 255, int(rng.integers(256)))))
        colour = (grey, grey, grey) if rng.random() < 0.4 else any_colour(rng)
        return Image.new("RGB", size, colour)
    if kind == 1:
        return ramp(size, any_colour(rng), any_colour(rng)).rotate(float(rng.choice((0, 90, 180))), expand=False)
    if kind == 2:
        layers = [smooth_noise(rng, size, int(rng.integers(2, 12)), 2) * 60 + rng.uniform(60, 200) for _ in range(3)]
        return Image.fromarray(np.clip(np.stack(layers, axis=2), 0, 255).astype(np.uint8))
    cell = int(rng.integers(1, 12))
    noise = rng.integers(0, 256, (size[1] // cell + 1, size[0] // cell + 1, 3), dtype=np.uint8)
    image = (
        Image.fromarray(noise).resize((size[0] + cell, size[1] + cell), Image.Resampling.NEAREST).crop((0, 0, *size))
    )
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 3))) if rng.random() < 0.5 else image


SCENES: tuple[Scene, ...] = (ground_only, animal, things, street, hills, paper, pattern, nothing)
