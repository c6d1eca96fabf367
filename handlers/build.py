"""Build one archive: load, export, compare, pin the reference answers, pack. Imports torch."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile
from time import perf_counter
from typing import Any

import yaml

from handlers.agreement import check_agreement
from handlers.bundle import write_archive, write_manifest
from handlers.checkpoint import load_checkpoint
from handlers.errors import SourceError
from handlers.export import export_onnx, export_program
from handlers.labels import read_labels
from handlers.plant_classifier import load_network
from handlers.preprocessing import InputSpec, preprocess
from handlers.reference import pin_answers, reference_pictures
from handlers.source import BUILD_FILE, HANDLERS, WORKER_MODULES, ModelSource, build_inputs

Say = Callable[[str], None]

# Timeouts must stand here: with a configuration in the archive TorchServe ignores those of the register call.
MODEL_CONFIG: dict[str, Any] = {
    "batchSize": 1,
    "maxBatchDelay": 0,
    # A worker that hangs is replaced soon after the longest deadline that the service has by itself (10 s).
    "responseTimeout": 12,
    "startupTimeout": 120,
    # After this time TorchServe would never restart a dead worker again. 24 days: the largest number of seconds
    # that TorchServe can turn into milliseconds without an overflow.
    "maxRetryTimeoutInSec": 2_147_483,
}
# These would beat the number of workers that the control plane asks for.
_NOT_OURS = ("minWorkers", "maxWorkers")


def build_archive(source: ModelSource, archive: Path, say: Say) -> None:
    """Write the archive, or raise and leave what was there.

    Raises:
        SourceError: The source cannot be served; the message says what to change.
    """
    started = perf_counter()
    inputs = build_inputs(source)
    labels, card = read_labels(source.labels), source.read_card()
    network, spec, architecture = load_checkpoint(source.checkpoint, labels, card, source.architecture)
    say(f"Loaded {architecture} with {len(labels)} classes and {spec.height} x {spec.width} pixels.")
    with tempfile.TemporaryDirectory(prefix="weedwatch-archive-") as temporary:
        folder = Path(temporary)
        program = export_program(network, spec, folder / "model.pt2")
        say(f"Exported model.pt2 ({perf_counter() - started:.1f} s).")
        export_onnx(program, folder / "model.onnx")
        say(f"Exported model.onnx ({perf_counter() - started:.1f} s).")
        _write_pictures(source, folder, spec, labels)
        pictures = [preprocess(path.read_bytes(), spec) for path in sorted(folder.glob("reference-*"))]
        difference = check_agreement(network, folder, spec, pictures)
        say(f"PyTorch, the exported program and ONNX Runtime agree within {difference:.1g}.")
        _write_json(folder / "class_labels.json", labels)
        _write_json(folder / "model_card.json", _card(source, card, labels, spec, architecture))
        _write_config(source, folder, say)
        _write_json(folder / BUILD_FILE, inputs)
        for module in WORKER_MODULES:
            copyfile(HANDLERS / module, folder / module)
        write_manifest(folder, source.name, source.version)
        write_archive(folder, archive)
    say(f"Wrote {archive.name}, {archive.stat().st_size / 1e6:.1f} MB, in {perf_counter() - started:.1f} s.")


def _write_pictures(source: ModelSource, folder: Path, spec: InputSpec, labels: list[str]) -> None:
    pictures = reference_pictures(source.samples)
    for name, data in pictures.items():
        (folder / name).write_bytes(data)
    _write_json(folder / "reference.json", pin_answers(pictures, load_network(folder), spec, labels))


def _card(
    source: ModelSource, card: dict[str, Any], labels: list[str], spec: InputSpec, architecture: str
) -> dict[str, Any]:
    named = [*card.get("negative_labels", ()), *card.get("common_names", ())]
    if unknown := [label for label in named if label not in labels]:
        raise SourceError(f"model_card.json speaks of {unknown[0]!r}, which is no label of this model. Correct it.")
    ours = {"name": source.name, "version": source.version, "architecture": architecture, "input": spec.to_dict()}
    return {**card, **ours}


def _write_config(source: ModelSource, folder: Path, say: Say) -> None:
    theirs = yaml.safe_load(source.config.read_text(encoding="utf-8")) if source.config.exists() else {}
    if not isinstance(theirs, dict):
        raise SourceError(f"{source.config} must hold names and values. Correct or remove it.")
    if refused := [name for name in _NOT_OURS if theirs.pop(name, None) is not None]:
        say(f"Left out {' and '.join(refused)} of model-config.yaml: the control plane decides how many workers run.")
    text = yaml.safe_dump({**MODEL_CONFIG, **theirs}, sort_keys=True)
    (folder / "model-config.yaml").write_text(text, encoding="utf-8")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
