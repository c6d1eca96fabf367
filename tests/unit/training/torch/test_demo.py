"""The demo model's folder: everything that the archive needs, of the shape that the contract names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from training.samples import FILES
from training.synthetic import LABELS


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m training.demo --quick` writes."""
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run(
        [sys.executable, "-m", "training.demo", "--quick", "--output", folder / "1"],
        check=True,
        timeout=400,
        env={"WEEDWATCH_STATE_DIR": str(folder / "state"), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        cwd=Path(__file__).parents[4],
    )
    return folder / "1"


def test_the_folder_holds_the_model_its_card_and_its_samples(demo: Path) -> None:
    names = {path.relative_to(demo).as_posix() for path in demo.rglob("*") if path.is_file()}
    samples = {f"samples/{name}" for name in FILES}
    assert names == {"model.pth", "class_labels.json", "model_card.json", "confusion_matrix.png", *samples}


def test_the_labels_are_those_of_the_drawings(demo: Path) -> None:
    assert json.loads((demo / "class_labels.json").read_text()) == sorted(LABELS)


def test_the_card_says_what_the_contract_names(demo: Path) -> None:
    card = json.loads((demo / "model_card.json").read_text())
    assert set(card) == {
        "name", "version", "architecture", "input", "data", "metrics", "verdict", "negative_labels", "common_names",
        "limits",
    }  # fmt: skip
    assert set(card["verdict"]) == {"species_min", "one_of_min", "one_of_max"}
    assert set(card["input"]) == {"height", "width", "resize", "mean", "std"}
    assert set(card["common_names"]) == set(LABELS)
    assert card["negative_labels"] == ["not_a_target"]
    assert set(card["metrics"]["per_class"]) == set(LABELS)
    assert "must not be used to identify real plants" in card["limits"]


def test_the_samples_are_small_jpegs(demo: Path) -> None:
    for name in FILES:
        path = demo / "samples" / name
        with Image.open(path) as picture:
            assert (picture.format, picture.size) == ("JPEG", (640, 480))
        assert path.stat().st_size < 90_000
