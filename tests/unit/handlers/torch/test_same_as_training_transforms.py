"""Serving prepares pictures as the usual torchvision transforms do."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from handlers.preprocessing import InputSpec, preprocess
from tests.unit.handlers.pictures import encode, photo

SPEC = InputSpec()
USUAL = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(SPEC.mean, SPEC.std),
    ]
)


@pytest.mark.parametrize("size", [(640, 480), (300, 300), (333, 1000), (100, 80)])
def test_a_picture_gives_the_same_input_within_one_level(size: tuple[int, int]) -> None:
    data = encode(photo(*size))
    expected = USUAL(Image.open(BytesIO(data))).numpy()
    assert np.abs(preprocess(data, SPEC) - expected).max() <= 1.01 / 255 / min(SPEC.std)


def test_a_twelve_megapixel_jpeg_gives_nearly_the_same_input() -> None:
    data = encode(photo(4000, 3000), "JPEG", quality=90)
    expected = USUAL(Image.open(BytesIO(data))).numpy()
    assert np.abs(preprocess(data, SPEC) - expected).mean() < 1 / 255 / min(SPEC.std)
