"""`python -m backup make|restore|list|check|prune|erasures|keep`."""

import sys

from backup.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
