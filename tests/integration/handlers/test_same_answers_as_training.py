"""The demo model answers the same, whether a picture is prepared here or by the usual torchvision transforms."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from handlers.checkpoint import load_checkpoint
from handlers.labels import read_labels
from handlers.plant_classifier import softmax
from handlers.preprocessing import Floats, preprocess
from handlers.source import find_source
from tests.unit.handlers.pictures import encode
from training.synthetic import draw, split_seed

PICTURES = 18
# Rounding to 256 levels in another order moves a probability by up to 0.01, a scaled JPEG decode too.
LARGEST_DIFFERENCE = 0.03


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    labels = read_labels(find_source("plants").labels)
    seed = split_seed(99, "held_out")
    return [draw(labels[i % len(labels)], i // len(labels), seed).convert("RGB") for i in range(PICTURES)]


@pytest.mark.parametrize("megapixels", [None, 5])
def test_the_first_label_is_that_of_the_usual_transforms(pictures: list[Image.Image], megapixels: int | None) -> None:
    source = find_source("plants")
    labels = read_labels(source.labels)
    network, spec, _ = load_checkpoint(source.checkpoint, labels, source.read_card())
    usual = transforms.Compose(
        [
            transforms.Resize(spec.resize),
            transforms.CenterCrop((spec.height, spec.width)),
            transforms.ToTensor(),
            transforms.Normalize(spec.mean, spec.std),
        ]
    )

    def answer(pixels: Floats) -> Floats:
        with torch.inference_mode():
            probabilities: Floats = softmax(network(torch.from_numpy(pixels)[None]).numpy())[0]
        return probabilities

    agreements = 0
    for picture in pictures:
        data = encode(enlarged(picture, megapixels), "JPEG", quality=90)
        ours = answer(preprocess(data, spec))
        theirs = answer(usual(Image.open(BytesIO(data))).numpy())
        assert np.abs(ours - theirs).max() < LARGEST_DIFFERENCE
        best, second = np.sort(theirs)[[-1, -2]]
        agreements += bool(ours.argmax() == theirs.argmax() or best - second < LARGEST_DIFFERENCE)
    assert agreements == PICTURES


def enlarged(picture: Image.Image, megapixels: int | None) -> Image.Image:
    if megapixels is None:
        return picture
    factor = (megapixels * 1e6 / (picture.width * picture.height)) ** 0.5
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.BICUBIC)
