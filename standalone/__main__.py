"""Entry point of `python -m standalone`."""

import sys

from standalone.cli import main

sys.exit(main())
