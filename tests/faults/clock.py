"""A clock that a file sets: libfaketime (Debian's package `faketime`) moves the wall clock of one process.

The monotonic clock goes on untouched, as when an operator or NTP sets the time.
"""

import os
from dataclasses import dataclass
from pathlib import Path

LIBRARY = "libfaketimeMT.so.1"
PLACES = ("/usr/lib", "/usr/local/lib", "/usr/lib64")


@dataclass(frozen=True)
class Clock:
    """`environment` is given to a process; `set` moves its clock while it runs."""

    file: Path
    preload: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self.preload),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, when: str) -> None:
        """As faketime spells it: "+0", "-3600", "@2038-01-19 03:14:00"."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(when + "\n")
        fresh.replace(self.file)


def clock(file: Path) -> Clock:
    """A clock that is right until it is set.

    Raises:
        RuntimeError: The library is not installed.
    """
    named = os.environ.get("LIBFAKETIME")
    found = [Path(named)] if named else []
    found += [path for place in PLACES for path in Path(place).glob(f"*/faketime/{LIBRARY}")]
    found += [path for place in PLACES for path in Path(place).glob(f"faketime/{LIBRARY}")]
    if not found:
        raise RuntimeError(
            "The clock cannot be moved: install faketime (apt-get install faketime), or name it in LIBFAKETIME."
        )
    made = Clock(file, found[0])
    made.set("+0")
    return made
