"""Encoded picture to network input: the one definition, shared by training and serving.

This module runs inside TorchServe workers: it needs Pillow and numpy, never torch or torchvision.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from math import ceil, prod
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pillow_heif
from PIL import Image

Floats = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]

MAX_PIXELS = 64_000_000
# What Pillow may try. Its JPEG opener also gives MPO, the pair of pictures that some cameras write.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF")

# A worker owns one core; the decoder's own threads would take the neighbours'.
pillow_heif.register_heif_opener(decode_threads=1)

# How much larger than the resized picture a scaled JPEG decode must stay.
# With 2, the final filter still sees enough pixels to give what a full decode gives.
_DRAFT_MARGIN = 2
# A progressive JPEG repeats the picture in scans. Ten are usual; hundreds are an attack on the decoder:
# at 64 megapixels each takes a tenth of a second, from a few hundred bytes.
_MAX_JPEG_SCANS = 40

# What people send by mistake, by the bytes it begins with (position, bytes, name).
_OTHER_FORMATS = (
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"8BPS", "Photoshop"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML or SVG"),
    (4, b"jP  ", "JPEG 2000"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypisom", "video"),
    (4, b"ftypmp4", "video"),
    (4, b"ftypqt", "video"),
)

# EXIF orientation: displayed x runs against stored x, same for y, and whether the two are swapped.
_ORIENTATIONS = {
    2: (True, False, False, Image.Transpose.FLIP_LEFT_RIGHT),
    3: (True, True, False, Image.Transpose.ROTATE_180),
    4: (False, True, False, Image.Transpose.FLIP_TOP_BOTTOM),
    5: (False, False, True, Image.Transpose.TRANSPOSE),
    6: (True, False, True, Image.Transpose.ROTATE_270),
    7: (True, True, True, Image.Transpose.TRANSVERSE),
    8: (False, True, True, Image.Transpose.ROTATE_90),
}


class UnusableImage(ValueError):
    """A picture that cannot be used.

    Attributes:
        code: `invalid_image`, `too_many_pixels` or `unsupported_media_type`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class InputSpec:
    """The network's input: pictures are resized by their short side to `resize`, then cut to the centre."""

    height: int = 224
    width: int = 224
    resize: int = 256
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if not 1 <= max(self.height, self.width) <= self.resize or min(self.height, self.width) < 1:
            raise ValueError(
                f"The input {self.height} x {self.width} does not fit into pictures resized to {self.resize}. "
                "Give `resize` at least the larger of `height` and `width`."
            )
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError("Give `mean` and `std` three numbers each (red, green, blue); `std` above 0.")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a spec from JSON values; what is absent keeps its default.

        Raises:
            ValueError: A value is unknown or does not fit; the message says which.
        """
        sizes = {name: int(values[name]) for name in ("height", "width", "resize") if name in values}
        colours = {name: tuple(map(float, values[name])) for name in ("mean", "std") if name in values}
        if unknown := sorted(set(values) - set(sizes) - set(colours)):
            raise ValueError(f"Unknown input fields: {', '.join(unknown)}. Known: height, width, resize, mean, std.")
        if "resize" not in sizes:
            sizes["resize"] = max(cls.resize, sizes.get("height", 0), sizes.get("width", 0))
        return cls(**sizes, **colours)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        return {
            "height": self.height,
            "width": self.width,
            "resize": self.resize,
            "mean": list(self.mean),
            "std": list(self.std),
        }


def preprocess(data: bytes, spec: InputSpec, max_pixels: int = MAX_PIXELS) -> Floats:
    """Turn an encoded picture into the network's input.

    Returns:
        float32, shape (3, height, width), RGB, normalised by the spec's mean and std.

    Raises:
        UnusableImage: The bytes are no picture that can be used; `code` says why.
    """
    return to_input(decode(data, spec, max_pixels), spec)


def from_tensor(data: bytes, shape: tuple[int, ...], spec: InputSpec) -> Floats:
    """Take what was preprocessed elsewhere: float32, little-endian, row-major.

    Raises:
        UnusableImage: It is not this network's input.
    """
    wanted = (3, spec.height, spec.width)
    if shape != wanted or len(data) != 4 * prod(wanted):
        raise UnusableImage("invalid_image", f"The tensor is no FP32 {list(wanted)}. Send it in this shape.")
    pixels = np.frombuffer(data, "<f4").astype(np.float32, copy=False).reshape(wanted)
    if not np.isfinite(pixels).all():
        raise UnusableImage("invalid_image", "The tensor holds NaN or infinity. Send finite numbers.")
    return pixels


@dataclass(frozen=True)
class Header:
    """What a picture declares of itself before it is decoded; `format` by its usual name, sizes in pixels as stored."""

    format: str
    width: int
    height: int


def read_header(data: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Read what a picture declares, without decoding it; cheap also for hostile files.

    Raises:
        UnusableImage: The bytes begin no picture that can be used; `code` says why.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            header = Header("JPEG" if image.format == "MPO" else str(image.format), image.width, image.height)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(max_pixels) from error
    except Exception as error:  # openers of hostile files raise nearly anything
        raise _unreadable(data) from error
    if header.width * header.height > max_pixels:
        raise _too_many_pixels(max_pixels, header.width * header.height)
    return header


def decode(data: bytes, spec: InputSpec, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture, upright, resized and cut to the spec's size.

    Returns:
        An RGB picture of exactly the spec's width and height; transparency is laid on white.

    Raises:
        UnusableImage: The bytes are no picture that can be used; `code` says why.
    """
    with warnings.catch_warnings():
        # Decoders warn about harmless oddities, and Pillow about sizes that are bounded here anyway.
        warnings.simplefilter("ignore")
        try:
            return _decode(data, spec, max_pixels)
        except UnusableImage:
            raise
        except Image.DecompressionBombError as error:
            raise _too_many_pixels(max_pixels) from error
        except Exception as error:  # decoders of hostile files raise nearly anything
            raise _unreadable(data) from error


