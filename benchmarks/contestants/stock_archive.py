"""The archive of (c): the same weights for TorchServe's own handler, as its documentation has it."""

import json
from pathlib import Path

import torch
import yaml

from handlers.bundle import write_archive
from handlers.checkpoint import load_checkpoint
from handlers.labels import read_labels

MODEL = "stock"
MODEL_FILE = '''"""The network of the benchmark, in eager mode."""

import torch
from torchvision.models import get_model


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = get_model("{architecture}", weights=None, num_classes={classes})

    def forward(self, batch):
        return self.network(batch)
'''
CONFIG = {"batchSize": 1, "maxBatchDelay": 0, "responseTimeout": 120, "startupTimeout": 300}


def build_stock_archive(store: Path, source: Path) -> Path:
    """Write stock.mar into the store; gives its path."""
    labels = read_labels(source / "class_labels.json")
    network, _, architecture = load_checkpoint(
        source / "model.pth", labels, json.loads((source / "model_card.json").read_text())
    )
    folder = store / "unpacked"
    (folder / "MAR-INF").mkdir(parents=True)
    text = MODEL_FILE.format(architecture=architecture, classes=len(labels))
    (folder / "model.py").write_text(text)
    torch.save({f"network.{name}": value for name, value in network.state_dict().items()}, folder / "model.pth")
    (folder / "index_to_name.json").write_text(json.dumps({str(i): label for i, label in enumerate(labels)}))
    (folder / "model-config.yaml").write_text(yaml.safe_dump(CONFIG))
    (folder / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(_manifest()))
    write_archive(folder, store / f"{MODEL}.mar")
    return store / f"{MODEL}.mar"


def _manifest() -> dict[str, object]:
    model = {
        "modelName": MODEL,
        "serializedFile": "model.pth",
        "modelFile": "model.py",
        "handler": "image_classifier",
        "modelVersion": "1",
        "configFile": "model-config.yaml",
    }
    return {"createdOn": "01/01/1980 00:00:00", "runtime": "python", "model": model, "archiverVersion": "0.12.0"}
