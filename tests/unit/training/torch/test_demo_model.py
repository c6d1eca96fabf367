"""The demo model that is in git: it names its samples, and names no plant where there is none."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from handlers.checkpoint import load_checkpoint, read_labels
from handlers.preprocessing import preprocess
from training.samples import FILES

SOURCE = Path(__file__).parents[4] / "model_store" / "sources" / "plants" / "1"
CARD = json.loads((SOURCE / "model_card.json").read_text())


def answer(data: bytes) -> tuple[str, float]:
    """The best label and its confidence."""
    labels = read_labels(SOURCE / "class_labels.json")
    network, spec, _ = load_checkpoint(SOURCE / "model.pth", labels)
    with torch.inference_mode():
        row = torch.softmax(network(torch.from_numpy(preprocess(data, spec)[np.newaxis])), dim=1)[0]
    return labels[int(row.argmax())], float(row.max())


def png(pixels: npt.NDArray[Any]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def gradient(first: tuple[int, int, int], second: tuple[int, int, int]) -> bytes:
    share = np.linspace(0, 1, 300)[:, None, None]
    return png(np.broadcast_to(np.array(first) * (1 - share) + np.array(second) * share, (300, 400, 3)))


NO_PLANT = {
    "black": png(np.zeros((300, 400, 3))),
    "white": png(np.full((300, 400, 3), 255)),
    "green": png(np.full((300, 400, 3), (60, 120, 50))),
    "sky to grass": gradient((140, 180, 230), (70, 120, 50)),
    "soil to water": gradient((110, 84, 60), (70, 100, 120)),
    "noise": png(np.random.default_rng(1).integers(0, 256, (300, 400, 3))),
    "grey noise": png(np.random.default_rng(2).normal(128, 30, (300, 400, 1)).clip(0, 255).repeat(3, axis=2)),
}


@pytest.mark.parametrize("name", FILES)
def test_each_sample_is_named_above_the_threshold(name: str) -> None:
    label, confidence = answer((SOURCE / "samples" / name).read_bytes())
    assert label == FILES[name][0]
    assert confidence >= CARD["verdict"]["species_min"]


@pytest.mark.parametrize("name", NO_PLANT)
def test_a_picture_of_nothing_is_not_named_a_species(name: str) -> None:
    label, confidence = answer(NO_PLANT[name])
    assert label in CARD["negative_labels"] or confidence < CARD["verdict"]["species_min"]


def test_the_file_is_small_enough_for_git() -> None:
    assert (SOURCE / "model.pth").stat().st_size <= 10_000_000
