"""What the control plane asks for, and what it gets: files in an upload's folder, each put there whole.

The control plane knows these names too (`control_plane/models/handover.py`); neither imports the other.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

REQUEST = "request.json"
VERDICT = "verdict.json"
PROGRESS = "progress.json"
ARCHIVE = "archive.mar"
MODEL = "model.pth"
LABELS = "class_labels.json"
CARD = "model_card.json"
SIGNATURE = "signature.minisig"


class Refused(Exception):
    """The upload is not taken; one sentence says what is wrong with it."""


@dataclass(frozen=True)
class Order:
    """One upload to check, with the operator's rules."""

    model: str
    version: str
    kind: Literal["archive", "checkpoint"]
    architecture: str | None
    max_bytes: int
    seconds: float
    signing_key: str | None
    allowed_code: tuple[str, ...]
    allow_network: bool

    @property
    def signed(self) -> str:
        """The file that the signature is of."""
        return ARCHIVE if self.kind == "archive" else MODEL


def read_order(folder: Path) -> Order:
    """Raises OSError, ValueError, KeyError or TypeError when there is none that can be read."""
    asked: dict[str, Any] = json.loads((folder / REQUEST).read_text())
    return Order(**{**asked, "allowed_code": tuple(asked["allowed_code"])})


def put(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)
