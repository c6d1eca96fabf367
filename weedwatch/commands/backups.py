"""Backup and restore: not over the API but beside the service, by the package `backup`, which is loaded only here."""

from typing import Annotated

import typer

PLAIN = {"allow_extra_args": True, "ignore_unknown_options": True}
Words = Annotated[list[str] | None, typer.Argument(help="What `python -m backup` takes; --help says it.")]


def backup(words: Words = None) -> None:
    """Back the service up, on its own machine: make, list, check, prune, keep."""
    _run(words or ["make"])


def restore(words: Words = None) -> None:
    """Bring the service back from a backup."""
    _run(["restore", *(words or [])])


def _run(words: list[str]) -> None:
    try:
        from backup.cli import main  # noqa: PLC0415 - the client alone has no service beside it
    except ModuleNotFoundError as missing:
        raise typer.BadParameter(f"works where the service is installed: there is no {missing.name} here") from None
    raise typer.Exit(main(words))
