"""``python -m tests.reliability.network``: the trials, each loss as it happens, a table, and the rows of the ledger."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.reliability import ledger
from tests.reliability.network.shares import Share, Tally, tried

SEEDS = 1_000_000
"""Seeds of a run: the trials of a run with another ``--seed`` are others."""


def shares(given: argparse.Namespace) -> Iterator[Share]:
    """Divide the trials among processes: on the server that is named, or on emulators, a third of them with TLS."""
    kinds = (
        [(False, given.trials)] if given.url else [(False, given.trials - given.trials // 3), (True, given.trials // 3)]
    )
    for tls, trials in kinds:
        for job in range(given.jobs):
            seed = given.seed * SEEDS + (2 * job + tls) * SEEDS // (2 * given.jobs)
            count = len(range(job, trials, given.jobs))
            yield Share(url=given.url, tls=tls, trials=count, seed=seed, kind=given.kind, operation=given.operation)


def main(given: argparse.Namespace) -> Iterable[Tally]:
    """Run the trials, and return a tally for each kind of server."""
    found: dict[str, Tally] = {}
    with ProcessPoolExecutor(given.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for tally in pool.map(tried, shares(given)):
            found.setdefault(tally.against, Tally(tally.against)).add(tally)
    return found.values()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.network", description=__doc__)
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes at once; they wait most of the time")
    parser.add_argument("--url", help="a real server with ML Commons, in place of emulators")
    parser.add_argument("--kind", default="", help="only faults whose name has this")
    parser.add_argument("--operation", default="", help="only work whose name has this")
    parser.add_argument("--write", action="store_true", help="write the ledger, for docs/reliability.md")
    options = parser.parse_args()
    tallies = list(main(options))
    print("\n".join(line for tally in tallies for line in tally.lines()))
    if options.write:
        command = f"python -m tests.reliability.network --trials {options.trials} --seed {options.seed}"
        command += f" --jobs {options.jobs}" + (" --url URL" if options.url else "")
        rows = itertools.chain.from_iterable(tally.rows() for tally in tallies)
        ledger.write("network-real" if options.url else "network", command, rows)
