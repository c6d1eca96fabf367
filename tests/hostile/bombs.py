"""Small files that ask for much: pixels, frames, metadata, scans."""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache

from PIL import Image

from tests.hostile.contract import OK, PICTURE_REFUSALS
from tests.hostile.pictures import canvas, encoded
from tests.hostile.request import MULTIPART, Hostile, form, hostile, part

ANY = PICTURE_REFUSALS | {OK}
TOO_MANY = frozenset({"too_many_pixels"})
MIB = 1024 * 1024


def bombs() -> Iterator[Hostile]:
    yield from _pixels()
    yield from _frames()
    yield from _metadata()
    yield hostile("progressive JPEG of 1000 scans", many_scans(1000), ANY)


def _pixels() -> Iterator[Hostile]:
    square = png_bomb(50_000, 50_000)
    yield hostile("50 000 x 50 000 PNG", square, TOO_MANY, content_type="image/png")
    yield hostile("50 000 x 50 000 PNG in a form", form(part(square)), TOO_MANY, content_type=MULTIPART)
    yield hostile("PNG header alone, 2^31 wide", png_header(2**31 - 1, 1), TOO_MANY | {"invalid_image"})
    yield hostile("PNG header alone, 60 000 square", png_header(60_000, 60_000), TOO_MANY | {"invalid_image"})
    yield hostile("GIF screen of 65 535 square", gif_screen(65_535), TOO_MANY | {"invalid_image"})
    yield hostile("JPEG of 65 500 square", jpeg_size(65_500), TOO_MANY)
    yield hostile("BMP of 100 000 square", bmp_size(100_000), TOO_MANY | {"invalid_image"})
    yield hostile("WebP of 16 384 square", webp_bomb(), TOO_MANY | {"invalid_image"}, content_type="image/webp")
    yield hostile("TIFF of 100 000 square", tiff_size(100_000), TOO_MANY | {"invalid_image"})


def _frames() -> Iterator[Hostile]:
    for kind in ("GIF", "PNG", "WEBP"):
        content_type = f"image/{kind.lower()}"
        yield hostile(f"{kind} of 1000 frames", many_frames(kind, 1000), ANY, content_type=content_type)
    yield hostile("TIFF whose directory points at itself", tiff_loop(), ANY, content_type="image/tiff")


def _metadata() -> Iterator[Hostile]:
    yield hostile("JPEG with 16 MiB of APP segments", jpeg_segments(256), ANY)
    for chunk in (b"zTXt", b"iTXt", b"iCCP"):
        name = f"PNG with {chunk.decode()} of 64 MiB"
        yield hostile(name, png_text(chunk, 64 * MIB, 1), ANY, content_type="image/png")
    yield hostile("PNG with 500 zTXt of 1 MiB", png_text(b"zTXt", MIB, 500), ANY, content_type="image/png")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """The signature and an RGB header, nothing after it."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", ihdr)


@cache
def png_bomb(width: int, height: int) -> bytes:
    """A complete and valid one-bit PNG, all black."""
    ihdr = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    row, coder = bytes(1 + (width + 7) // 8), zlib.compressobj(9)
    rows = [coder.compress(row * 1000) for _ in range(height // 1000)]
    data = b"".join(rows) + coder.compress(row * (height % 1000)) + coder.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", ihdr) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


@cache
def png_text(kind: bytes, size: int, count: int) -> bytes:
    """A valid small PNG with compressed chunks that unpack to `size` bytes each."""
    packed = zlib.compress(bytes(size), 9)
    middle = b"\x00\x01\x00\x00\x00" if kind == b"iTXt" else b"\x00\x00"
    chunks = b"".join(_chunk(kind, b"k%d" % number + middle + packed) for number in range(count))
    whole = encoded("PNG")
    after_header = 8 + 25
    return whole[:after_header] + chunks + whole[after_header:]


def gif_screen(side: int) -> bytes:
    data = bytearray(encoded("GIF"))
    data[6:10] = struct.pack("<HH", side, side)
    return bytes(data)


def jpeg_size(side: int) -> bytes:
    data = bytearray(encoded("JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    return bytes(data)


def bmp_size(side: int) -> bytes:
    data = bytearray(encoded("BMP"))
    data[18:26] = struct.pack("<ii", side, side)
    return bytes(data)


def webp_bomb() -> bytes:
    """A lossless WebP of one colour whose two sides are set to the largest that fits."""
    target = io.BytesIO()
    Image.new("RGB", (64, 64), (20, 90, 40)).save(target, "WEBP", lossless=True)
    data = bytearray(target.getvalue())
    start = data.index(b"VP8L") + 9
    rest = int.from_bytes(data[start : start + 4], "little") >> 28
    data[start : start + 4] = (rest << 28 | (1 << 28) - 1).to_bytes(4, "little")
    return bytes(data)


def tiff_size(side: int) -> bytes:
    """A minimal uncompressed TIFF that declares a huge picture and holds none."""
    entries = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, side)]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\x00" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body + struct.pack("<I", 0)


def tiff_loop() -> bytes:
    data = bytearray(encoded("TIFF"))
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + count * 12, first)
    return bytes(data)


@cache
def many_frames(kind: str, count: int) -> bytes:
    """An animation whose frames all differ, so that the coder cannot join them."""
    frames = [Image.new("RGB", (64, 64), (number % 256, number // 256, 90)) for number in range(count)]
    target = io.BytesIO()
    frames[0].save(target, kind, save_all=True, append_images=frames[1:], duration=20)
    return target.getvalue()


@cache
def jpeg_segments(count: int) -> bytes:
    whole = encoded("JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 65_535) + b"Exif\x00\x00" + bytes(65_527)
    return whole[:2] + segment * count + whole[2:]


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    target = io.BytesIO()
    canvas(64, 64).save(target, "JPEG", progressive=True)
    whole = target.getvalue()
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * count + whole[-2:]
