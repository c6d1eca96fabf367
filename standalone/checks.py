"""What is looked at before anything starts."""

import os
import shutil
import tempfile
from pathlib import Path

from standalone.errors import CannotRun
from standalone.ports import holder, is_free, next_free_port
from standalone.settings import Settings

NEEDED_BYTES = 1_000_000_000


def check_state_dir(state_dir: Path) -> None:
    """Make the state folder and see that it takes files.

    Raises:
        CannotRun: It cannot be made or written.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state_dir) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise CannotRun(
            f"The state folder {state_dir} cannot be written ({problem.strerror}). "
            "Correct its rights, or name another folder in WEEDWATCH_STATE_DIR."
        ) from problem


def check_disk(state_dir: Path) -> None:
    free = shutil.disk_usage(state_dir).free
    if free < NEEDED_BYTES:
        raise CannotRun(
            f"Only {free / 1e9:.1f} GB are free at {state_dir}, and 1 GB is needed. "
            "Free some, or name another folder in WEEDWATCH_STATE_DIR."
        )


def check_port(settings: Settings) -> None:
    """See that the public port can be taken.

    Raises:
        CannotRun: It is busy; the text names who holds it and a free one.
    """
    if not is_free(settings.port, settings.host):
        raise CannotRun(
            port_message(settings.port, holder(settings.port), next_free_port(settings.port, settings.host))
        )


def port_message(port: int, who: str | None, other: int | None) -> str:
    held = f"is held by {who}" if who else "is in use by a program of another user"
    hint = f" or take the next free port: `WEEDWATCH_PORT={other} make run`" if other else ""
    return f"Port {port} {held}. End that program{',' if hint else ''}{hint}."
