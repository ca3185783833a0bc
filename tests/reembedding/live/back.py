"""Go back from each phase of a re-embedding: ``python -m tests.reembedding.live.back --documents 500 [--url URL]``.

In each phase the run is broken off just after the cluster knows of it, as by a crash, and another one rolls it back.
Then twenty searches through the alias must answer as before, hit by hit and score by score.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import attrs

from aiomlcommons import Session
from aiomlcommons.reembedding.run import Run
from aiomlcommons.reembedding.state import Phase
from tests.reembedding.live.words import WORDS
from tests.reembedding.live.world import FIELD, World, fill, server, world

SEARCHES = 20
PHASES = (None, Phase.CREATED, Phase.COPYING, Phase.CAUGHT_UP, Phase.CHECKED, Phase.SWITCHED, Phase.FINISHED)
"""The phases that a run is broken off in; None is before it does anything."""
Answer = Sequence[tuple[str, float]]


class Broken(BaseException):
    """The run is broken off here."""


@attrs.frozen
class Went:
    """What going back from a phase came to: which searches answer otherwise, and where the alias leads."""

    phase: str
    otherwise: list[str]
    leads_to: list[str]
    said: str

    def is_right(self, made: World) -> bool:
        """Return whether all is as before."""
        said = Phase.ROLLED_BACK if self.phase in set(Phase) else Phase.PLANNED
        return not self.otherwise and self.leads_to == [made.index] and self.said == said


async def answers(ml: Session, made: World) -> dict[str, Answer]:
    """Return the answers of searches by words and by meaning through the alias."""
    chance, found = random.Random(0), dict[str, Answer]()  # noqa: S311 - a test
    for number in range(SEARCHES):
        text = " ".join(chance.choices(WORDS, k=3))
        meaning = {"neural": {FIELD: {"query_text": text, "k": 10}}}
        query: Mapping[str, Any] = meaning if number % 2 else {"match": {"text": text}}
        body = {"query": query, "size": 10, "_source": False}
        hits = (await ml.request("POST", f"/{made.alias}/_search", body=body)).json()["hits"]["hits"]
        # Hits of the same score have no order of their own.
        found[f"{next(iter(query))} {text}"] = sorted((hit["_id"], hit["_score"]) for hit in hits)
    return found


@asynccontextmanager
async def broken_off(phase: Phase | None) -> AsyncGenerator[None]:
    """Break a run off when it reaches a phase."""
    reached = Run.reached

    async def _reached(run: Run, now: Phase, **changes: Any) -> None:
        await reached(run, now, **changes)
        if now is phase:
            raise Broken

    with patch.object(Run, "reached", _reached):
        try:
            yield
        except* Broken:  # what works beside the run ends with it
            pass


async def back_from(ml: Session, made: World, phase: Phase | None, before: Mapping[str, Answer]) -> Went:
    """Run into a phase, go back, and compare."""
    arguments: Any = {**made.wanted, "sample": False}
    async with broken_off(phase), ml.reembed(**arguments) as job:
        if phase is not None:
            await job
            await job.follow()
            await job.finish()
    async with ml.reembed(**arguments) as job:
        report = await job.rollback()
    after = await answers(ml, made)
    otherwise = [query for query, answer in before.items() if after[query] != answer]
    leads_to = sorted(await ml.indices.aliases(name=made.alias))
    if made.target in await ml.indices.aliases():  # what was switched to is kept: the next run begins anew
        await ml.indices.delete(made.target)
    return Went("before it began" if phase is None else str(phase), otherwise, leads_to, str(report.phase))


async def run(url: str | None, documents: int, prefix: str) -> tuple[World, list[Went]]:
    """Go back from each phase."""
    async with server(url) as there, Session(there.url) as ml, world(ml, prefix, there.dimension) as made:
        await fill(ml, made, documents, 2)
        before = await answers(ml, made)
        return made, [await back_from(ml, made, phase, before) for phase in PHASES]


async def main(arguments: Sequence[str] | None = None) -> int:
    """Print what going back from each phase came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.reembedding.live.back", description=__doc__)
    parser.add_argument("--url", help="a cluster; default: an emulator")
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--prefix", default="live")
    made, found = await run(**vars(parser.parse_args(arguments)))
    for went in found:
        print(f"{went.phase}: {SEARCHES - len(went.otherwise)} of {SEARCHES} searches answer as before; {went}")
    return 0 if all(went.is_right(made) for went in found) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
