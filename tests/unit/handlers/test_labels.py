"""A labels file names at least two classes, each once, in the order of the network's outputs."""

import json
from pathlib import Path

import pytest

from handlers.labels import LabelsError, read_labels


def write(folder: Path, values: object) -> Path:
    path = folder / "class_labels.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_a_list_is_read_in_its_order(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, ["b", "a", "ß"])) == ["b", "a", "ß"]


def test_an_object_is_read_by_index(tmp_path: Path) -> None:
    names = {str(index): f"class {index}" for index in reversed(range(12))}
    assert read_labels(write(tmp_path, names)) == [f"class {index}" for index in range(12)]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["only"], "at least two classes"),
        ([], "at least two classes"),
        (["a", "b", "a"], "more than once: a"),
        (["a", 5], "is 5"),
        (["a", " "], "' '"),
        ({"0": "a", "2": "b"}, "index 1 is absent"),
        ({"a": 0, "b": 1}, "index 0 is absent"),
        ("names", "neither a list"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_with_a_sentence(tmp_path: Path, values: object, sentence: str) -> None:
    with pytest.raises(LabelsError, match=sentence):
        read_labels(write(tmp_path, values))


def test_an_absent_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"no labels file at .*class_labels\.json"):
        read_labels(tmp_path / "class_labels.json")
    (tmp_path / "class_labels.json").write_text("[", encoding="utf-8")
    with pytest.raises(LabelsError, match="is no JSON"):
        read_labels(tmp_path / "class_labels.json")
