"""What a backup holds: the last file that is written of it. Without it there is no backup."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from backup.errors import Damaged, Refusal

FORMAT = 1
NAME = "manifest.json"
OBJECTS = "objects"
DUMP = "database.dump"
PICTURES, MODELS, SPOOL = "pictures/", "models/", "spool/"
_ID = re.compile(r"\d{8}T\d{6}Z")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Item:
    """One file. What is shared lies once for all backups, under its digest; the rest in the backup's own folder."""

    name: str
    sha256: str
    bytes: int
    shared: bool = False

    def location(self, backup: str) -> str:
        return object_name(self.sha256) if self.shared else f"{backup}/{self.name}"


@dataclass(frozen=True)
class Manifest:
    """`mark`: every record that was acknowledged before it is in the backup.

    Attributes:
        id: The name of its folder: the mark, in UTC.
        service: The version that made it.
        migrations: The schema of the dump.
        rows: How many each table has.
        audit_row, audit_digest: The newest row of the audit.
        key_secrets: Names of the secrets that its API keys and erasures were made with; they tell nothing of them.
        removed: Digests of pictures that were removed while the backup was made.
        missing: What the database names and the service had lost before, or had otherwise than it knew it.
    """

    id: str
    mark: str
    service: str
    migrations: tuple[str, ...]
    rows: dict[str, int]
    audit_row: int
    audit_digest: str
    key_secrets: tuple[str, ...]
    items: tuple[Item, ...]
    removed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.items)

    def below(self, prefix: str) -> list[Item]:
        return [item for item in self.items if item.name.startswith(prefix)]

    @property
    def dump(self) -> Item:
        return next(item for item in self.items if item.name == DUMP)


def name_of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def is_name(text: str) -> bool:
    return bool(_ID.fullmatch(text))


def moment_of(name: str) -> datetime:
    return datetime.strptime(name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def object_name(sha256: str) -> str:
    return f"{OBJECTS}/{sha256[:2]}/{sha256}"


def encode(manifest: Manifest) -> bytes:
    backup = {"format": FORMAT, **asdict(manifest)}
    return json.dumps({"sha256": _digest(backup), "backup": backup}, indent=1).encode()


def decode(text: bytes, name: str) -> Manifest:
    """Raises Damaged when it is not what was written, Refusal when a newer version wrote it."""
    try:
        said = json.loads(text)
        backup: dict[str, Any] = dict(said["backup"])
        whole = said["sha256"] == _digest(backup)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise Damaged(
            f"The manifest of the backup {name} is damaged. Take another backup: `list` says which there are."
        )
    if (found := backup.pop("format")) != FORMAT:
        raise Refusal(f"The backup {name} has the format {found}, this version reads {FORMAT}. Use a newer version.")
    items = tuple(Item(**each) for each in backup.pop("items"))
    lists = {key: tuple(value) for key, value in backup.items() if isinstance(value, list)}
    manifest = replace(Manifest(**{**backup, **lists}, items=()), items=items)
    if manifest.id != name or not all(_is_safe(item) for item in items):
        raise Damaged(f"The manifest of the backup {name} names what no backup holds.")
    return manifest


def _is_safe(item: Item) -> bool:
    path = PurePosixPath(item.name)
    return bool(_DIGEST.fullmatch(item.sha256)) and not path.is_absolute() and ".." not in path.parts


def _digest(backup: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(backup, sort_keys=True).encode()).hexdigest()
