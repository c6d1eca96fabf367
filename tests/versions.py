"""Further versions of a built archive, made without building one: the same network under another number."""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

Change = Callable[[bytes], bytes]


def as_version(archive: Path, store: Path, version: str, changes: Mapping[str, Change] | None = None) -> Path:
    """Put the archive into `store` as another version; `changes` by the name of a file in it."""
    model = archive.stem.rsplit("-", 1)[0]
    target = store / f"{model}-{version}.mar"
    every: dict[str, Change] = {"MAR-INF/MANIFEST.json": _numbered(version), **(changes or {})}
    with zipfile.ZipFile(archive) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, every[name](content) if name in every else content)
    return target


def exchanged(first: str, second: str) -> dict[str, Change]:
    """Changes that make of a version one that was built with two of its labels exchanged."""

    def change(content: bytes) -> bytes:
        one, other = json.dumps(first).encode(), json.dumps(second).encode()
        assert one in content or other in content, (first, second)
        return content.replace(one, b"\0").replace(other, one).replace(b"\0", other)

    return {"class_labels.json": change, "reference.json": change}


def _numbered(version: str) -> Change:
    def change(content: bytes) -> bytes:
        manifest = json.loads(content)
        manifest["model"]["modelVersion"] = version
        return json.dumps(manifest).encode()

    return change
