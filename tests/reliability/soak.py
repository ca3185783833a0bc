"""A long load under faults of all kinds in turns, with what the process holds at its start, every minute and its end.

    python -m tests.reliability.soak [--minutes N] [--seed N] [--write]

Three nodes before a cluster, all of them processes. Calls, streams, tasks, searches and jobs run at once, in this
process, and jobs in processes that are killed. Every result is compared, and every document of every job accounted for.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import anyio
import attrs

from aiomlcommons import Session, Timeout
from tests.reliability import ledger
from tests.reliability.resources import Resources, resources
from tests.reliability.soak_faults import Faults
from tests.reliability.soak_jobs import Jobs
from tests.reliability.soak_load import Load, Tally, forever
from tests.reliability.soak_world import world

CALLERS, JOBS = 4, 2
# Seconds of peace between two faults, each of which lasts longer than that, and than a node may be silent.
PAUSE = 4.0
SILENT = Timeout(connect=2, read=3, total=20)
# By how much the memory may have grown at the end.
GROWTH = 0.15
WARM = 0.1
# Minutes below which memory tells nothing: modules are still imported, and buffers grow to their size.
LEAST = 5


@attrs.frozen
class Soaked:
    """How a soak went."""

    minutes: float
    tally: Tally
    faults: Faults
    jobs: Jobs
    held: Sequence[Resources]
    """At the start, every minute, and at the end."""

    @property
    def warm(self) -> float:
        """The memory after the first tenth of the time, when all modules are imported and all buffers are in use."""
        return next(one.memory for one in self.held[1:] if one.minute >= WARM * self.minutes)

    @property
    def grown(self) -> float:
        """How much the memory has grown since, as a share."""
        return self.held[-1].memory / self.warm - 1

    @property
    def leaks(self) -> list[str]:
        """What is left at the end that was not there at the start, or memory that has grown."""
        first, last = self.held[0], self.held[-1]
        names = ("tasks", "sockets", "files")
        found = [
            f"{getattr(last, name) - getattr(first, name)} {name}"
            for name in names
            if getattr(last, name) > getattr(first, name)
        ]
        return [*found, *([f"{self.grown:.0%} of memory"] if self.minutes >= LEAST and self.grown > GROWTH else [])]

    def rows(self) -> list[ledger.Trials]:
        """Return the rows of the ledger."""
        same = {"test": "tests/reliability/soak.py", "against": "emulator"}
        turns = {turn.name: turn for turn in self.faults.turns()}
        found = [
            ledger.Trials(
                group="a long load",
                fault=name,
                promise=turns[name].promise,
                trials=count,
                losses=self.faults.lost[name],
                **same,
            )
            for name, count in sorted(self.faults.tried.items())
        ]
        wrong = [one for one in self.tally.wrong if one.startswith(("jobs", "job processes"))]
        jobs = ledger.Trials(
            group="a long load",
            fault="jobs are left, killed with -9, and go through all of these",
            promise="resumed, a job writes each good document once with its vector, and each bad one is a dead letter",
            trials=self.tally.done["jobs"] + self.tally.done["job processes"] + len(wrong),
            losses=len(wrong),
            **same,
        )
        leaks = ledger.Trials(
            group="a long load",
            fault=f"{self.minutes:g} minutes of all of these",
            promise="no task, socket or file is left at the end, and memory does not grow",
            trials=1,
            losses=len(self.leaks),
            **same,
        )
        return [*found, jobs, leaks]

    def figures(self) -> dict[str, str]:
        """Return what else was measured."""
        done = self.tally.done
        failed = sum(self.tally.failed.values())
        return {
            "at the start": str(self.held[0]),
            "at the end": str(self.held[-1]),
            "memory after the first tenth of the time": f"{self.warm:,.1f} MB, at the end {self.grown:+.1%}",
            "every minute, MB/tasks/sockets/files/threads": ", ".join(one.brief for one in self.held[1:-1]),
            "most memory": f"{max(one.memory for one in self.held):,.1f} MB",
            "operations": ", ".join(f"{done[name]:,} {name}" for name in sorted(done)),
            "operations that ended with an error of the package": f"{failed:,}",
            "documents that were accounted for": f"{self.jobs.documents:,}",
            "runs of jobs that ended early": ", ".join(
                f"{count:,} {name}" for name, count in self.jobs.runs.most_common()
            ),
        }


async def soak(minutes: float, seed: int, *, pause: float = PAUSE, without: Collection[str] = ()) -> Soaked:
    """Run the load for so many minutes, with pauses of so many seconds between faults."""
    chance, tally, calm, over = random.Random(seed), Tally(), anyio.Event(), anyio.Event()  # noqa: S311
    with tempfile.TemporaryDirectory() as place:
        async with world(Path(place)) as served:
            began = time.monotonic()
            held = [resources(0)]
            print(f"start: {held[0]}", flush=True)
            async with Session(served.urls, timeout=SILENT) as ml:
                load, jobs = Load(ml, served, tally, chance), Jobs(ml, served, tally, chance)
                faults = Faults(ml, served, tally, chance)
                doing = [("calls", load.call)] * CALLERS + [("jobs", jobs.job)] * JOBS
                doing += [("batches", load.batch), ("streams", load.stream), ("tasks", load.task), ("pages", load.page)]
                async with asyncio.TaskGroup() as group:
                    for name, once in [*doing, ("job processes", jobs.process)]:
                        if name not in without:
                            group.create_task(forever(tally, name, once, over))
                    trouble = group.create_task(faults.run(calm, pause=pause))
                    while (time.monotonic() - began) / 60 < minutes:
                        await anyio.sleep(min(60.0, minutes * 60 - (time.monotonic() - began)))
                        held.append(resources((time.monotonic() - began) / 60))
                        print(f"{held[-1].minute:6.1f} min: {held[-1]}; {sum(tally.done.values()):,} done", flush=True)
                    # The last fault ends first, and all work again after it.
                    calm.set()
                    await trouble
                    over.set()
            held.append(resources((time.monotonic() - began) / 60))
            print(f"end: {held[-1]}", flush=True)
    return Soaked(minutes, tally, faults, jobs, held)


def main() -> int:
    """Parse the options, run, and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--write", action="store_true", help="write the ledger")
    given = parser.parse_args()
    logging.getLogger("aiomlcommons").setLevel(logging.CRITICAL)  # each fault is logged, as it should be
    soaked = asyncio.run(soak(given.minutes, given.seed))
    print()
    for name, value in soaked.figures().items():
        print(f"{name}: {value}")
    for key, count in sorted(soaked.tally.failed.items()):
        print(f"  {count:>6,} {' '.join(key)}")
    rows = soaked.rows()
    for row in rows:
        print(f"{row.trials:>5,} trials {row.losses:>3} losses   {row.fault}")
    for wrong in (*soaked.tally.wrong, *soaked.leaks):
        print(f"WRONG {wrong}")
    if given.write:
        ledger.write("soak", f"python -m tests.reliability.soak --minutes {given.minutes:g}", rows, soaked.figures())
    return bool(sum(row.losses for row in rows))


if __name__ == "__main__":
    sys.exit(main())
