"""The members of an uploaded archive: read as data, nothing is unpacked where it says, nothing is run."""

import hashlib
import json
import stat
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from handlers.source import HANDLERS, WORKER_MODULES
from quarantine.order import Order, Refused

MAX_MEMBERS = 1000
MAX_RATIO = 100
"""Unpacked to packed; weights hardly shrink, and JSON by ten at most."""
MAX_TEXT_BYTES = 2**22
MAX_PICTURE_BYTES = 2**23
MANIFEST = "MAR-INF/MANIFEST.json"
HANDLER = "plant_classifier.py"
CONFIG = "model-config.yaml"
# TorchServe reads a few of these, the handler the others; nothing else has a place in an archive.
SUFFIXES = frozenset(
    (".json", ".yaml", ".py", ".onnx", ".data", ".pt2", ".pth", ".pt", ".jpg", ".jpeg", ".png", ".webp", ".txt", ".md")
)
NEEDED = (MANIFEST, HANDLER, "model.onnx", "class_labels.json", "model_card.json", "reference.json")
_SPLIT_OR_LOCKED = 0x1  # a flag: the member is encrypted


def check_members(archive: Path, order: Order) -> None:
    """Sizes, names, manifest and code, in this order.

    Raises:
        Refused: The sentence says which member is wrong, and how.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            check_sizes(packed, archive.stat().st_size, order.max_bytes)
            check_names(packed)
            _check_manifest(packed, order)
            _check_nothing_installs(packed)
            _check_code(packed, order.allowed_code)
            _check_contents(packed)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zipfile.LargeZipFile, RuntimeError) as error:
        raise Refused(
            f"The upload is no zip archive that can be read ({error}). Build it with `make archive`."
        ) from error


def check_sizes(packed: zipfile.ZipFile, size: int, max_bytes: int) -> None:
    members = packed.infolist()
    if len(members) > MAX_MEMBERS:
        raise Refused(f"The archive has {len(members)} members; at most {MAX_MEMBERS} are taken.")
    unpacked = sum(member.file_size for member in members)
    if unpacked > max_bytes:
        raise Refused(
            f"The archive would unpack to {unpacked / 2**20:,.0f} MiB; at most {max_bytes / 2**20:,.0f} MiB are taken."
        )
    for member in members:
        if member.file_size > MAX_RATIO * max(member.compress_size, 1024):
            times = member.file_size // max(member.compress_size, 1)
            raise Refused(
                f"The member {_said(member.filename)} would unpack to {times:,} times its size; at most {MAX_RATIO} "
                "times is taken."
            )
    if sum(member.compress_size for member in members) > size:
        raise Refused("Members of the archive overlap: they have more bytes together than the file.")


def check_names(packed: zipfile.ZipFile) -> None:
    seen: set[str] = set()
    for member in packed.infolist():
        name = member.filename
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not name.isprintable():
            raise Refused(f"The member {_said(name)} has a path that leads out of the archive.")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Refused(f"The member {_said(name)} is a link or a device; only plain files are taken.")
        if name.casefold() in seen:
            raise Refused(f"The member {_said(name)} is there twice.")
        seen.add(name.casefold())
        if member.flag_bits & _SPLIT_OR_LOCKED:
            raise Refused(f"The member {_said(name)} is encrypted.")


def _check_manifest(packed: zipfile.ZipFile, order: Order) -> None:
    manifest = _json(packed, MANIFEST)
    model = manifest.get("model") if isinstance(manifest, dict) else None
    if not isinstance(model, dict):
        raise Refused(f"{MANIFEST} says nothing of a model. Build the archive with `make archive`.")
    wanted = {
        "modelName": order.model,
        "modelVersion": order.version,
        "handler": HANDLER,
        "serializedFile": "model.onnx",
        "configFile": CONFIG,
    }
    for field, value in wanted.items():
        if str(model.get(field)) != value:
            raise Refused(f"{MANIFEST} says {field} {_said(model.get(field))}; it must be {_said(value)}.")
    if manifest.get("runtime", "python") not in ("python", "python3"):
        raise Refused(f"{MANIFEST} asks for the runtime {_said(manifest['runtime'])}; only python is run.")
    if odd := set(model) - set(wanted) - {"requirementsFile"}:
        raise Refused(f"{MANIFEST} names {_said(min(odd))} for the model, which no archive of ours has.")
    if missing := [name for name in (*NEEDED, CONFIG) if name not in packed.namelist()]:
        raise Refused(f"The archive lacks {missing[0]}. Build it with `make archive`.")


def _check_nothing_installs(packed: zipfile.ZipFile) -> None:
    if _json(packed, MANIFEST)["model"].get("requirementsFile"):
        raise Refused(f"{MANIFEST} names a requirementsFile; archives must not install packages.")
    for name in packed.namelist():
        if PurePosixPath(name).name.casefold().startswith("requirements"):
            raise Refused(f"The member {_said(name)} would install packages; archives must not.")
    try:
        config = yaml.safe_load(_text(packed, CONFIG)) or {}
    except yaml.YAMLError as error:
        raise Refused(f"{CONFIG} is no YAML.") from error
    if not isinstance(config, dict):
        raise Refused(f"{CONFIG} must hold names and values.")
    if odd := {"useVenv", "torchrun", "parallelType", "asyncCommunication"} & config.keys():
        raise Refused(f"{CONFIG} has {_said(min(odd))}, which starts other programs; take it out.")


def _check_code(packed: zipfile.ZipFile, allowed: tuple[str, ...]) -> None:
    """The handler and its modules are the platform's own, unless the operator allows others by digest."""
    ours = {name: hashlib.sha256((HANDLERS / name).read_bytes()).hexdigest() for name in WORKER_MODULES}
    for member in packed.infolist():
        path = PurePosixPath(member.filename)
        if member.is_dir():
            continue
        if path.suffix.casefold() not in SUFFIXES:
            raise Refused(f"The member {_said(member.filename)} is of a kind that has no place in a model archive.")
        if path.suffix.casefold() == ".py":
            digest = hashlib.sha256(_bytes(packed, member.filename)).hexdigest()
            if digest != ours.get(member.filename) and digest not in allowed:
                raise Refused(
                    f"The code in {_said(member.filename)} is not this platform's (SHA-256 {digest}). Build the "
                    "archive with this version's `make archive`, or let the operator allow this digest."
                )


