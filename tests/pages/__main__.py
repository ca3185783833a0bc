"""Run every page, or those that are named, and count: ``python -m tests.pages [docs/how-to/testing.md ...]``.

``--all`` runs the pages that have tests of their own as well, by these.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.pages import elsewhere
from tests.pages.blocks import NEEDS, PAGES, Block
from tests.pages.runner import WrongPage, run_page
from tests.support.paths import ROOT


def main(names: list[str]) -> int:
    """Run pages, print what is wrong and how many blocks there are of each kind; return the exit code."""
    everything = names == ["--all"]
    pages = PAGES if everything or not names else [Path(name).resolve() for name in names]
    blocks, wrong = list[Block](), 0
    for page in pages:
        try:
            with tempfile.TemporaryDirectory() as folder:
                ran = run_page(page, Path(folder))
        except (WrongPage, ValueError) as error:
            print(f"WRONG {error}", flush=True)
            wrong += 1
        else:
            print(f"{page.relative_to(ROOT)}: {len(ran)} blocks", flush=True)
            blocks += ran
    kinds = Counter(block.kind for block in blocks)
    if everything:
        print(f"and by tests of their own {len(elsewhere.TESTED)} pages: {' '.join(elsewhere.tests())}", flush=True)
        kinds += elsewhere.counts()
        wrong += _by_their_tests() != 0
    for kind, count in sorted(kinds.items()):
        reason = NEEDS.get(kind.removeprefix("needs "))
        print(f"{count:6}  {kind}{f': {reason}' if reason else ''}")
    run = sum(count for kind, count in kinds.items() if kind.endswith(" run"))
    print(f"{run} snippets run, on {len(pages) + len(elsewhere.TESTED) * everything} pages, {wrong} of them wrong")
    return 1 if wrong else 0


def _by_their_tests() -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *elsewhere.tests()]
    return subprocess.run(command, check=False, cwd=ROOT).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
