"""The archive that the platform serves; the others are measured on what is in it."""

import zipfile
from pathlib import Path

from handlers.source import built_archive

ROOT = Path(__file__).resolve().parents[1]
MODEL = "plants"
SOURCE = ROOT / "model_store" / "sources" / MODEL / "1"


def plants_archive() -> Path:
    """Raises RuntimeError when it is not built; starting the platform builds it."""
    built = built_archive(MODEL, None, ROOT / "model_store")
    if built is None:
        raise RuntimeError(f"There is no archive of {MODEL}. Run `make archive` first.")
    return built


def unpacked(folder: Path) -> Path:
    """Unpack the archive into a folder; gives the folder."""
    with zipfile.ZipFile(plants_archive()) as packed:
        packed.extractall(folder)
    return folder
