"""Drawn pictures: seeded, independent of one another, of every class, in any size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from training.synthetic import EXIF_ORIENTATION, LABELS, NOT_A_TARGET, draw, other_subject, write_dataset, write_picture

SMALL = (160, 120)


def pixels(image: Image.Image) -> list[int]:
    return np.asarray(image).ravel().tolist()


@pytest.mark.parametrize("label", LABELS)
def test_every_class_draws_a_picture_of_the_asked_size(label: str) -> None:
    picture = draw(label, 0, seed=1, size=SMALL)
    assert (picture.mode, picture.size) == ("RGB", SMALL)


@pytest.mark.parametrize("label", LABELS)
def test_a_picture_is_the_same_whatever_was_drawn_before(label: str) -> None:
    first = draw(label, 3, seed=1, size=SMALL)
    draw(label, 2, seed=1, size=SMALL)
    assert pixels(draw(label, 3, seed=1, size=SMALL)) == pixels(first)


def test_index_and_seed_change_the_picture() -> None:
    first = pixels(draw("Lantana camara", 0, seed=1, size=SMALL))
    assert pixels(draw("Lantana camara", 1, seed=1, size=SMALL)) != first
    assert pixels(draw("Lantana camara", 0, seed=2, size=SMALL)) != first


def test_sizes_lie_between_320_and_1280_pixels() -> None:
    longest = [max(draw("Parthenium hysterophorus", index, seed=5).size) for index in range(3)]
    assert all(320 <= side <= 1280 for side in longest)
    assert len(set(longest)) > 1


def test_an_unknown_class_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="Lantana camara"):
        draw("Rosa canina", 0, seed=1)


def test_the_subject_of_another_picture_is_known_without_drawing_it() -> None:
    subjects = {other_subject(index, seed=3) for index in range(300)}
    assert {"fern", "cow_parsley", "animal", "nothing"} <= subjects


def test_a_stored_picture_is_upright_once_its_orientation_is_applied(tmp_path: Path) -> None:
    turned = 0
    for index in (0, 7):
        path = tmp_path / f"{index}.jpg"
        write_picture(path, NOT_A_TARGET, index, seed=11)
        with Image.open(path) as stored:
            turned += stored.getexif()[EXIF_ORIENTATION] != 1
            shown = ImageOps.exif_transpose(stored)
        drawn = draw(NOT_A_TARGET, index, seed=11)
        assert shown.size == drawn.size
        difference = np.abs(np.asarray(shown.resize((32, 32)), float) - np.asarray(drawn.resize((32, 32)), float))
        assert difference.mean() < 8
    assert turned > 0


def test_a_dataset_keeps_what_is_there_and_draws_what_is_missing(tmp_path: Path) -> None:
    missing = (LABELS[0], NOT_A_TARGET)
    for label in LABELS:
        kept = tmp_path / "train" / label / "00000.jpg"
        kept.parent.mkdir(parents=True)
        if label not in missing:
            kept.write_bytes(b"kept")

    write_dataset(tmp_path, per_class=1, seed=1, split="train")

    found = {label: sorted((tmp_path / "train" / label).glob("*.jpg")) for label in LABELS}
    assert {label: len(files) for label, files in found.items()} == {
        label: 2 if label == NOT_A_TARGET else 1 for label in LABELS
    }
    assert {label for label, files in found.items() if files[0].read_bytes() != b"kept"} == set(missing)
