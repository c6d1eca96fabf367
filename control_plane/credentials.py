"""The admin token: from a file of the operator's, or made at the first start."""

import os
import secrets
from pathlib import Path


def admin_token(file: Path | None, state_dir: Path) -> str:
    """Read the token; without `file` it is made in the state folder, readable by its owner alone.

    Raises:
        ValueError: The file is missing, empty or too short to be a secret.
    """
    if file is None:
        file = state_dir / "admin-token"
        _make(file)
    try:
        token = file.read_text().strip()
    except OSError as error:
        raise ValueError(f"The admin token cannot be read from {file} ({error.strerror}).") from error
    if len(token) < 16:
        raise ValueError(f"The admin token in {file} is shorter than 16 characters. Write a longer one.")
    return token


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as new:
        new.write(secrets.token_urlsafe(32) + "\n")


def matches(given: str, token: str) -> bool:
    """Whether it is the token; takes the same time wherever it differs."""
    return secrets.compare_digest(given.encode(), token.encode())
