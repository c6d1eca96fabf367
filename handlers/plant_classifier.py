"""The handler: one batch of encoded pictures in, ranked labels out.

TorchServe loads this file flat from the unpacked archive and wants exactly one class in it.
It knows nothing of TorchServe but the context object, so that it can leave TorchServe one day.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import numpy as np

if __package__:
    from handlers import preprocessing
    from handlers.batch import Picture, Prediction, read_row, write_row
    from handlers.telling import Lines, Tally
else:  # inside the archive
    import preprocessing  # type: ignore[import-not-found, no-redef]
    from batch import Picture, Prediction, read_row, write_row  # type: ignore[import-not-found, no-redef]
    from telling import Lines, Tally  # type: ignore[import-not-found, no-redef]

Network = Callable[[preprocessing.Floats], preprocessing.Floats]


class PlantClassifier:
    """Answers batches; TorchServe calls `initialize` once, then `handle` for each batch."""

    def initialize(self, ctx: Any) -> None:
        """Load the archive's network and run it once, so that the first request finds it warm."""
        model = (ctx.manifest or {}).get("model", {})
        self.identity = {"model": str(ctx.model_name), "version": str(model.get("modelVersion", ""))}
        self.lines = Lines()
        try:
            self._load(Path(ctx.system_properties["model_dir"]), ctx)
        except Exception as error:
            # TorchServe spreads the cause over twenty lines of its own log; here it is one.
            self.lines.add(
                {
                    **{"level": "ERROR", "message": "the model cannot be loaded", "event": "load_failed"},
                    **{"error": f"{type(error).__name__}: {error}", **self.identity},
                }
            )
            self.lines.write()  # the worker may be ended at any moment
            raise
        _quiet_worker_log()

    def _load(self, folder: Path, ctx: Any) -> None:
        self.labels: list[str] = json.loads((folder / "class_labels.json").read_text(encoding="utf-8"))
        card = json.loads((folder / "model_card.json").read_text(encoding="utf-8"))
        self.spec = preprocessing.InputSpec.from_dict(card["input"])
        self.max_pixels = int(os.environ.get("WEEDWATCH_MAX_PIXELS") or preprocessing.MAX_PIXELS)
        self.network = load_network(folder, ctx.system_properties.get("gpu_id"))
        self.tally = Tally(ctx.metrics, self.identity["model"], self.labels)
        _warm(self.network, self.spec, folder)

    def handle(self, data: Sequence[Mapping[str, Any]], ctx: Any) -> list[bytes]:
        """Answer a batch; a picture that cannot be used, or whose deadline has passed, fails alone.

        Args:
            data: One row per request: a picture, or a frame of pictures, under "body" (or "data").
            ctx: TorchServe's context of this batch.

        Returns:
            One document per row, in order: compact JSON, or for a frame a frame of them.
        """
        rows = [
            read_row(row, ctx.get_all_request_header(index), ctx.get_request_id(index))
            for index, row in enumerate(data)
        ]
        pictures = [picture for row, _ in rows for picture in row]
        for picture in pictures:
            self._preprocess(picture)
        self._infer([picture for picture in pictures if picture.pixels is not None])
        self.tally.add(pictures)
        for picture in pictures:
            self.lines.add({**picture.log_fields(), **self.identity})
        return [write_row(ctx, index, row, framed=framed) for index, (row, framed) in enumerate(rows)]

    def _preprocess(self, picture: Picture) -> None:
        started = perf_counter()
        if picture.refusal:
            pass  # it was not even there
        elif monotonic() > picture.deadline:
            picture.refusal = ("deadline_exceeded", "The deadline passed before the picture's turn came.")
        else:
            try:
                picture.pixels = (
                    preprocessing.preprocess(picture.data, self.spec, self.max_pixels)
                    if picture.tensor is None
                    else preprocessing.from_tensor(picture.data, picture.tensor, self.spec)
                )
            except preprocessing.UnusableImage as error:
                picture.refusal = (error.code, str(error))
        picture.seconds["preprocess"] = perf_counter() - started

    def _infer(self, pictures: Sequence[Picture]) -> None:
        """All in one run of the network; each is told its share of the time, so that times add up."""
        if not pictures:
            return
        started = perf_counter()
        probabilities = softmax(self.network(np.stack([each.pixels for each in pictures if each.pixels is not None])))
        inferred = perf_counter()
        for picture, row in zip(pictures, probabilities, strict=True):
            picture.ranked = rank(row, self.labels, picture.top_k)
            picture.seconds["inference"] = (inferred - started) / len(pictures)
        for picture in pictures:
            picture.seconds["postprocess"] = (perf_counter() - inferred) / len(pictures)


