"""A kept picture shows what was sent and carries nothing else."""

import io
from pathlib import Path

import pytest
from PIL import Image

from control_plane import errors
from control_plane.photos.pictures import Pictures
from control_plane.photos.stores import Folder

SECRET = b"GPS-secret-55.7558"


def photo(mode: str = "RGB", kind: str = "JPEG", orientation: int = 1, **options: object) -> bytes:
    image = Image.new(mode, (60, 40), 128 if mode in ("L", "P") else None)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = SECRET.decode()
    out = io.BytesIO()
    image.save(out, kind, exif=exif, **options)
    return out.getvalue()


async def test_metadata_is_gone_and_orientation_is_applied(tmp_path: Path) -> None:
    pictures = Pictures(Folder(tmp_path))
    sent = photo(orientation=6, comment=SECRET)
    assert SECRET in sent
    kept = await pictures.read((await pictures.keep(sent)).sha256)
    assert SECRET not in kept
    with Image.open(io.BytesIO(kept)) as image:
        assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (40, 60), {})


async def test_what_hides_behind_the_picture_is_gone(tmp_path: Path) -> None:
    pictures = Pictures(Folder(tmp_path))
    kept = await pictures.read((await pictures.keep(photo() + b"PK\x03\x04<script>")).sha256)
    assert b"<script>" not in kept


async def test_the_same_picture_is_kept_once(tmp_path: Path) -> None:
    pictures = Pictures(Folder(tmp_path))
    first, second = await pictures.keep(photo()), await pictures.keep(photo())
    assert first == second
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 1


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("L", "PNG"), ("P", "PNG"), ("CMYK", "TIFF"), ("RGB", "WEBP")]
)
async def test_every_served_format_can_be_kept(tmp_path: Path, mode: str, kind: str) -> None:
    pictures = Pictures(Folder(tmp_path))
    assert await pictures.read((await pictures.keep(photo(mode, kind))).sha256)


async def test_a_deep_grey_picture_is_kept_as_it_looks(tmp_path: Path) -> None:
    pictures = Pictures(Folder(tmp_path))
    out = io.BytesIO()
    Image.new("I;16", (20, 20), 0x8000).save(out, "PNG")
    with Image.open(io.BytesIO(await pictures.read((await pictures.keep(out.getvalue())).sha256))) as kept:
        assert kept.convert("L").getpixel((5, 5)) == pytest.approx(128, abs=3)


async def test_a_broken_picture_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidImage):
        await Pictures(Folder(tmp_path)).keep(photo()[:-200] + b"")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


async def test_a_folder_that_cannot_be_written_is_a_documented_error(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file where the folder should be")
    with pytest.raises(errors.HistoryUnavailable):
        await Pictures(Folder(tmp_path / "pictures")).keep(photo())


async def test_removal_forgets_the_file(tmp_path: Path) -> None:
    pictures = Pictures(Folder(tmp_path))
    kept = await pictures.keep(photo())
    for each in (kept.sha256, bytes(32)):
        await pictures.remove(each)
    with pytest.raises(FileNotFoundError):
        await pictures.read(kept.sha256)
