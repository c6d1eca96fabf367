"""Measure a network on held-out pictures, read exactly as the server reads them.

`python -m training.evaluate --data FOLDER --model DIR` prints the report and writes confusion_matrix.png.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import nn

from handlers.checkpoint import load_checkpoint, read_labels
from handlers.preprocessing import InputSpec, to_input
from training.dataset import Dataset, load

Probabilities = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassReport:
    """Precision and recall are 0 to 1; precision is None for a class that was never answered."""

    label: str
    pictures: int
    precision: float | None
    recall: float


@dataclass(frozen=True)
class Report:
    """What the network did on the held-out pictures.

    Attributes:
        accuracy: Share of pictures whose best label is right.
        confusion: Shape (classes, classes); rows are the truth, columns the answer.
    """

    pictures: int
    accuracy: float
    classes: tuple[ClassReport, ...]
    confusion: Counts

    def to_dict(self) -> dict[str, object]:
        """Give what a model card keeps."""
        per_class = {each.label: {k: v for k, v in asdict(each).items() if k != "label"} for each in self.classes}
        return {"accuracy": self.accuracy, "held_out_pictures": self.pictures, "per_class": per_class}


def predict(network: nn.Module, dataset: Dataset, spec: InputSpec) -> Probabilities:
    """Give the softmax of the network's answers, shape (n, classes)."""
    rows = []
    with torch.inference_mode():
        for start in range(0, len(dataset.targets), 64):
            pictures = [to_input(Image.fromarray(each), spec) for each in dataset.pixels[start : start + 64]]
            rows.append(torch.softmax(network(torch.from_numpy(np.stack(pictures))).double(), dim=1).numpy())
    return np.concatenate(rows)


def report(probabilities: Probabilities, targets: npt.NDArray[np.int64], labels: tuple[str, ...]) -> Report:
    """Compare the best labels with the truth."""
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, (targets, probabilities.argmax(axis=1)), 1)
    right, truth, answered = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    classes = tuple(
        ClassReport(
            label=label,
            pictures=int(truth[k]),
            precision=round(float(right[k] / answered[k]), 4) if answered[k] else None,
            recall=round(float(right[k] / max(1, truth[k])), 4),
        )
        for k, label in enumerate(labels)
    )
    return Report(len(targets), round(float(right.sum() / max(1, len(targets))), 4), classes, confusion)


def measure(model: Path, data: Path) -> tuple[Report, Probabilities, Dataset]:
    """Evaluate model.pth of the folder `model` on data/label/*.jpg."""
    labels = tuple(read_labels(model / "class_labels.json"))
    network, spec, _ = load_checkpoint(model / "model.pth", labels)
    dataset = load(data, spec.height, spec.width, spec.resize, labels)
    probabilities = predict(network, dataset, spec)
    return report(probabilities, dataset.targets, labels), probabilities, dataset


def print_report(measured: Report, console: Console | None = None) -> None:
    table = Table(
        "Class", "Pictures", "Precision", "Recall", title=f"Accuracy {measured.accuracy:.1%} of {measured.pictures}"
    )
    for each in measured.classes:
        precision = "never answered" if each.precision is None else f"{each.precision:.3f}"
        table.add_row(each.label, str(each.pictures), precision, f"{each.recall:.3f}")
    (console or Console()).print(table)


def draw_confusion(measured: Report, path: Path) -> None:
    """Write the confusion matrix as a PNG."""
    import matplotlib  # noqa: PLC0415 - slow to import, and only needed here

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    names = [each.label for each in measured.classes]
    shares = measured.confusion / np.maximum(1, measured.confusion.sum(axis=1, keepdims=True))
    figure, axes = pyplot.subplots(figsize=(8.5, 7.5), layout="constrained")
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("Answer")
    axes.set_ylabel("Truth")
    axes.set_title(f"{measured.accuracy:.1%} of {measured.pictures} held-out pictures right")
    for (row, column), count in np.ndenumerate(measured.confusion):
        if count:
            axes.text(
                column,
                row,
                str(count),
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
            )
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a network on held-out pictures.")
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of pictures per class")
    parser.add_argument("--model", type=Path, required=True, help="folder with model.pth and class_labels.json")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    chosen = parser.parse_args()
    measured, _, _ = measure(chosen.model, chosen.data)
    draw_confusion(measured, chosen.model / "confusion_matrix.png")
    if chosen.json:
        print(json.dumps(measured.to_dict(), indent=2))
    else:
        print_report(measured)


if __name__ == "__main__":
    main()
