"""Build and try the distribution of the last commit: ``python -m tests.release dist``, then ``... sbom``.

It runs in an environment with the extra ``release``; ``make dist`` and ``make sbom`` make one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.release.bill import write_bill
from tests.release.building import built
from tests.release.trying import try_out

DIST = Path("dist")


def main() -> None:
    """Do what the command line asks for, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=__doc__)
    parser.add_argument("what", choices=["dist", "sbom"])
    parser.add_argument("--commit", default="HEAD", help="what is built: what is not committed is left out")
    given = parser.parse_args()
    if given.what == "sbom":
        bill = write_bill(given.commit, DIST)
        print(f"{bill}: {len(json.loads(bill.read_text())['components'])} components")
        return
    for each in built(given.commit, DIST):
        print(f"{each.digest}  {each.path} (built twice, the same)")
    print(*try_out(DIST), sep="\n")


if __name__ == "__main__":
    main()
