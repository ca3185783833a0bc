"""Try hostile answers: ``python -m tests.reliability.hostile --trials 3000 --seed 1 [--kind gzip] [--write]``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import cycle, islice

from tests.reliability import ledger
from tests.reliability.hostile.kinds import GROUPS, KINDS
from tests.reliability.hostile.server import serving
from tests.reliability.hostile.trials import Outcome, session, trial
from tests.reliability.hostile.writing import MB


async def _run(url: str, names: Iterable[str], seed: int) -> list[Outcome]:
    outcomes = []
    async with session(url) as ml:
        for number, name in enumerate(names):
            outcomes.append(found := await trial(ml, name, seed + number))
            if found.loss:
                print(f"LOSS --kind {name} --trials 1 --seed {found.seed}: {found.loss}", flush=True)
    return outcomes


def _rows(outcomes: Sequence[Outcome]) -> list[ledger.Trials]:
    tried = Counter(one.kind for one in outcomes)
    lost = Counter(one.kind for one in outcomes if one.loss)
    return [
        ledger.Trials(
            group=group,
            fault=kind.fault,
            promise=kind.promise,
            test="tests/reliability/test_hostile.py",
            against="a server of the tests",
            trials=tried[name],
            losses=lost[name],
        )
        for group, kinds in GROUPS.items()
        for name, kind in kinds.items()
        if tried[name]
    ]


def _print(outcomes: Sequence[Outcome]) -> None:
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        by_kind[one.kind].append(one)
    for name, ones in by_kind.items():
        ended = ", ".join(f"{times} {what}" for what, times in Counter(one.ended for one in ones).most_common())
        largest = max(ones, key=lambda one: one.share)
        print(
            f"{name:14} {len(ones):5} trials {sum(bool(one.loss) for one in ones):3} losses"
            f"  peak {largest.peak / MB:6.1f} MB at a limit of {largest.limit / MB:.2f} MB"
            f"  longest {max(one.seconds for one in ones):5.1f} s  {ended}"
        )


def main() -> int:
    """Try, print what came of each kind, and return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.hostile", description=__doc__)
    parser.add_argument("--trials", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=sorted(KINDS), action="append")
    parser.add_argument("--write", action="store_true", help="write docs/reliability/hostile.json")
    options = parser.parse_args()
    began = time.perf_counter()
    with serving() as url:
        names = islice(cycle(options.kind or KINDS), options.trials)
        outcomes = asyncio.run(_run(url, names, options.seed))
    _print(outcomes)
    losses = sum(bool(one.loss) for one in outcomes)
    above = sum(one.share > 1 for one in outcomes)
    largest = max(one.share for one in outcomes)
    crashes = sum(bool(one.loss) for one in outcomes) - above
    figures = {
        "peak memory above the limit": str(above),
        "largest peak, as a share of what is allowed": f"{largest:.0%}",
        "allowed for an answer": "ten times max_response_bytes (of 0.25 to 4 MB), and 24 MB",
    }
    print(
        f"{len(outcomes)} trials of {len({one.kind for one in outcomes})} kinds in {time.perf_counter() - began:.0f} s:"
    )
    print(f"{losses} losses ({crashes} other than of memory); {figures}")
    if options.write:
        command = f"python -m tests.reliability.hostile --trials {options.trials} --seed {options.seed}"
        print(ledger.write("hostile", command, _rows(outcomes), figures))
    return min(losses, 1)


if __name__ == "__main__":
    sys.exit(main())
