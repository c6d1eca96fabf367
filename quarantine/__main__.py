"""Entry point of `python -m quarantine`."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from quarantine.watch import watch


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m quarantine", description="Check the uploads in a folder.")
    parser.add_argument("folder", type=Path, help="where the control plane puts uploads")
    parser.add_argument("--temporary", type=Path, default=Path(tempfile.gettempdir()), help="a short path to work in")
    parser.add_argument("--hide", type=Path, action="append", default=[], help="what a check must not see")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that a check under way ends too
    watch(options.folder.resolve(), options.temporary.resolve(), [path.resolve() for path in options.hide])
    return 0


if __name__ == "__main__":
    sys.exit(main())
