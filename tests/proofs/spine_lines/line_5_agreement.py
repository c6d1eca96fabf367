"""Line 5, first half: top-1 of the serving path against the usual training transform, and of ONNX against PyTorch."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from PIL import Image, ImageOps
from torchvision import transforms

from handlers.checkpoint import load_checkpoint
from handlers.labels import read_labels
from handlers.preprocessing import InputSpec, preprocess
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_least
from tests.proofs.stack import clean_environment
from training.synthetic import LABELS, draw, write_picture

SOURCE = Path("model_store/sources/plants/1")
PICTURES = 500
LARGE_PICTURES = 18
LARGE_SIZE = (4000, 3000)
# No training run uses it.
SEED = 20_000_003
AGREEMENT_PERCENT = 99.5

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Runtimes:
    """The model as it is trained and as it is served, over the same input."""

    spec: InputSpec
    network: torch.nn.Module
    session: onnxruntime.InferenceSession

    def torch_label(self, image: Floats) -> int:
        with torch.inference_mode():
            return int(self.network(torch.from_numpy(image[None])).argmax())

    def onnx_label(self, image: Floats) -> int:
        name = self.session.get_inputs()[0].name
        return int(np.argmax(self.session.run(None, {name: image[None]})[0]))


@dataclass(frozen=True)
class Compared:
    trained: int
    served: int
    served_by_onnx: int


def agreement(context: Context) -> list[Figure]:
    runtimes = load(context.root)
    small = [compare(runtimes, data) for data in drawn(context.folder, PICTURES)]
    large = [compare(runtimes, data) for data in photos(LARGE_PICTURES)]
    return [
        _share(f"serving agrees with the training transform, {len(small)} pictures", small, AGREEMENT_PERCENT),
        _share(f"serving agrees with the training transform, {len(large)} at 12 megapixels", large, AGREEMENT_PERCENT),
        at_least("ONNX agrees with PyTorch", _percent([c.served == c.served_by_onnx for c in small + large]), 100, "%"),
    ]


def _share(name: str, compared: list[Compared], limit: float) -> Figure:
    return at_least(name, _percent([one.trained == one.served_by_onnx for one in compared]), limit, "%")


def _percent(claims: list[bool]) -> float:
    return 100 * sum(claims) / len(claims)


def load(root: Path) -> Runtimes:
    # Threads that wait for each other spin: on a busy machine two are many times slower than one.
    torch.set_num_threads(1)
    network, spec, _ = load_checkpoint(root / SOURCE / "model.pth", read_labels(root / SOURCE / "class_labels.json"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with zipfile.ZipFile(built_archive(root)) as archive:
        model = archive.read("model.onnx")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return Runtimes(spec, network, session)


def built_archive(root: Path, *arguments: str) -> Path:
    """Build it by the documented command unless it is current."""
    done = subprocess.run(
        [sys.executable, "-m", "handlers.archive", *arguments],
        cwd=root,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The archive was not built: {done.stderr[-1000:]}")
    return root / done.stdout.strip().splitlines()[-1].split(": ", 1)[1]


def compare(runtimes: Runtimes, data: bytes) -> Compared:
    served = preprocess(data, runtimes.spec)
    trained = usual_transform(data, runtimes.spec)
    return Compared(runtimes.torch_label(trained), runtimes.torch_label(served), runtimes.onnx_label(served))


def usual_transform(data: bytes, spec: InputSpec) -> Floats:
    """Resize, centre crop, tensor, normalise: torchvision's own, over the whole decoded picture."""
    steps = transforms.Compose(
        [
            transforms.Resize(spec.resize),
            transforms.CenterCrop((spec.height, spec.width)),
            transforms.ToTensor(),
            transforms.Normalize(spec.mean, spec.std),
        ]
    )
    with Image.open(BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image)
        tensor: torch.Tensor = steps(upright.convert("RGB"))
    return tensor.numpy()


def drawn(folder: Path, count: int) -> Iterator[bytes]:
    """Pictures that no training has seen, as files of varied quality and orientation."""
    path = folder / "drawn.jpg"
    for number in range(count):
        write_picture(path, LABELS[number % len(LABELS)], number // len(LABELS), SEED)
        yield path.read_bytes()


def photos(count: int) -> Iterator[bytes]:
    """Pictures of a camera's size: drawn, enlarged, and grained at full size."""
    grain = np.random.default_rng(SEED).normal(0, 6, (LARGE_SIZE[1], LARGE_SIZE[0], 1)).astype(np.float32)
    for number in range(count):
        picture = draw(LABELS[number % len(LABELS)], number, SEED + 1, size=(1200, 900))
        enlarged = np.asarray(picture.resize(LARGE_SIZE, Image.Resampling.BICUBIC), dtype=np.float32)
        target = BytesIO()
        Image.fromarray(np.clip(enlarged + grain, 0, 255).astype(np.uint8)).save(target, "JPEG", quality=88)
        yield target.getvalue()
