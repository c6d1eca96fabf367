"""What goes between the quarantine and us: a folder for each upload, with files that are put there whole.

The quarantine has the same names in `quarantine/order.py`; neither imports the other. Several replicas may share the
folder: each works on its own uploads, and on those of one that is gone.
"""

import json
import os
import struct
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from control_plane.errors import InvalidRequest
from control_plane.models.receiving import FILES
from control_plane.settings import Settings
from control_plane.tables.models import ModelVersion

REQUEST = "request.json"
REQUEST_LATER = "request.json.new"
VERDICT = "verdict.json"
PROGRESS = "progress.json"
SOURCE = "url.json"
OWNER = "owner"
OWNED_SECONDS = 30.0
"""A replica that works on an upload says so with each look; after this nobody does, and another one goes on."""
_END_OF_ZIP, _END_BYTES = b"PK\x05\x06", 22
_MAX_DIRECTORY_BYTES, _MAX_MANIFEST_BYTES = 2**20, 2**16


def own(place: Path, replica: str, *, new: bool = False) -> None:
    """Say that this replica works on it; `new`: make it."""
    if new:
        place.mkdir(parents=True)
    (place / OWNER).write_text(replica)


def is_ours(place: Path, replica: str) -> bool:
    """Whether this replica is to work on it: several may share the folder. Says so again, when it is."""
    with suppress(OSError):  # it may go at any moment
        file = place / OWNER
        owner = file.read_text() if file.exists() else ""
        fresh = time.time() - (file if owner else place).stat().st_mtime < OWNED_SECONDS
        if owner == replica or not fresh:
            own(place, replica)
            return True
    return False


def places(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()]


def kind_of(place: Path) -> str:
    """Archive or checkpoint, by the files that were sent.

    Raises:
        InvalidRequest: They do not go together.
    """
    given = {name for name, file in FILES.items() if (place / file).exists()}
    if given in ({"archive"}, {"archive", "signature"}):
        return "archive"
    if {"model", "labels"} <= given <= {"model", "labels", "card", "signature"}:
        return "checkpoint"
    raise InvalidRequest(
        "Send either 'archive' (a .mar file) or 'model' (model.pth) with 'labels' (class_labels.json) and, where there "
        "is one, 'card' (model_card.json); 'signature' (a .minisig file) with either."
    )


def version_in(archive: Path) -> str:
    """What the manifest says; only a small part of the file is read for it, whatever the file is.

    Raises:
        InvalidRequest: No version can be read from it.
    """
    try:
        with archive.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2**16 - _END_BYTES))
            tail = file.read()
            end = tail[tail.rindex(_END_OF_ZIP) :]
            (directory_bytes,) = struct.unpack_from("<I", end, 12)
            if directory_bytes > _MAX_DIRECTORY_BYTES:
                raise ValueError("too many members")
            with zipfile.ZipFile(file) as packed, packed.open("MAR-INF/MANIFEST.json") as member:
                return str(json.loads(member.read(_MAX_MANIFEST_BYTES))["model"]["modelVersion"])
    except (OSError, ValueError, KeyError, TypeError, struct.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise InvalidRequest(
            "This is no model archive: no manifest with a version can be read from it. Build one with make archive."
        ) from error


def order(settings: Settings, new: ModelVersion, kind: str, architecture: str | None) -> dict[str, Any]:
    """What the quarantine is asked, with the operator's rules."""
    key = settings.signing_key_file
    return {
        "model": new.model,
        "version": new.version,
        "kind": kind,
        "architecture": architecture,
        "max_bytes": settings.max_version_bytes,
        "seconds": settings.quarantine_seconds,
        "signing_key": key.read_text() if key else None,
        "allowed_code": list(settings.handler_digests),
        "allow_network": settings.quarantine_network,
    }


def read(path: Path) -> dict[str, Any]:
    """Empty where there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def put(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)
