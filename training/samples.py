"""Pictures to try the model with: held-out drawings that it answers right."""

from collections.abc import Iterator
from io import BytesIO
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from handlers.checkpoint import load_checkpoint, read_labels
from handlers.preprocessing import InputSpec, preprocess
from training.synthetic import NOT_A_TARGET, draw, other_subject, split_seed
from training.verdicts import Verdict

# File -> class and the number of the first drawing to try: one that shows the plant well.
# The numbers are higher than those of any picture that was trained on or measured.
FILES = {
    "crofton-weed.jpg": ("Ageratina adenophora", 100_008),
    "fern.jpg": (NOT_A_TARGET, 100_189),
    "giant-hogweed.jpg": ("Heracleum mantegazzianum", 100_013),
    "knotweed.jpg": ("Reynoutria japonica", 100_000),
    "lantana.jpg": ("Lantana camara", 100_009),
    "mile-a-minute.jpg": ("Mikania micrantha", 100_006),
    "parthenium.jpg": ("Parthenium hysterophorus", 100_005),
    "siam-weed.jpg": ("Chromolaena odorata", 100_008),
    "water-hyacinth.jpg": ("Pontederia crassipes", 100_010),
}
SIZE = (640, 480)
MAX_BYTES = 60_000
TRIES = 60


def write_samples(model: Path, verdict: Verdict, seed: int, strict: bool = True) -> None:
    """Write one JPEG per class to model/samples.

    Args:
        model: Holds model.pth and class_labels.json.
        verdict: A sample must be named above its thresholds.
        seed: Of the dataset.
        strict: Take the first drawing whatever the model says when false.

    Raises:
        ValueError: None of many drawings of a class is answered right; the model is too weak.
    """
    labels = read_labels(model / "class_labels.json")
    network, spec, _ = load_checkpoint(model / "model.pth", labels)
    folder = model / "samples"
    folder.mkdir(exist_ok=True)
    least = max(verdict.species_min, 0.8) if strict else 0.0
    for name, (label, first) in FILES.items():
        for data in islice(_drawings(label, first, split_seed(seed, "held_out")), TRIES):
            answer, confidence = _answer(network, spec, data)
            if not strict or (labels[answer] == label and confidence >= least):
                (folder / name).write_bytes(data)
                break
        else:
            raise ValueError(
                f"The model names none of {TRIES} drawings of {label} with confidence {least:.2f}. Train it longer."
            )


def _drawings(label: str, first: int, seed: int) -> Iterator[bytes]:
    """Give drawings of the class as JPEGs, from number `first` on; of not_a_target only the ferns."""
    for index in count(first):
        if label != NOT_A_TARGET or other_subject(index, seed) == "fern":
            yield _jpeg(draw(label, index, seed, SIZE))


def _answer(network: nn.Module, spec: InputSpec, data: bytes) -> tuple[int, float]:
    """Give the index of the best class and its confidence."""
    with torch.inference_mode():
        row = torch.softmax(network(torch.from_numpy(preprocess(data, spec)[np.newaxis])), dim=1)[0]
    best = int(row.argmax())
    return best, float(row[best])


def _jpeg(image: Image.Image) -> bytes:
    """Give the picture as a JPEG of at most MAX_BYTES, or of quality 60."""
    for quality in range(90, 59, -5):
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= MAX_BYTES:
            break
    return buffer.getvalue()
