"""Every picture that people send becomes the network's input; every other file is refused with a code."""

import contextlib
import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from handlers.preprocessing import InputSpec, UnusableImage, decode, preprocess, to_input
from tests.unit.handlers.pictures import encode, photo

SPEC = InputSpec()


def two_steps(image: Image.Image, spec: InputSpec = SPEC) -> npt.NDArray[np.int16]:
    """The slow and plain way: turn, resize the short side, cut the centre."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    short = min(upright.size)
    size = (spec.resize * upright.width // short, spec.resize * upright.height // short)
    resized = upright.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - spec.width) / 2), round((size[1] - spec.height) / 2)
    return np.asarray(resized.crop((left, top, left + spec.width, top + spec.height)), dtype=np.int16)


def levels(data: bytes, spec: InputSpec = SPEC) -> npt.NDArray[np.int16]:
    return np.asarray(decode(data, spec), dtype=np.int16)


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def code_of(data: bytes, max_pixels: int = 64_000_000) -> str:
    with pytest.raises(UnusableImage) as refused:
        preprocess(data, SPEC, max_pixels)
    return refused.value.code


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (300, 301), (225, 900), (90, 60), (1, 1), (2000, 3)])
def test_one_resize_of_the_centre_gives_what_resizing_and_cutting_gives(size: tuple[int, int]) -> None:
    image = photo(*size)
    assert np.abs(levels(encode(image)) - two_steps(image)).max() <= 1


@pytest.mark.parametrize("size", [(1200, 900), (2600, 1900), (900, 4000)])
def test_a_scaled_jpeg_decode_hardly_differs_from_a_full_one(size: tuple[int, int]) -> None:
    data = encode(photo(*size), "JPEG", quality=90)
    difference = np.abs(levels(data) - two_steps(opened(data)))
    assert difference.mean() < 1
    assert difference.max() <= 8


def test_a_picture_with_extreme_sides_gives_the_networks_input() -> None:
    for size in ((20_000, 1), (1, 20_000), (9000, 40)):
        assert preprocess(encode(photo(*size)), SPEC).shape == (3, 224, 224)


def test_the_input_is_normalised_channels_first_float32() -> None:
    spec = InputSpec(height=32, width=48, resize=48, mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    pixels = preprocess(encode(Image.new("RGB", (60, 60), (255, 0, 51))), spec)
    assert pixels.dtype == np.float32
    assert pixels.shape == (3, 32, 48)
    assert pixels.flags.c_contiguous
    assert pixels[:, 5, 5] == pytest.approx([1.0, -1.0, 0.2], abs=1e-5)
    assert to_input(Image.new("RGB", (48, 32), (255, 0, 51)), spec) == pytest.approx(pixels, abs=1e-5)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    data = encode(photo(500, 340), kind, exif=exif, **options)
    assert np.abs(levels(data) - two_steps(opened(data))).max() <= 1


def test_a_large_turned_jpeg_is_cut_at_the_same_place() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(photo(2500, 1700), "JPEG", exif=exif, quality=95)
    assert np.abs(levels(data) - two_steps(opened(data))).mean() < 1


def test_a_heif_picture_is_read() -> None:
    data = encode(photo(400, 300), "HEIF")
    assert np.abs(levels(data) - two_steps(opened(data))).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO"])
def test_each_allowed_format_is_read(kind: str) -> None:
    image = photo(320, 260)
    assert np.abs(levels(encode(image, kind)) - two_steps(image)).mean() < 16


def test_only_the_first_frame_of_an_animation_counts() -> None:
    first, second = Image.new("RGB", (50, 50), "red"), Image.new("RGB", (50, 50), "blue")
    data = encode(first, "GIF", save_all=True, append_images=[second])
    assert levels(data)[100, 100] == pytest.approx([255, 0, 0], abs=2)


def test_transparency_is_laid_on_white() -> None:
    clear = {
        "RGBA": Image.new("RGBA", (40, 40), (10, 20, 30, 0)),
        "LA": Image.new("LA", (40, 40), (10, 0)),
        "P": Image.new("RGBA", (40, 40), (10, 20, 30, 0)).quantize(4),
    }
    for mode, image in clear.items():
        assert levels(encode(image))[100, 100].tolist() == [255, 255, 255], mode
    grey = levels(encode(Image.new("RGBA", (40, 40), (0, 0, 0, 128))))[100, 100]
    assert grey == pytest.approx([127, 127, 127], abs=1)


def test_a_transparent_colour_without_alpha_channel_is_white() -> None:
    red = encode(Image.new("RGB", (40, 40), (255, 0, 0)), transparency=(255, 0, 0))
    black = encode(Image.new("L", (40, 40), 0), transparency=0)
    assert levels(red)[9, 9].tolist() == levels(black)[9, 9].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (Image.new("L", (50, 40), 77), "PNG", 77),
        (Image.new("1", (50, 40), 1), "PNG", 255),
        (Image.new("CMYK", (50, 40), (0, 0, 0, 155)), "JPEG", 100),
        (Image.new("I;16", (50, 40), 25_700), "PNG", 100),
        (Image.new("I;16", (50, 40), 25_700), "TIFF", 100),
        (Image.new("I", (50, 40), 100), "TIFF", 100),
        (Image.new("I", (50, 40), 25_700), "TIFF", 100),
        (Image.new("F", (50, 40), 0.4), "TIFF", 102),
        (Image.new("F", (50, 40), 100.0), "TIFF", 100),
        (Image.new("F", (50, 40), float("nan")), "TIFF", 0),
    ],
)
def test_every_depth_and_colour_model_becomes_rgb(image: Image.Image, kind: str, expected: int) -> None:
    assert levels(encode(image, kind))[100, 100] == pytest.approx([expected] * 3, abs=2)


def test_values_outside_the_usual_ranges_are_stretched() -> None:
    ramp = Image.fromarray(np.linspace(-5e6, 5e6, 224 * 224, dtype=np.float32).reshape(224, 224))
    pixels = levels(encode(ramp, "TIFF"), InputSpec(resize=224))
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_a_picture_of_exactly_the_allowed_pixels_is_read_and_one_more_is_not() -> None:
    data = encode(Image.new("L", (100, 100)))
    assert preprocess(data, SPEC, 10_000).shape == (3, 224, 224)
    assert code_of(data, 9999) == "too_many_pixels"


def test_a_small_file_that_declares_a_huge_picture_is_refused_before_it_is_decoded() -> None:
    for side in (9000, 30_000, 100_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        pixels = zlib.compress(bytes(1000))
        png += struct.pack(">I", len(pixels)) + b"IDAT" + pixels + struct.pack(">I", zlib.crc32(b"IDAT" + pixels))
        assert code_of(png) == "too_many_pixels"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_file_is_invalid(kind: str, share: float) -> None:
    data = encode(photo(400, 300), kind)
    assert code_of(data[: int(len(data) * share)]) == "invalid_image"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF"])
def test_damaged_bytes_give_a_picture_or_a_refusal_and_never_another_error(kind: str) -> None:
    data = encode(photo(120, 90), kind)
    generator = np.random.default_rng(3)
    for _ in range(60):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 6):
            damaged[place] = int(generator.integers(0, 256))
        with contextlib.suppress(UnusableImage):
            assert preprocess(bytes(damaged), SPEC, 1_000_000).shape == (3, 224, 224)


@pytest.mark.parametrize("data", [b"", b"\x00", b"hello", b"\xff\xd8\xff", b"RIFF\x00\x00\x00\x00WEBP", b"GIF89a"])
def test_bytes_that_are_no_picture_are_invalid(data: bytes) -> None:
    assert code_of(data) == "invalid_image"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"8BPS\x00\x01", "Photoshop"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "PostScript"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf", "AVIF"),
    ],
)
def test_a_foreign_format_is_named_and_the_allowed_ones_are_listed(data: bytes, name: str) -> None:
    with pytest.raises(UnusableImage, match=f"{name} data. Send a picture as JPEG, PNG") as refused:
        preprocess(data, SPEC)
    assert refused.value.code == "unsupported_media_type"


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "DIB", "PCX", "AVIF", "JPEG2000"])
def test_formats_that_pillow_could_read_but_nobody_allowed_are_refused(kind: str) -> None:
    assert code_of(encode(photo(64, 64), kind)) in {"invalid_image", "unsupported_media_type"}


def test_a_jpeg_with_hundreds_of_scans_is_refused() -> None:
    data = encode(photo(64, 64), "JPEG", progressive=True)
    scan = data[data.index(b"\xff\xda") : -2]
    assert code_of(data[:-2] + scan * 200 + data[-2:]) == "invalid_image"


def test_damaged_metadata_does_not_spoil_a_picture() -> None:
    data = encode(photo(300, 200), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff broken")
    assert preprocess(data, SPEC).shape == (3, 224, 224)


def test_a_spec_survives_json_and_fills_in_what_is_absent() -> None:
    spec = InputSpec(height=64, width=96, resize=100, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 3.0))
    assert InputSpec.from_dict(spec.to_dict()) == spec
    assert InputSpec.from_dict({}) == SPEC
    assert InputSpec.from_dict({"height": 300, "width": 320}).resize == 320


@pytest.mark.parametrize(
    "make",
    [
        lambda: InputSpec(height=300, resize=256),
        lambda: InputSpec(height=0),
        lambda: InputSpec(std=(1.0, 0.0, 1.0)),
        lambda: InputSpec.from_dict({"mean": [0.5, 0.5]}),
        lambda: InputSpec.from_dict({"size": 224}),
    ],
)
def test_a_spec_that_cannot_be_is_refused_with_a_sentence(make: Callable[[], InputSpec]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        make()
