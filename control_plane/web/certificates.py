"""When certificates end that somebody wants watched."""

import logging
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

log = logging.getLogger(__name__)

NOT_READABLE = 0.0


class Certificates:
    """PEM files; each is read again when it has changed."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._ends: dict[Path, tuple[object, float]] = {}  # with what the file looked like

    def ends(self) -> dict[str, float]:
        """By file: when its first certificate ends, in seconds since 1970; 0 when nobody can tell."""
        return {str(file): self._end(file) for file in self._files}

    def _end(self, file: Path) -> float:
        known = self._ends.get(file)
        cause: Exception | None = None
        try:
            stat = file.stat()
            look: object = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if known and known[0] == look:
                return known[1]
            found = x509.load_pem_x509_certificates(file.read_bytes())
            end = min(each.not_valid_after_utc.timestamp() for each in found)
        except OSError as error:  # tried again each time: who may read a file changes without the file
            look, end, cause = error.errno, NOT_READABLE, error
        except ValueError as error:
            end, cause = NOT_READABLE, error
        if cause and not (known and known[0] == look):
            log.error("a watched certificate cannot be read", extra={"file": str(file), "cause": str(cause)})
        self._ends[file] = look, end
        return end
