"""`weedwatch`: the daily commands, over the public API alone."""

import sys

from weedwatch.commands import main

if __name__ == "__main__":
    sys.exit(main())
