"""The platform's own secrets: each from a file of the operator's, or made at the first start."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

LEAST_CHARACTERS = 16


def admin_token(file: Path | None, state_dir: Path) -> str:
    """Read the token; without `file` it is made in the state folder, readable by its owner alone.

    Raises:
        ValueError: The file is missing, empty or too short to be a secret.
    """
    return _read(file, state_dir / "admin-token", "admin token")[0]


@dataclass(frozen=True)
class KeySecrets:
    """With what the digests of API keys are made: the newest secret first, older ones as long as keys need them.

    Their names stand in the rows of the keys and tell nothing of them.
    """

    by_name: dict[str, bytes]

    @classmethod
    def load(cls, file: Path | None, state_dir: Path) -> "KeySecrets":
        """One secret a line; without `file` one is made in the state folder.

        Raises:
            ValueError: The file is missing, empty or holds one that is too short.
        """
        lines = [each.encode() for each in _read(file, state_dir / "key-secret", "secret of the keys")]
        return cls({hashlib.sha256(b"weedwatch key secret " + each).hexdigest()[:16]: each for each in lines})

    @property
    def newest(self) -> str:
        return next(iter(self.by_name))

    def digest(self, text: str, name: str) -> bytes:
        """With the secret of that name; of no use when it is not here, and then as slow as if it were."""
        return hmac.digest(self.by_name.get(name, b"unknown"), text.encode(), "sha256")


def matches(given: str, token: str) -> bool:
    """Whether it is the token; takes the same time wherever it differs."""
    return secrets.compare_digest(given.encode(), token.encode())


def _read(file: Path | None, own: Path, what: str) -> list[str]:
    if file is None:
        file = own
        _make(file)
    try:
        lines = file.read_text().split()
    except OSError as error:
        raise ValueError(f"The {what} cannot be read from {file} ({error.strerror}).") from error
    if not lines or min(map(len, lines)) < LEAST_CHARACTERS:
        raise ValueError(f"The {what} in {file} is shorter than {LEAST_CHARACTERS} characters. Write a longer one.")
    return lines


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as new:
        new.write(secrets.token_urlsafe(32) + "\n")
