"""Seeded damage to valid files: the same number gives the same bytes."""

import random
from collections.abc import Callable, Iterator

from tests.hostile.contract import OK, PICTURE_REFUSALS
from tests.hostile.pictures import CONTENT_TYPES, encoded
from tests.hostile.request import Hostile, hostile

ANY = PICTURE_REFUSALS | {OK}
HEADER_BYTES = 600


def flip_bits(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice((1, 4, 32, 256))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def cut(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data))
    if rng.random() < 0.5:
        return data[:start]
    return data[:start] + data[start + rng.randrange(1, 2000) :]


def splice(data: bytearray, rng: random.Random) -> bytearray:
    other = encoded(rng.choice(list(CONTENT_TYPES)))
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def repeat(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data))
    piece = data[start : start + rng.randrange(1, 1000)]
    return data[:start] + piece * rng.randrange(2, 60) + data[start:]


def overwrite_header(data: bytearray, rng: random.Random) -> bytearray:
    """Put an extreme number where sizes, offsets and counts stand."""
    width = rng.choice((1, 2, 4))
    start = rng.randrange(min(HEADER_BYTES, len(data) - width))
    value = rng.choice((b"\x00" * width, b"\xff" * width, b"\x7f" + b"\xff" * (width - 1)))
    return data[:start] + value + data[start + width :]


WAYS: tuple[Callable[[bytearray, random.Random], bytearray], ...] = (
    flip_bits,
    cut,
    splice,
    repeat,
    overwrite_header,
)


def mutated(kind: str, number: int, seed: int = 1) -> tuple[str, bytes]:
    """The damaged file and what was done to it.

    Args:
        kind: A key of CONTENT_TYPES.
        number: Which damage; any integer from 0.
        seed: Gives another series.
    """
    rng = random.Random(f"{seed}-{kind}-{number}")
    data, names = bytearray(encoded(kind)), []
    for _ in range(rng.choice((1, 1, 2))):
        way = rng.choice(WAYS)
        data = way(data, rng) or bytearray(b"\x00")
        names.append(way.__name__)
    return " + ".join(names), bytes(data)


def mutations(per_format: int, seed: int = 1) -> Iterator[Hostile]:
    for number in range(per_format):
        for kind, content_type in CONTENT_TYPES.items():
            name, data = mutated(kind, number, seed)
            yield hostile(f"{kind} {number}: {name}", data, ANY, content_type=content_type)
