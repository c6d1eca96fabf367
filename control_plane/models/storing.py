"""A version that was checked, into the model store: first its bytes, then under its name."""

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

from control_plane.models import archives
from control_plane.models.archives import NoArchive
from control_plane.tables.models import ModelVersion


def is_there(store: Path, model: str, version: str) -> bool:
    """Whether the store has an archive of this version that can be read."""
    try:
        archives.find(store, model, version)
    except NoArchive:
        return False
    return True


def copy(checked: Path, store: Path, upload: ModelVersion, sha256: str) -> ModelVersion:
    """Copy a checked archive beside the store's, where nobody finds it yet; what is hashed is what is written.

    Raises:
        NoArchive: The bytes are not those of the verdict, or no archive of this version.
    """
    name = f"{upload.model}-{upload.version}-{sha256[:12]}.mar"
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise NoArchive("the verdict names no digest.")
    fresh = store / f".{name}.part"
    digest = hashlib.sha256()
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as target, checked.open("rb") as source:
        while block := source.read(2**20):
            digest.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    if digest.hexdigest() != sha256:
        fresh.unlink()
        raise NoArchive("its bytes are not those that were checked.")
    fresh.chmod(0o444)
    archive = archives.read(fresh, upload.model, upload.version)
    return replace(
        upload, archive=name, sha256=digest.digest(), labels=list(archive.labels), metrics=archive.card.metrics,
        state="ready", reason=None,
    )  # fmt: skip


def show(store: Path, ready: ModelVersion) -> None:
    """Let the checked archive be found; others of the same version, which was refused or removed, go."""
    for old in archives.files_of(store, ready.model, ready.version):
        if old.name != ready.archive:
            old.unlink()
    archive = store / ready.archive
    archive.with_name(f".{archive.name}.part").replace(archive)
