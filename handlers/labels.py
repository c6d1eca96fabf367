"""The file that names a model's classes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from handlers.errors import SourceError


class LabelsError(SourceError):
    """The labels cannot be used; the message says what to change."""


def read_labels(path: Path) -> list[str]:
    """Read class names in the order of the network's outputs.

    Args:
        path: JSON: a list of names, or an object from index ("0", "1", …) to name.

    Raises:
        LabelsError: The file is absent, no JSON, or names fewer than two or the same class twice.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LabelsError(f"There is no labels file at {path}. Put a JSON list of the class names there.") from error
    except ValueError as error:
        raise LabelsError(f"{path} is no JSON ({error}). Write the class names as a JSON list.") from error
    labels = _in_order(values, path) if isinstance(values, dict) else values
    if not isinstance(labels, list):
        raise LabelsError(f"{path} holds neither a list of names nor an object from index to name.")
    check_labels(labels)
    return cast("list[str]", labels)


def check_labels(labels: Sequence[object]) -> None:
    """Raise `LabelsError` unless these are at least two different names."""
    if odd := [label for label in labels if not isinstance(label, str) or not label.strip()]:
        raise LabelsError(f"Every label must be a name, but one is {odd[0]!r}. Give each class a text.")
    if len(labels) < 2:
        raise LabelsError(f"A classifier needs at least two classes; the labels name {len(labels)}.")
    if twice := sorted({str(label) for label in labels if labels.count(label) > 1}):
        raise LabelsError(f"These labels stand more than once: {', '.join(twice[:5])}. Give each class its own name.")


def _in_order(values: dict[str, object], path: Path) -> list[object]:
    wanted = [str(index) for index in range(len(values))]
    if absent := [index for index in wanted if index not in values]:
        raise LabelsError(
            f"{path} names {len(values)} classes, but index {absent[0]} is absent. "
            f"Use the indexes 0 to {len(values) - 1}, each once."
        )
    return [values[index] for index in wanted]
