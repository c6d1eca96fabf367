"""What pickles would import when somebody loads them; they are read as opcodes and never loaded here.

No scanner makes a model safe. It says early and clearly what is wrong with most bad ones; the first load of all others
happens where it can do no harm (place.py).
"""

import json
import logging
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from picklescan.scanner import scan_bytes, scan_pickle_bytes

from quarantine.members import check_names, check_sizes
from quarantine.order import Refused

MAX_DEPTH = 3
PICKLED = frozenset((".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib"))
_ZIP, _PICKLE = b"PK\x03\x04", tuple(bytes((0x80, version)) for version in range(2, 6))
# What torch.save writes of a state dict beside what the scanner knows; weights_only=True takes these too.
HARMLESS = frozenset(
    (
        ("torch._utils", "_rebuild_parameter"),
        ("torch", "Size"),
        ("torch", "device"),
        ("torch", "UntypedStorage"),
        ("torch.storage", "UntypedStorage"),
        ("torch.serialization", "_get_layout"),
    )
)

logging.getLogger("picklescan").setLevel(logging.CRITICAL)  # its findings become our sentences


def check_pickles(file: Path, max_bytes: int) -> None:
    """Look into a file, and into what is packed in it.

    Raises:
        Refused: Loading it would import something that weights do not need.
    """
    with file.open("rb") as content:
        _check(content, file.name, max_bytes, 0)


def _check(content: Any, name: str, max_bytes: int, depth: int) -> None:
    start = content.read(4)
    content.seek(0)
    if start == _ZIP:
        if depth == MAX_DEPTH:
            raise Refused(f"{_said(name)} holds archives in archives, {MAX_DEPTH} deep.")
        _check_zip(content, name, max_bytes, depth)
    elif PurePosixPath(name).suffix.casefold() in PICKLED or start[:2] in _PICKLE:
        _refuse_imports(content, name)


def _check_zip(content: Any, name: str, max_bytes: int, depth: int) -> None:
    try:
        with zipfile.ZipFile(content) as packed:
            if depth or not name.endswith(".mar"):
                size = content.seek(0, 2)
                check_sizes(packed, size, max_bytes)
                check_names(packed)
            for member in packed.infolist():
                inner = f"{name}/{member.filename}"
                with packed.open(member) as opened:
                    if member.filename.endswith("_config.json"):
                        _refuse_pickled_weights(opened.read(2**24), inner)
                    elif _is_worth_a_look(opened.read(4), member.filename):
                        with packed.open(member) as again, tempfile.TemporaryFile() as copy:
                            shutil.copyfileobj(again, copy, 1 << 20)  # its size is bounded above
                            copy.seek(0)
                            _check(copy, inner, max_bytes, depth + 1)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise Refused(f"{_said(name)} is a damaged zip archive ({error}).") from error


def _is_worth_a_look(start: bytes, name: str) -> bool:
    return start == _ZIP or start[:2] in _PICKLE or PurePosixPath(name).suffix.casefold() in PICKLED


def _refuse_imports(content: Any, name: str) -> None:
    suffix = PurePosixPath(name).suffix
    try:
        if suffix == ".pth" or (suffix == ".pt" and content.seek(0) == 0):
            found = scan_bytes(content, name, suffix, strict=True)
        else:
            found = scan_pickle_bytes(content, name, strict=True)
    except Exception as error:  # the scanner meets hostile bytes
        raise Refused(f"{_said(name)} cannot be looked into ({type(error).__name__}).") from error
    foreign = sorted(
        f"{each.module}.{each.name}"
        for each in found.globals
        if each.safety.value != "innocuous" and (each.module, each.name) not in HARMLESS
    )
    if foreign:
        raise Refused(
            f"{_said(name)} is a pickle that would load {_said(', '.join(foreign[:3]))}. Weights need nothing of the "
            "kind: save them with torch.save(network.state_dict(), path)."
        )
    if found.scan_err:
        raise Refused(f"{_said(name)} is a damaged pickle.")


def _refuse_pickled_weights(content: bytes, name: str) -> None:
    """An exported program may say that a weight is a pickle; it is loaded without any care then."""
    try:
        config = json.loads(content)
    except (ValueError, RecursionError):
        raise Refused(f"{_said(name)} is no JSON.") from None
    entries = config.get("config", {}) if isinstance(config, dict) else {}
    for each in entries.values() if isinstance(entries, dict) else ():
        path = str(each.get("path_name", "")) if isinstance(each, dict) else ""
        if not isinstance(each, dict) or each.get("use_pickle") or "custom_obj" in path or "opaque" in path:
            raise Refused(f"{_said(name)} says that a weight is a pickle; export it again.")


def _said(value: object) -> str:
    return ascii(value)[:160]
