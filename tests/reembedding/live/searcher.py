"""A searcher: ``python -m tests.reembedding.live.searcher URL ALIAS FIELD SEED PAUSE``.

It searches by words and by meaning through an alias until it gets SIGTERM, and prints how many searches there were, how
many failed, and how many found less than they must. PAUSE are the seconds between two.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections import Counter
from typing import Any

import attrs
import orjson

from aiomlcommons import MLCommonsError, Session
from tests.reembedding.live.words import WORDS

HITS = 5


@attrs.define
class Searches:
    """Searches of one kind after the other, and what became of them."""

    ml: Session
    alias: str
    field: str
    chance: random.Random
    pause: float = 0.0
    counts: Counter[str] = attrs.field(factory=Counter)
    errors: Counter[str] = attrs.field(factory=Counter)
    slowest: float = 0.0

    async def run(self, ends: asyncio.Event) -> None:
        """Search until the event is set."""
        loop = asyncio.get_running_loop()
        while not ends.is_set():
            for kind in ("words", "meaning"):
                begun = loop.time()
                await self._search(kind)
                self.slowest = max(self.slowest, loop.time() - begun)
                await asyncio.sleep(self.pause)

    async def _search(self, kind: str) -> None:
        text = " ".join(self.chance.choices(WORDS, k=3))
        meaning = {"neural": {self.field: {"query_text": text, "k": HITS}}}
        body: Any = {"query": {"match": {"text": text}} if kind == "words" else meaning, "size": HITS, "_source": False}
        self.counts[kind] += 1
        try:
            answer = (await self.ml.request("POST", f"/{self.alias}/_search", body=body)).json()
        except MLCommonsError as error:
            self.counts["failed"] += 1
            self.errors[f"{type(error).__name__}: {error}"[:300]] += 1
            return
        shards, hits = answer["_shards"], answer["hits"]["hits"]
        self.counts["failed"] += bool(shards["failed"])
        self.counts["too few"] += len(hits) < HITS


async def main(url: str, alias: str, field: str, seed: str, pause: str) -> None:
    """Search until SIGTERM, and print what became of it."""
    ends = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ends.set)
    async with Session(url, retries=0) as ml:
        searches = Searches(ml, alias, field, random.Random(int(seed)), float(pause))  # noqa: S311 - a test
        await searches.run(ends)
    told = {**searches.counts, "slowest": round(searches.slowest, 3), "errors": searches.errors}
    print(orjson.dumps(told).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
