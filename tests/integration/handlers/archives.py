"""A classifier that is small enough to build in a test."""

import json
from pathlib import Path

import torch

from handlers.archive import ensure_archive
from handlers.checkpoint import build_network
from handlers.source import ModelSource

LABELS = ["reed, common", "hogweed", "fern"]


def write_tiny_source(name: str, folder: Path, version: str = "1") -> ModelSource:
    """A squeezenet for 64 pixels with random weights that tells pictures apart."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    network = build_network("squeezenet1_1", len(LABELS))
    state = network.state_dict()
    state["classifier.1.weight"] *= 30
    checkpoint = {
        "architecture": "squeezenet1_1",
        "num_classes": len(LABELS),
        "input": {"height": 64, "width": 64, "resize": 72},
        "state_dict": state,
    }
    torch.save(checkpoint, folder / "model.pth")
    (folder / "class_labels.json").write_text(json.dumps(LABELS), encoding="utf-8")
    return ModelSource(name, version, folder / "model.pth", folder / "class_labels.json")


def build_tiny_archive(name: str, store: Path) -> Path:
    source = write_tiny_source(name, store / "sources" / name / "1")
    return ensure_archive(source, store)[1]
