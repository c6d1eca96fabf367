"""Photos on their way to TorchServe: files in a folder in memory that its workers see too.

TorchServe copies what it is sent four times on its way to a worker; a photo's name costs it nothing.
"""

import contextlib
import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from handlers import frame

log = logging.getLogger(__name__)

LEAST_BYTES = 256 * 1024  # below it a file costs more than it saves
FORGOTTEN_SECONDS = 600.0  # no call lasts so long: a file this old was left by a process that was killed


class Exchange:
    """Without a folder, or when it is full or not shared after all, pictures travel in the call."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def open(self) -> None:
        """Remove what a killed process left."""
        if self._folder is None:
            return
        for file in self._folder.glob("*"):
            with contextlib.suppress(OSError):
                if time.time() - file.stat().st_mtime > FORGOTTEN_SECONDS:
                    file.unlink()

    @contextmanager
    def lend(self, parts: Sequence[frame.Part]) -> Iterator[Sequence[frame.Part]]:
        """The parts, large ones by name: files in memory, there inside of this. No disk is waited for."""
        if self._folder is None or all(len(part.body) < LEAST_BYTES for part in parts):
            yield parts
            return
        with contextlib.ExitStack() as files:
            yield [self._by_name(self._folder, part, files) for part in parts]

    def is_not_shared(self) -> None:
        """A worker did not find a file."""
        log.error("TorchServe's workers do not see the exchange folder: pictures travel in the calls from now on")
        self._folder = None

    @staticmethod
    def _by_name(folder: Path, part: frame.Part, files: contextlib.ExitStack) -> frame.Part:
        if len(part.body) < LEAST_BYTES:
            return part
        file = folder / secrets.token_hex(16)
        files.callback(file.unlink, missing_ok=True)
        try:
            file.touch(mode=0o600, exist_ok=False)
            file.write_bytes(part.body)
        except OSError as error:
            log.warning("a picture does not fit into the exchange folder", extra={"cause": str(error)})
            return part
        return frame.Part({**part.header, frame.FILE: file.name}, b"")
