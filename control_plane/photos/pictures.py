"""Kept pictures: only with consent, encoded anew without any metadata, named by the digest of their bytes."""

import asyncio
import hashlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from control_plane.errors import HistoryUnavailable, InvalidImage
from control_plane.photos import exif
from control_plane.photos.exif import Taken
from control_plane.photos.stores import Store, StoreUnavailable
from handlers.preprocessing import FORMATS, resizable

QUALITY = 92
THUMBNAIL_EDGE = 320  # pixels
AT_ONCE = 2  # a legal photo takes hundreds of megabytes while it is encoded anew
MEDIA_TYPE = "image/jpeg"


@dataclass(frozen=True)
class Kept:
    """Under which SHA-256 a picture is found, and what its metadata said before it was stripped."""

    sha256: bytes
    taken: Taken


class Pictures:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def keep(self, data: bytes) -> Kept:
        """Store a picture durably.

        Raises:
            InvalidImage: It cannot be decoded.
            HistoryUnavailable: It cannot be stored.
        """
        async with self._turns:
            plain, taken = await asyncio.to_thread(_without_metadata, data)
        digest = hashlib.sha256(plain).digest()
        try:
            await self._store.write(name_of(digest), plain)
        except (StoreUnavailable, FileNotFoundError) as error:
            raise HistoryUnavailable(
                "The picture cannot be kept: the place for pictures cannot be written. Send it again in a moment, or "
                "without consent.",
                retry_after_seconds=5,
                cause=str(error),
            ) from error
        return Kept(digest, taken)

    def file(self, sha256: bytes) -> Path | None:
        """Where a kept picture lies, when that is on this machine."""
        return self._store.file(name_of(sha256))

    async def read(self, sha256: bytes) -> bytes:
        """The kept picture.

        Raises:
            FileNotFoundError: There is none.
            HistoryUnavailable: It cannot be read at present.
        """
        try:
            return await self._store.read(name_of(sha256))
        except StoreUnavailable as error:
            raise HistoryUnavailable(
                "The picture cannot be read at present. Try again in a moment.", retry_after_seconds=5, cause=str(error)
            ) from error

    async def thumbnail(self, sha256: bytes) -> bytes:
        """The kept picture as a small JPEG; made when it is asked for, and kept nowhere.

        Raises:
            FileNotFoundError, HistoryUnavailable: As `read`.
        """
        data = await self.read(sha256)
        async with self._turns:
            return await asyncio.to_thread(_small, data)

    async def remove(self, sha256: bytes) -> None:
        """Raises StoreUnavailable."""
        await self._store.remove(name_of(sha256))


def name_of(sha256: bytes) -> str:
    """Under which name a kept picture lies in its store."""
    name = sha256.hex()
    return f"{name[:2]}/{name}.jpg"


def _without_metadata(data: bytes) -> tuple[bytes, Taken]:
    """The picture as a plain JPEG: upright, nothing in it but its pixels, whatever was hidden in the file."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            image.load()
            taken = exif.read(image)
            upright = resizable(ImageOps.exif_transpose(image))  # deep greys as the model saw them
            if upright.mode == "RGBA":
                pixels = Image.new("RGB", upright.size, "white")
                pixels.paste(upright, mask=upright)
            else:
                pixels = upright.convert("RGB")
            pixels.info = {}  # the encoder would write comments and profiles from here
            out = BytesIO()
            pixels.save(out, "JPEG", quality=QUALITY)
            return out.getvalue(), taken
    except Exception as error:  # decoders of hostile files raise nearly anything
        raise InvalidImage from error


def _small(data: bytes) -> bytes:
    with Image.open(BytesIO(data), formats=["JPEG"]) as image:
        image.draft("RGB", (2 * THUMBNAIL_EDGE, 2 * THUMBNAIL_EDGE))  # decoded small: a photo takes milliseconds
        image.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE))
        out = BytesIO()
        image.save(out, "JPEG", quality=80)
        return out.getvalue()