def _check_contents(packed: zipfile.ZipFile) -> None:
    labels = _json(packed, "class_labels.json")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels) or len(labels) < 2:
        raise Refused("class_labels.json must be a list of at least two names.")
    card, pinned = _json(packed, "model_card.json"), _json(packed, "reference.json")
    if not isinstance(card, dict):
        raise Refused("model_card.json must hold a JSON object.")
    if not isinstance(pinned, list) or not 1 <= len(pinned) <= 20:
        raise Refused("reference.json must list 1 to 20 reference pictures.")
    for name in packed.namelist():
        if name.endswith(".json") and packed.getinfo(name).file_size > MAX_TEXT_BYTES:
            raise Refused(f"The member {_said(name)} is longer than {MAX_TEXT_BYTES >> 20} MiB.")
    for each in pinned:
        is_good = (
            isinstance(each, dict)
            and each.get("file") in packed.namelist()
            and each.get("label") in labels
            and isinstance(each.get("confidence"), int | float)
        )
        if not is_good:
            raise Refused("reference.json names a picture, a label or a confidence that is not there.")
        if packed.getinfo(each["file"]).file_size > MAX_PICTURE_BYTES:
            raise Refused(f"The reference picture {_said(each['file'])} is larger than {MAX_PICTURE_BYTES >> 20} MiB.")


def _json(packed: zipfile.ZipFile, name: str) -> Any:
    try:
        return json.loads(_text(packed, name))
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} is no JSON.") from error


def _text(packed: zipfile.ZipFile, name: str) -> str:
    try:
        return _bytes(packed, name).decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{name} is not UTF-8 text.") from error


def _bytes(packed: zipfile.ZipFile, name: str) -> bytes:
    try:
        with packed.open(name) as member:
            content = member.read(MAX_TEXT_BYTES + 1)
    except KeyError as error:
        raise Refused(f"The archive lacks {name}. Build it with `make archive`.") from error
    if len(content) > MAX_TEXT_BYTES:
        raise Refused(f"The member {_said(name)} is longer than {MAX_TEXT_BYTES >> 20} MiB.")
    return content


def _said(value: object) -> str:
    """Names in an archive are somebody else's words: short, and without anything that a terminal obeys."""
    return ascii(value)[:80]