def load_network(folder: Path, gpu_id: object = None) -> Network:
    """Load the archive's network for the device that TorchServe gave this worker.

    Returns:
        A function from float32 (batch, 3, height, width) to logits, float32 (batch, classes).
    """
    if isinstance(gpu_id, int) and gpu_id >= 0:
        import torch  # noqa: PLC0415 - a CPU worker does not need it

        if torch.cuda.is_available():
            precision = os.environ.get("WEEDWATCH_CUDA_PRECISION") or "float32"
            return torch_network(folder / "model.pt2", f"cuda:{gpu_id}", precision)
    return _onnx_network(folder / "model.onnx")


def torch_network(path: Path, device: str, precision: str = "float32") -> Network:
    """Load model.pt2 onto a torch device; see `load_network`.

    Args:
        path: Of the exported program.
        device: A torch device, such as `cuda:0`.
        precision: `float32`, or `bfloat16` for what torch counts as safe in it: faster, and not the CPU's answers to
            the last digits.

    Raises:
        ValueError: There is no such precision.
    """
    if precision not in {"float32", "bfloat16"}:
        raise ValueError(f"WEEDWATCH_CUDA_PRECISION is {precision!r}; it may be float32 or bfloat16.")
    import torch  # noqa: PLC0415 - see load_network
    from torch.export.passes import move_to_device_pass  # noqa: PLC0415

    # The same answers as on the CPU matter more than the last bit of speed.
    torch.backends.cudnn.allow_tf32 = False
    network = move_to_device_pass(torch.export.load(path), device).module()
    kind = torch.device(device).type

    def run(batch: preprocessing.Floats) -> preprocessing.Floats:
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=precision == "bfloat16"):
            logits: preprocessing.Floats = network(torch.from_numpy(batch).to(device)).float().cpu().numpy()
        return logits

    return run


def softmax(logits: preprocessing.Floats) -> preprocessing.Floats:
    """Turn logits (batch, classes) into probabilities of the same shape."""
    exponents = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: preprocessing.Floats = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def rank(probabilities: preprocessing.Floats, labels: Sequence[str], count: int) -> list[Prediction]:
    """The `count` likeliest labels with their confidence (0 to 1, six decimals), best first."""
    best = np.argsort(-probabilities, kind="stable")[:count]
    return [{"label": labels[i], "confidence": round(float(probabilities[i]), 6)} for i in best]


def _onnx_network(path: Path) -> Network:
    import onnxruntime  # noqa: PLC0415 - a CUDA worker does not need it

    options = onnxruntime.SessionOptions()
    # One worker is one core's work: threads of several workers would fight for the same cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(batch: preprocessing.Floats) -> preprocessing.Floats:
        logits: preprocessing.Floats = session.run(None, {name: batch})[0]
        return logits

    return run


def _warm(network: Network, spec: preprocessing.InputSpec, folder: Path) -> None:
    for picture in sorted(folder.glob("reference-*"))[:1]:
        preprocessing.preprocess(picture.read_bytes(), spec)
    network(np.zeros((1, 3, spec.height, spec.width), dtype=np.float32))


def _quiet_worker_log() -> None:
    """Stop the worker's line per request ("Backend received …"), which says nothing; metrics are lines, and stay."""
    logging.getLogger("ts.metrics").setLevel(logging.INFO)
    logging.getLogger().setLevel(logging.WARNING)
