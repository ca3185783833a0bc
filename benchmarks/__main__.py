"""All short benchmarks in one run, as ratios: ``make bench``.

    python -m benchmarks [--output FILE] [--rounds N] [--only NAME ...]

The figures go into a JSON file with the commit and the versions of all libraries. ``python -m benchmarks.pages`` makes
the tables and the plots of docs/performance.md from such files, and ``python -m benchmarks.compare`` compares two.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from benchmarks import documents, embed_cpu, imports, memory, small_call, where
from benchmarks.replay import limit
from benchmarks.replay.server import replaying
from benchmarks.turns import Table
from benchmarks.versions import RESULTS, about

LOCAL = [case for case in embed_cpu.CASES if case.model.startswith("local")]


def server(_: int) -> object:
    """Measure what the server by itself can do."""
    with replaying() as url:
        return limit.limits(url)


def start(rounds: int) -> object:
    """Measure imports and ``--help``."""
    found = imports.measure(2 * rounds + 1)
    imports.report(found)
    return imports.as_json(found)


def kept(*found: Table) -> object:
    """Return tables as JSON."""
    return [table.as_json() for table in found]


SECTIONS: dict[str, Callable[[int], Any]] = {
    "server": server,
    "imports": start,
    "calls": lambda rounds: kept(small_call.table(rounds, 500), small_call.table(rounds, 500, uvloop=True)),
    "embeddings": lambda rounds: kept(
        *embed_cpu.tables(rounds, 3200), *embed_cpu.tables(rounds, 3200, uvloop=True, cases=LOCAL)
    ),
    "documents": lambda rounds: kept(documents.table(rounds, 20_000)),
    "memory": lambda _: memory.figures((10_000, 100_000)),
    "where": lambda _: where.figures(20_000),
}


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=RESULTS / "latest.json")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="NAME")
    options = parser.parse_args()
    # The parts of a file that is there already are kept, if only some are measured again.
    whole = len(options.only) == len(SECTIONS) or not options.output.exists()
    found = {**({} if whole else orjson.loads(options.output.read_bytes())), "about": about()}
    options.output.parent.mkdir(exist_ok=True)
    for name in options.only:
        found[name] = SECTIONS[name](options.rounds)
        options.output.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    print(f"\nthe figures are in {options.output}")


if __name__ == "__main__":
    main()
