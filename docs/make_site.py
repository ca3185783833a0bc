"""Write the generated pages, build the site, check it, run its snippets, and say what came of it: ``make docs``.

``--pages`` only writes the generated pages that are committed, ``--external`` asks for every link to the outside, too.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

DOCS = Path(__file__).parent
ROOT = DOCS.parent
SITE = DOCS / "_build" / "html"
GENERATORS = ("reference.py", "blocking.py", "trouble.py", "reliability.py", "errors.py")


@attrs.define
class Summary:
    """What is said at the end, and whether all is well."""

    lines: list[str] = attrs.field(factory=list)
    wrong: int = 0

    def say(self, what: str, count: int | str, faults: Sequence[str] = ()) -> None:
        """Add a line to the summary; print faults at once."""
        self.lines.append(f"{what:28} {count}")
        self.wrong += len(faults)
        for fault in faults:
            print("WRONG", fault, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Do all of it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", action="store_true")
    parser.add_argument("--external", action="store_true")
    options = parser.parse_args(arguments)
    started, summary = time.monotonic(), Summary()
    # Containers often have this set, and each program below would compile all that it imports anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in GENERATORS:
        runpy.run_path(str(DOCS / name), run_name="__main__")
    if options.pages:
        return 0
    write_pages()
    build(summary)
    check(summary, external=options.external)
    run_snippets(summary)
    summary.say("seconds", round(time.monotonic() - started))
    print("\n".join(summary.lines))
    print(f"the site is {SITE / 'index.html'}")
    return 1 if summary.wrong else 0


def write_pages() -> None:
    """Write the pages that are made of the package, its commands, examples and notebooks."""
    from building import api, commands, shown

    api.write(DOCS / "api")
    commands.write(DOCS / "api")
    shown.write(DOCS)


def build(summary: Summary) -> None:
    """Build the site anew, with every warning an error."""
    command = [sys.executable, "-m", "sphinx", "--fresh-env", "--quiet", "--builder", "html", str(DOCS), str(SITE)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    warnings = [line for line in done.stderr.splitlines() if re.search("WARNING|ERROR|error", line)]
    if done.returncode and not warnings:
        warnings = [done.stderr]
    summary.say("warnings", len(warnings), warnings)


def check(summary: Summary, *, external: bool) -> None:
    """Check links, orphans, and that every public name is in the reference."""
    from building import inventory, links

    checked = links.check(SITE)
    summary.say("pages", checked.pages)
    summary.say("links within the site", checked.links - checked.outward)
    summary.say("broken links", len(checked.broken), checked.broken)
    summary.say("pages without a way to them", len(checked.orphans), checked.orphans)
    unknown = links.unreachable(checked.external) if external else []
    asked = f"{len(unknown)} of them broken" if external else "not asked for, see --external"
    summary.say("links to the outside", f"{len(checked.external)}, {asked}", unknown)
    names, missing = inventory.missing(SITE)
    summary.say("public names", f"{names}, {len(missing)} of them not in the reference", missing)


def run_snippets(summary: Summary) -> None:
    """Run every block of code of the pages, here or by the tests of a page; count them."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.pages", "--all"], stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT
    )
    print(done.stdout, flush=True)
    counts = re.findall(r"^(\d+) snippets run", done.stdout, re.MULTILINE)
    summary.say("snippets run", counts[-1] if counts else "?", ["a snippet"] if done.returncode else [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
