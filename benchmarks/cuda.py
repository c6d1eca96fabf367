"""The network of an archive on CUDA beside the CPU: the same answers, and how much sooner.

`python -m benchmarks.cuda ARCHIVE`, where a CUDA device is. The CPU side is what a worker runs there: ONNX Runtime on
one thread. Pictures are the archive's own reference pictures, over and over.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from handlers.plant_classifier import Network, load_network, softmax
from handlers.preprocessing import Floats, InputSpec, preprocess

BATCHES = (1, 8, 32)
RUNS = 50


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    archive = parser.parse_args(arguments).archive
    import torch  # noqa: PLC0415 - seconds, after the arguments were read

    if not torch.cuda.is_available():
        print("There is no CUDA device here.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
        return _compare(Path(folder), f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}")


def _compare(folder: Path, device: str) -> int:
    labels = json.loads((folder / "class_labels.json").read_text())
    spec = InputSpec.from_dict(json.loads((folder / "model_card.json").read_text())["input"])
    pictures = [preprocess(file.read_bytes(), spec) for file in sorted(folder.glob("reference-*"))]
    cuda, cpu = load_network(folder, 0), load_network(folder)
    print(f"{device}; {len(pictures)} reference pictures, {len(labels)} labels")
    print("  batch  CPU ms  CUDA ms  ratio  largest difference  same best label")
    alike = True
    for size in BATCHES:
        batch = np.stack([pictures[n % len(pictures)] for n in range(size)])
        on_cuda, on_cpu = softmax(cuda(batch)), softmax(cpu(batch))
        same = bool((on_cuda.argmax(axis=1) == on_cpu.argmax(axis=1)).all())
        difference = float(np.abs(on_cuda - on_cpu).max())
        alike = alike and same and difference < 1e-3
        there, here = _milliseconds(cuda, batch), _milliseconds(cpu, batch)
        print(
            f"  {size:5}  {here:6.2f}  {there:7.2f}  {here / there:5.1f}  {difference:18.2g}  {'yes' if same else 'NO'}"
        )
    return 0 if alike else 1


def _milliseconds(network: Network, batch: Floats) -> float:
    """The median of some runs, the way to the device and back included."""
    took = []
    for _ in range(RUNS):
        started = time.perf_counter()
        network(batch)
        took.append(1000 * (time.perf_counter() - started))
    return statistics.median(took[RUNS // 5 :])


if __name__ == "__main__":
    raise SystemExit(main())
