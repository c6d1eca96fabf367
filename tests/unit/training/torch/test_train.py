"""Training: the same data gives the same bytes; what was learnt elsewhere is taken over where it fits."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from handlers.checkpoint import load_checkpoint
from training.dataset import UnusableDataset, load
from training.evaluate import draw_confusion, measure, report
from training.recipe import Recipe
from training.train import new_network, train

RECIPE = Recipe(stages=((32, 1), (48, 1)), batch_size=8)


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A dataset of red and blue pictures."""
    rng = np.random.default_rng(0)
    for label, channel in (("blue", 2), ("red", 0)):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(12):
            pixels = rng.integers(0, 90, (70, 90, 3), dtype=np.uint8)
            pixels[:, :, channel] += 150
            Image.fromarray(pixels).save(tmp_path / "data" / label / f"{index}.png")
    return tmp_path / "data"


def test_training_twice_gives_the_same_bytes(colours: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(colours, tmp_path / name, RECIPE)
    assert (tmp_path / "a" / "model.pth").read_bytes() == (tmp_path / "b" / "model.pth").read_bytes()


def test_the_checkpoint_loads_as_the_server_loads_it(colours: Path, tmp_path: Path) -> None:
    train(colours, tmp_path / "model", RECIPE, "squeezenet1_1")
    labels = json.loads((tmp_path / "model" / "class_labels.json").read_text())
    network, spec, architecture = load_checkpoint(tmp_path / "model" / "model.pth", labels)
    assert (labels, architecture, spec.height) == (["blue", "red"], "squeezenet1_1", 224)
    assert not network.training


def test_a_checkpoint_of_other_classes_gives_all_but_its_last_layer(colours: Path, tmp_path: Path) -> None:
    train(colours, tmp_path / "model", RECIPE)
    saved = torch.load(tmp_path / "model" / "model.pth", weights_only=True)["state_dict"]
    taken = new_network("mobilenet_v3_small", 5, tmp_path / "model" / "model.pth").state_dict()
    assert torch.equal(taken["features.0.0.weight"], saved["features.0.0.weight"])
    assert taken["classifier.3.weight"].shape[0] == 5


def test_a_checkpoint_of_another_architecture_is_refused(colours: Path, tmp_path: Path) -> None:
    train(colours, tmp_path / "model", RECIPE)
    with pytest.raises(ValueError, match="squeezenet1_1"):
        new_network("squeezenet1_1", 2, tmp_path / "model" / "model.pth")


def test_measuring_counts_every_picture_and_draws_the_matrix(colours: Path, tmp_path: Path) -> None:
    train(colours, tmp_path / "model", RECIPE)
    measured, probabilities, dataset = measure(tmp_path / "model", colours)
    draw_confusion(measured, tmp_path / "matrix.png")
    assert measured.confusion.sum() == measured.pictures == len(dataset.paths) == 24
    assert np.allclose(probabilities.sum(axis=1), 1)
    with Image.open(tmp_path / "matrix.png") as matrix:
        assert matrix.width > 400


def test_a_report_gives_precision_and_recall_of_each_class() -> None:
    probabilities = np.eye(3)[[0, 0, 1, 0]]
    measured = report(probabilities, np.array([0, 0, 1, 1]), ("a", "b", "c"))
    assert measured.accuracy == 0.75
    assert [(each.precision, each.recall) for each in measured.classes] == [(0.6667, 1.0), (1.0, 0.5), (None, 0.0)]


def test_decoded_pictures_are_kept_until_a_file_changes(colours: Path) -> None:
    first = load(colours, 32, 32, 32)
    kept = set((colours / ".decoded").iterdir())
    load(colours, 32, 32, 32)
    assert set((colours / ".decoded").iterdir()) == kept
    Image.new("RGB", (60, 60), (255, 0, 0)).save(colours / "blue" / "0.png")
    again = load(colours, 32, 32, 32)
    assert not np.array_equal(first.pixels[0], again.pixels[0])


def test_an_unreadable_picture_is_named(colours: Path) -> None:
    (colours / "red" / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(UnusableDataset, match=r"broken\.jpg"):
        load(colours, 32, 32, 32)


def test_a_class_that_the_network_does_not_know_is_named(colours: Path) -> None:
    with pytest.raises(UnusableDataset, match="red"):
        load(colours, 32, 32, 32, ("blue", "green"))
