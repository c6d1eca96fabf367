"""The pictures are what the page says they are, and the same each time."""

from io import BytesIO

from PIL import Image

from benchmarks.pictures import SMALL, make


def test_small_picture_is_the_same_each_time_and_of_its_size() -> None:
    picture = make(SMALL)
    assert picture == make(SMALL)
    assert 50_000 < len(picture) < 70_000
    with Image.open(BytesIO(picture)) as image:
        assert image.size == SMALL.size
