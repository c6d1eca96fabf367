"""Our handler's functions without any server: a picture's bytes in, the answer's bytes out."""

import json
from pathlib import Path

import numpy as np

from handlers.plant_classifier import load_network, rank, softmax
from handlers.preprocessing import InputSpec, preprocess

TOP_K = 5


class Classifier:
    """Loads what an archive was unpacked to; answers one picture at a time, on one core."""

    def __init__(self, folder: Path) -> None:
        card = json.loads((folder / "model_card.json").read_text(encoding="utf-8"))
        self._labels: list[str] = json.loads((folder / "class_labels.json").read_text(encoding="utf-8"))
        self._spec = InputSpec.from_dict(card["input"])
        self._network = load_network(folder)

    def answer(self, picture: bytes) -> bytes:
        pixels = preprocess(picture, self._spec)
        probabilities = softmax(self._network(np.stack([pixels])))
        ranked = rank(probabilities[0], self._labels, TOP_K)
        return json.dumps({"predictions": ranked}, ensure_ascii=False, separators=(",", ":")).encode()
