"""Model versions that must not be taken: each with what a refusal of it has to say, and with a signature or without."""

import io
import json
import pickle
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minisign import KeyPair

Members = dict[str, bytes]


@dataclass(frozen=True)
class Hostile:
    """`files` by the form's fields. `signed`: with which signature: right, none, or that of other bytes."""

    name: str
    says: str
    files: Mapping[str, bytes]
    version: str
    signed: str = "right"


class RunsACommand:
    """Loading it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        import os  # noqa: PLC0415 - its name in the pickle is posix.system

        return os.system, (f"touch {self.marker}",)


def members_of(archive: Path) -> Members:
    with zipfile.ZipFile(archive) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def pack(members: Mapping[str, bytes], more: Callable[[zipfile.ZipFile], None] = lambda _: None) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
        more(packed)
    return target.getvalue()


def as_version(members: Members, version: str, **manifest: str) -> Members:
    said = json.loads(members["MAR-INF/MANIFEST.json"])
    said["model"] |= {"modelVersion": version, **manifest}
    return members | {"MAR-INF/MANIFEST.json": json.dumps(said).encode()}


def hostile(archive: Path, marker: Path) -> list[Hostile]:
    """All but the one that is too large to be made in memory."""
    good = members_of(archive)
    foreign = good["plant_classifier.py"] + f"\nopen({str(marker)!r}, 'w').close()\n".encode()
    labels = good["class_labels.json"]
    evil_model = io.BytesIO()
    with zipfile.ZipFile(evil_model, "w") as packed:  # as torch.save lays it out
        packed.writestr("model/data.pkl", pickle.dumps({"state_dict": RunsACommand(marker)}, protocol=2))
        packed.writestr("model/version", b"3\n")

    def link(packed: zipfile.ZipFile) -> None:
        entry = zipfile.ZipInfo("passwords.txt")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(entry, b"/etc/passwd")

    def bomb(packed: zipfile.ZipFile) -> None:
        with packed.open(zipfile.ZipInfo("weights.data"), "w", force_zip64=True):
            pass
        packed.writestr("bomb.data", bytes(2**26), zipfile.ZIP_DEFLATED)

    def case(name: str, says: str, number: int, members: Members, **more: Any) -> Hostile:
        version = str(number)
        extra = more.pop("extra", lambda _: None)
        return Hostile(name, says, {"archive": pack(as_version(members, version), extra)}, version, **more)

    installs = as_version(good, "110", requirementsFile="requirements.txt")
    return [
        Hostile("a pickle that runs a command", "pickle", {"model": evil_model.getvalue(), "labels": labels}, "101"),
        case("a path that leads out", "leads out of the archive", 102, good | {"../../escaped.txt": b"out"}),
        case("a symlink", "is a link", 103, good, extra=link),
        case("a zip bomb", "times", 104, good, extra=bomb),
        case("a foreign handler", "not this platform's", 105, good | {"plant_classifier.py": foreign}),
        case("changed after it was signed", "signature does not fit", 106, good, signed="of other bytes"),
        case("unsigned", "not signed", 107, good, signed="none"),
        Hostile("a wrong manifest", "it must be '108'", {"archive": pack(as_version(good, "1"))}, "108"),
        Hostile(
            "requirements that install", "install", {"archive": pack(installs | {"requirements.txt": b"evil\n"})}, "110"
        ),
    ]


def signature_of(content: Any, keys: KeyPair) -> bytes:
    """`content`: bytes, or something to read."""
    return bytes(keys.secret_key.sign(content)) + b"\n"


class Zeros(io.RawIOBase):
    """As many zeros, without the memory for them."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1, /) -> bytes:
        count = self.left if size < 0 else min(size, self.left)
        self.left -= count
        return bytes(count)


def form_of_zeros(size: int, fields: Mapping[str, bytes], boundary: str) -> Iterator[bytes]:
    """A form whose `archive` is zeros, piece by piece."""
    for name, content in fields.items():
        filename = '; filename="x"' if name == "signature" else ""
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode()
        yield content + b"\r\n"
    yield f'--{boundary}\r\nContent-Disposition: form-data; name="archive"; filename="zeros.mar"\r\n\r\n'.encode()
    zeros = Zeros(size)
    while block := zeros.read(2**20):
        yield block
    yield f"\r\n--{boundary}--\r\n".encode()
