"""One picture of many drawings, a row per class: `python -m training.contact_sheet FILE`."""

import argparse
from pathlib import Path

from PIL import Image, ImageOps

from training.synthetic import LABELS, draw

SIDE = 120
COLUMNS = 9


def contact_sheet(seed: int, columns: int = COLUMNS, side: int = SIDE) -> Image.Image:
    """Give the first `columns` drawings of each class, cut to squares of `side` pixels."""
    sheet = Image.new("RGB", (columns * side, len(LABELS) * side))
    for row, label in enumerate(LABELS):
        for column in range(columns):
            sheet.paste(ImageOps.fit(draw(label, column, seed), (side, side)), (column * side, row * side))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the contact sheet of the demo's pictures.")
    parser.add_argument("file", type=Path, help="the JPEG to write")
    parser.add_argument("--seed", type=int, default=500)
    chosen = parser.parse_args()
    contact_sheet(chosen.seed).save(chosen.file, "JPEG", quality=82, optimize=True)


if __name__ == "__main__":
    main()
