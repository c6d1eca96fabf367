"""Draws a golden set: pictures that no model was trained on, in folders by name. `python -m training.golden --help`."""

import argparse
from pathlib import Path

from training.synthetic import LABELS, draw, split_seed

FIRST = 200_000  # the numbers are higher than those of any picture that was trained on, measured or shown
SIZE = (320, 240)


def write_golden(folder: Path, *, seed: int, per_class: int) -> None:
    """`per_class` JPEGs of each name; the same seed draws the same."""
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for number in range(per_class):
            picture = draw(label, FIRST + number, split_seed(seed, "held_out"), SIZE)
            picture.save(folder / label / f"{number:04}.jpg", "JPEG", quality=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="Where; must be empty.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--per-class", type=int, required=True)
    asked = parser.parse_args()
    write_golden(asked.folder, seed=asked.seed, per_class=asked.per_class)


if __name__ == "__main__":
    main()
