"""Kept pictures: only with consent, encoded anew without any metadata, named by the digest of their bytes."""

import asyncio
import hashlib
import os
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from control_plane.errors import HistoryUnavailable, InvalidImage
from handlers.preprocessing import FORMATS, resizable

QUALITY = 92
THUMBNAIL_EDGE = 320  # pixels
AT_ONCE = 2  # a legal photo takes hundreds of megabytes while it is encoded anew
MEDIA_TYPE = "image/jpeg"


class Pictures:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def keep(self, data: bytes) -> bytes:
        """Store a picture durably; the SHA-256 under which it is found.

        Raises:
            InvalidImage: It cannot be decoded.
            HistoryUnavailable: The folder cannot hold it.
        """
        async with self._turns:
            return await asyncio.to_thread(self._keep, data)

    def path(self, sha256: bytes) -> Path:
        name = sha256.hex()
        return self._folder / name[:2] / f"{name}.jpg"

    async def thumbnail(self, sha256: bytes) -> bytes:
        """The kept picture as a small JPEG.

        Raises:
            FileNotFoundError: There is none.
        """
        async with self._turns:
            return await asyncio.to_thread(_small, self.path(sha256))

    async def remove(self, sha256: list[bytes]) -> None:
        def unlink() -> None:
            for each in sha256:
                self.path(each).unlink(missing_ok=True)

        await asyncio.to_thread(unlink)

    def _keep(self, data: bytes) -> bytes:
        plain = _without_metadata(data)
        digest = hashlib.sha256(plain).digest()
        target = self.path(digest)
        if target.exists():
            return digest
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_durably(target, plain)
        except OSError as error:
            raise HistoryUnavailable("The picture cannot be kept: the picture folder cannot be written.") from error
        return digest


def _without_metadata(data: bytes) -> bytes:
    """The picture as a plain JPEG: upright, nothing in it but its pixels, whatever was hidden in the file."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            image.load()
            upright = resizable(ImageOps.exif_transpose(image))  # deep greys as the model saw them
            if upright.mode == "RGBA":
                pixels = Image.new("RGB", upright.size, "white")
                pixels.paste(upright, mask=upright)
            else:
                pixels = upright.convert("RGB")
            pixels.info = {}  # the encoder would write comments and profiles from here
            out = BytesIO()
            pixels.save(out, "JPEG", quality=QUALITY)
            return out.getvalue()
    except Exception as error:  # decoders of hostile files raise nearly anything
        raise InvalidImage from error


def _small(file: Path) -> bytes:
    with Image.open(file, formats=["JPEG"]) as image:
        image.draft("RGB", (2 * THUMBNAIL_EDGE, 2 * THUMBNAIL_EDGE))  # decoded small: a photo takes milliseconds
        image.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE))
        out = BytesIO()
        image.save(out, "JPEG", quality=80)
        return out.getvalue()


def _write_durably(target: Path, content: bytes) -> None:
    """Under its name only when all of it is on the disk."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
