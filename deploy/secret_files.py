"""`make secrets`: a file for each secret of the stack that has none yet."""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path

from deploy.composing import ROOT

SUMMARY = "make the secrets that are missing, as files in deploy/secrets"
FOLDER = ROOT / "deploy" / "secrets"
RANDOM = (
    "postgres_password",
    "database_password",
    "redis_password",
    "key_secret",
    "admin_token",
    "grafana_admin_password",
    "grafana_reader_password",
)
MADE_OF = {
    "database_url": ("database_password", "postgresql://weedwatch:{}@postgres:5432/weedwatch\n"),
    "limits_url": ("redis_password", "redis://:{}@redis:6379/0\n"),
    "redis_config": (
        "redis_password",
        'requirepass {}\nport 6379\nsave ""\nappendonly no\nmaxmemory 128mb\nmaxmemory-policy volatile-ttl\n',
    ),
}
"""Files that hold another secret in a form of their own: name → secret, text."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=FOLDER, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    made = make(options.folder)
    print(f"Made in {options.folder}: {', '.join(made)}." if made else f"All secrets are there, in {options.folder}.")
    return 0


def make(folder: Path = FOLDER) -> list[str]:
    """Make what is missing, and what follows from what was changed; gives the names of what was written.

    Containers read the files as a user of their own, so whoever may enter the folder may read them: nobody but the
    owner may enter it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / "alerting").mkdir(mode=0o755, exist_ok=True)
    made = [name for name in RANDOM if not (folder / name).exists()]
    for name in made:
        write(folder / name, secrets.token_urlsafe(32) + "\n")
    for name, (source, text) in MADE_OF.items():
        wanted = text.format((folder / source).read_text("utf-8").strip())
        if not (folder / name).exists() or (folder / name).read_text("utf-8") != wanted:
            write(folder / name, wanted)
            made.append(name)
    return made


def write(path: Path, text: str) -> None:
    """Put a secret in its place in one step, readable by whoever may enter the folder."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.chmod(0o444)
    beside.replace(path)
