"""``python -m aiomlcommons``."""

import sys

from aiomlcommons.cli import main

if __name__ == "__main__":
    sys.exit(main())
