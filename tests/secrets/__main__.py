"""Plant canaries and search for them: ``python -m tests.secrets`` prints the places, the outputs and what was found."""

from __future__ import annotations

import sys

from tests.secrets.search import report, searched

if __name__ == "__main__":
    found = searched()
    print(report(found))
    sys.exit(bool(found.leaks))
