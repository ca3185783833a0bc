"""Run every page, or those that are named, and count: ``python -m tests.pages [docs/how-to/testing.md ...]``."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.pages.blocks import NEEDS, PAGES, Block
from tests.pages.runner import WrongPage, run_page
from tests.support.paths import ROOT


def main(names: list[str]) -> int:
    pages = [Path(name).resolve() for name in names] or PAGES
    blocks, wrong = list[Block](), 0
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            try:
                ran = run_page(page, Path(folder))
            except (WrongPage, ValueError) as error:
                print(f"WRONG {error}")
                wrong += 1
            else:
                print(f"{page.relative_to(ROOT)}: {len(ran)} blocks")
                blocks += ran
    print(f"{len(pages)} pages, {wrong} of them wrong, {len(blocks)} blocks:")
    for kind, count in sorted(Counter(block.kind for block in blocks).items()):
        reason = NEEDS.get(kind.removeprefix("needs "))
        print(f"{count:6}  {kind}{f': {reason}' if reason else ''}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