def to_input(image: Image.Image, spec: InputSpec) -> Floats:
    """Normalise an RGB picture of the spec's size.

    Returns:
        float32, shape (3, height, width), contiguous.
    """
    pixels = np.asarray(image, dtype=np.float32)
    scale = 1 / (255 * np.asarray(spec.std, dtype=np.float32))
    shift = np.asarray(spec.mean, dtype=np.float32) / np.asarray(spec.std, dtype=np.float32)
    return np.ascontiguousarray((pixels * scale - shift).transpose(2, 0, 1))


def _decode(data: bytes, spec: InputSpec, max_pixels: int) -> Image.Image:
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > max_pixels:
            raise _too_many_pixels(max_pixels, image.width * image.height)
        stored = image.size
        if image.format in ("JPEG", "MPO"):
            _decode_small(image, data, spec)
        image.load()
        # Pillow turns a TIFF upright when it loads it; for a JPEG the true size is the one before `draft`.
        size = stored if image.format in ("JPEG", "MPO") else image.size
        return _cut(image, size, spec)


def _decode_small(image: Image.Image, data: bytes, spec: InputSpec) -> None:
    """Let the JPEG decoder skip detail that the resize would throw away."""
    if _count_scans(data) > _MAX_JPEG_SCANS:
        raise UnusableImage("invalid_image", "The JPEG has too many scans. Save it again and send that file.")
    scale = spec.resize / min(image.size) * _DRAFT_MARGIN
    image.draft(image.mode, (ceil(image.width * scale), ceil(image.height * scale)))


