"""A share of the trials, which one process does, and the tally that it returns."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.reliability import ledger
from tests.reliability.network.kinds import KINDS, Kind
from tests.reliability.network.operations import OPERATIONS, Operation
from tests.reliability.network.trial import Trial
from tests.reliability.network.world import World, emulated, real


@attrs.frozen(kw_only=True)
class Share:
    """The trials of one process: on the server at ``url``, or else on an emulator; ``seed`` is that of the first."""

    url: str | None
    tls: bool
    trials: int
    seed: int
    kind: str = ""
    operation: str = ""

    def pairs(self, world: World) -> Iterator[tuple[Kind, Operation]]:
        """Return each kind of fault with each kind of work that fit the server, in a random order, again and again."""
        kinds = [one for one in KINDS if one.tls == self.tls and self.kind in one.name]
        works = [one for one in OPERATIONS if self.operation in one.name and (world.chat or not one.streams)]
        found = list(itertools.product(kinds, works))
        random.Random(self.seed).shuffle(found)  # noqa: S311 - not for cryptography
        return itertools.cycle(found)


@attrs.define
class Tally:
    """How often each kind of fault was tried against a server, and its promise broken. ``missed`` met no fault."""

    against: str
    trials: Counter[str] = attrs.field(factory=Counter)
    losses: Counter[str] = attrs.field(factory=Counter)
    missed: int = 0

    def add(self, other: Tally) -> None:
        """Add the trials of another process."""
        self.trials += other.trials
        self.losses += other.losses
        self.missed += other.missed

    def rows(self) -> Iterator[ledger.Trials]:
        """Return the rows of the ledger."""
        for kind in KINDS:
            if count := self.trials[kind.name]:
                yield ledger.Trials(
                    group="TLS" if kind.tls else "network",
                    fault=kind.name,
                    promise=kind.promise,
                    test="tests/reliability/network",
                    against=self.against,
                    trials=count,
                    losses=self.losses[kind.name],
                )

    def lines(self) -> Iterator[str]:
        """Return the lines of a table."""
        yield f"{self.against}: {self.trials.total():,} trials, {self.losses.total()} losses"
        for row in self.rows():
            yield f"  {row.fault:<52} {row.trials:>6} {row.losses:>4}"
        yield f"  ({self.missed} more ended before the fault was met)"


async def run(world: World, share: Share) -> Tally:
    """Try so many faults that are met, and print each loss."""
    tally, chosen = Tally(world.against), share.pairs(world)
    for number in itertools.count(share.seed):
        if tally.trials.total() >= share.trials:
            break
        kind, work = next(chosen)
        outcome = await Trial(kind, work, number)(world)
        if outcome.struck:
            tally.trials[kind.name] += 1
        else:
            tally.missed += 1
        if outcome.loss:
            tally.losses[kind.name] += 1
            print(f"seed {number}, {kind.name}, {work.name}: {outcome.loss[:400]}", flush=True)
    return tally


async def _tried(share: Share) -> Tally:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        async with real(share.url, folder) if share.url else emulated(folder, tls=share.tls) as world:
            return await run(world, share)


def tried(share: Share) -> Tally:
    """Run the trials of one process."""
    logging.disable(logging.ERROR)  # servers that are cut off say so, each time
    return asyncio.run(_tried(share))
