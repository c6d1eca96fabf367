"""The check before an archive is written: do PyTorch, the exported program and ONNX Runtime give the same answers?"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from handlers.errors import SourceError
from handlers.plant_classifier import Network, load_network, softmax, torch_network
from handlers.preprocessing import Floats, InputSpec

# Two correct float32 runtimes add in different orders; that moves a probability by about 1e-6 (1e-5 in very deep
# networks). A wrong export moves it by far more. 1e-4 is between, and 0.01 % is below what anybody is shown.
TOLERANCE = 1e-4
BATCH_SIZES = (1, 3)


class DisagreementError(SourceError):
    """Two runtimes answer differently for the same picture."""


def check_agreement(network: torch.nn.Module, folder: Path, spec: InputSpec, pictures: Sequence[Floats]) -> float:
    """Compare the three runtimes on the pictures and on noise, alone and in batches.

    Args:
        network: The network as loaded, in eval mode.
        folder: Holds the exported model.pt2 and model.onnx.
        spec: The network's input.
        pictures: Preprocessed pictures, float32 (3, height, width) each.

    Returns:
        The largest difference of two probabilities that was seen.

    Raises:
        DisagreementError: The difference is above `TOLERANCE`, or a runtime gives no numbers.
    """
    inputs = [*pictures, *_noise(spec)]
    runtimes = {"the exported program": _program(folder), "ONNX Runtime": load_network(folder)}
    largest = 0.0
    for size in BATCH_SIZES:
        for batch in _batches(inputs, size):
            expected = softmax(_run(network, batch))
            for name, runtime in runtimes.items():
                largest = max(largest, _difference(name, softmax(runtime(batch)), expected, size))
    return largest


def _difference(name: str, probabilities: Floats, expected: Floats, size: int) -> float:
    difference = float(np.abs(probabilities - expected).max()) if probabilities.shape == expected.shape else np.inf
    if not difference <= TOLERANCE:  # also true for nan
        raise DisagreementError(
            f"PyTorch and {name} disagree: at batch size {size} a probability differs by {difference:.2g}, "
            f"allowed is {TOLERANCE:g}. The archive is not written. Try another architecture or torch version."
        )
    return difference


def _noise(spec: InputSpec) -> list[Floats]:
    generator = np.random.default_rng(0)
    return list(generator.standard_normal((4, 3, spec.height, spec.width), dtype=np.float32))


def _batches(inputs: Sequence[Floats], size: int) -> list[Floats]:
    return [np.stack(inputs[start : start + size]) for start in range(0, len(inputs) - size + 1, size)]


def _program(folder: Path) -> Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the loader, about itself
        return torch_network(folder / "model.pt2", "cpu")


def _run(network: torch.nn.Module, batch: Floats) -> Floats:
    with torch.inference_mode():
        logits: Floats = network(torch.from_numpy(batch)).numpy()
    return logits