def _count_scans(data: bytes) -> int:
    """How often the marker that begins a scan occurs; seven times as fast as `bytes.count` on a large photo."""
    even = np.frombuffer(data, "<u2", count=len(data) // 2)
    odd = np.frombuffer(data, "<u2", count=(len(data) - 1) // 2, offset=1)
    return int(np.count_nonzero(even == 0xDAFF) + np.count_nonzero(odd == 0xDAFF))


def _cut(image: Image.Image, size: tuple[int, int], spec: InputSpec) -> Image.Image:
    """Resize once, straight from the region that stays, then turn the small result upright."""
    against_x, against_y, swapped, turn = _ORIENTATIONS.get(_orientation(image), (False, False, False, None))
    width, height = (size[1], size[0]) if swapped else size
    left, top, right, bottom = _centre(width, height, spec)
    if against_x:
        left, right = width - right, width - left
    if against_y:
        top, bottom = height - bottom, height - top
    box = (top, left, bottom, right) if swapped else (left, top, right, bottom)
    small = resizable(image).resize(
        (spec.height, spec.width) if swapped else (spec.width, spec.height),
        Image.Resampling.BILINEAR,
        box=_scaled(box, size, image.size),
    )
    upright = small if turn is None else small.transpose(turn)
    return _on_white(upright) if upright.mode == "RGBA" else upright.convert("RGB")


def _centre(width: int, height: int, spec: InputSpec) -> Box:
    """The region that resizing the short side and cutting the centre would keep, in the picture's pixels."""
    short = min(width, height)
    # The long side is cut to whole pixels, as the usual training transforms do.
    resized_width, resized_height = spec.resize * width // short, spec.resize * height // short
    x_scale, y_scale = width / resized_width, height / resized_height
    left = round((resized_width - spec.width) / 2) * x_scale
    top = round((resized_height - spec.height) / 2) * y_scale
    return left, top, left + spec.width * x_scale, top + spec.height * y_scale


def _scaled(box: Box, size: tuple[int, int], decoded: tuple[int, int]) -> Box:
    """Move a box from the true picture to the one that was decoded at 1, 1/2, 1/4 or 1/8 of its size."""
    factor = max(1, round(max(size) / max(decoded)))
    left, top, right, bottom = (edge / factor for edge in box)
    return max(0.0, left), max(0.0, top), min(right, decoded[0]), min(bottom, decoded[1])


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # a picture with damaged metadata is still a picture
        return 1


def resizable(image: Image.Image) -> Image.Image:
    """Bring palettes, transparency and deep greys into a mode that Pillow resizes well."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_deep_grey(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode in ("L", "RGB", "CMYK", "YCbCr") else image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Map 16-bit, 32-bit and floating-point grey to 8 bits.

    The white point is the usual one that covers the values: 1 (floating point), 255 or 65535.
    Values outside of those are stretched between their extremes.
    """
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(pixels.min()), float(pixels.max())
    whites = {"F": (1.0, 255.0, 65535.0), "I": (255.0, 65535.0)}.get(image.mode, (65535.0,))
    white = next((white for white in whites if high <= white), None) if low >= 0 else None
    base, span = (0.0, white) if white else (low, max(high - low, 1e-6))
    return Image.fromarray(np.rint((pixels - base) * (255 / span)).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _too_many_pixels(max_pixels: int, pixels: int | None = None) -> UnusableImage:
    has = f"has {pixels / 1e6:.1f}" if pixels else "has far too many"
    limit = f"{max_pixels / 1e6:.1f}"
    return UnusableImage("too_many_pixels", f"The picture {has} megapixels; send one of at most {limit}.")


def _unreadable(data: bytes) -> UnusableImage:
    for position, start, name in _OTHER_FORMATS:
        if data.startswith(start, position):
            formats = "JPEG, PNG, WebP, GIF, BMP, TIFF or HEIF"
            return UnusableImage("unsupported_media_type", f"This is {name} data. Send a picture as {formats}.")
    return UnusableImage("invalid_image", "The picture cannot be read: it is damaged, cut short or no picture at all.")
