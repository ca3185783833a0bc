"""Give an index a new model while a writer writes and a searcher searches without pause; then go back, and forth again.

    python examples/reembed_index.py [--old NAME_OR_ID] [--new NAME_OR_ID] [--engine NAME] [--verses N]

Programs use an alias, and send texts: a pipeline of the index embeds what is written, another one what is searched for.
So queries and documents meet the right model whichever index the alias leads to. At the end every document is compared
with the last write that was acknowledged. It runs on the embedded emulator, or on your cluster when OPENSEARCH_URL
names one with the k-NN and neural-search plugins: everything it makes has a name of its own, and is deleted at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncGenerator
from functools import partial

import attrs
import orjson
from cluster import CORPUS, session
from embed_corpus import model

from aiomlcommons import Session
from aiomlcommons.api.aliases import AddAlias
from aiomlcommons.api.processors import TextEmbedding
from aiomlcommons.api.search_processors import NeuralQueryEnricher
from aiomlcommons.ingest import IndexSink
from aiomlcommons.queries import neural

FIELD = "embedding"


@attrs.define
class Programs:
    """The programs that use the index by its alias, and what they saw."""

    ml: Session
    alias: str
    texts: dict[str, str]
    searches: int = 0
    empty: int = 0
    writes: int = 0
    refused: int = 0
    is_over: bool = False

    async def write(self) -> None:
        """Change, add and delete documents; what is acknowledged is known in ``texts``."""
        chance = random.Random(1)  # noqa: S311
        while not self.is_over:
            key = chance.choice([*self.texts, f"new-{self.writes}"])
            if chance.random() < 0.1 and key in self.texts:
                await self._bulk({"delete": {"_id": key}})
                del self.texts[key]
            else:
                text = f"{self.texts.get(key, 'a new verse')[:60]}, and change {self.writes}"
                await self._bulk({"index": {"_id": key}}, {"text": text})
                self.texts[key] = text
            self.writes += 1
            await asyncio.sleep(0.02)

    async def _bulk(self, *lines: object) -> None:
        # A write that the alias leaves behind may be refused, as its vector is made by the pipeline of the other index.
        while (await self.ml.documents.bulk(b"".join(map(_line, lines)), index=self.alias)).errors:
            self.refused += 1

    async def search(self) -> None:
        """Search by vectors all the time."""
        while not self.is_over:
            hits = await self.ml.search(self.alias, neural(FIELD, "a soft answer", k=5), size=5, source=False)
            self.searches += 1
            self.empty += not hits
            await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """Let them work; an error of theirs is raised."""
        async with asyncio.TaskGroup() as group:
            for program in (self.write, self.search):
                group.create_task(program())
            try:
                yield
            finally:
                self.is_over = True

    async def compare(self) -> str:
        """Return in words whether every document is as it was written last."""
        await self.ml.indices.refresh(self.alias)
        found = {hit.id: hit.source["text"] async for hit in self.ml.search(self.alias, source=["text"])}
        wrong = {key for key in found.keys() | self.texts.keys() if found.get(key) != self.texts.get(key)}
        return (
            f"{self.writes:,} writes, {self.refused} of them sent again; {self.searches:,} searches, "
            f"{self.empty} without hits; {len(found):,} documents, {len(wrong)} not as written last"
        )


def _line(data: object) -> bytes:
    return orjson.dumps(data) + b"\n"


async def pipelines(ml: Session, name: str, model_id: str) -> None:
    """Make the pipelines that embed by a model what is written, and what is searched for."""
    await ml.pipelines.create(name, processors=[TextEmbedding(model_id, {"text": FIELD})])
    await ml.pipelines.create_search(name, request_processors=[NeuralQueryEnricher(default_model_id=model_id)])


async def fill(ml: Session, index: str, alias: str, model_id: str, options: argparse.Namespace) -> dict[str, str]:
    """Make the index that is in use; return the texts of its documents."""
    verses = [orjson.loads(line) for line in CORPUS.read_bytes().splitlines()[: options.verses]]
    await ml.indices.create_for(model_id, index=index, engine=options.engine, field=FIELD)
    await ml.ingest(verses, model=model_id, sink=IndexSink(ml, index))
    defaults = {"index.default_pipeline": index, "index.search.default_pipeline": index}
    await ml.indices.put_settings(index, defaults)
    await ml.indices.update_aliases([AddAlias(index=index, alias=alias)])
    return {verse["id"]: verse["text"] for verse in verses}


async def reembed(ml: Session, index: str, alias: str, model_id: str) -> None:
    """Switch to the new model, go back, and switch again, while the programs work."""
    new = f"{index}-new"
    call = partial(ml.reembed, index, model=model_id, alias=alias, target=new, pipeline=new, search_pipeline=new)
    async with call() as job:
        print(f"\n{job.plan}\n\n{await job}\n")
        print(f"and back: {(await job.rollback()).phase}")
    print(f"and forth again: {(await call(sample=False)).phase}")


async def main(options: argparse.Namespace) -> None:
    index = f"aiomlcommons-demo-{uuid.uuid4().hex[:8]}"
    alias = f"{index}-live"
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        try:
            old_id, new_id = await model(ml, options.old), await model(ml, options.new)
            await pipelines(ml, index, old_id)
            await pipelines(ml, f"{index}-new", new_id)
            programs = Programs(ml, alias, await fill(ml, index, alias, old_id, options))
            async with programs.at_work():
                await reembed(ml, index, alias, new_id)
            print(await programs.compare())
        finally:
            await ml.indices.delete(f"{index},{index}-new", ignore_unavailable=True)
            for name in (index, f"{index}-new"):
                await ml.pipelines.delete(name)
                await ml.pipelines.delete_search(name)
            await ml.settings.apply(before)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", default="all-MiniLM-L6-v2", metavar="NAME_OR_ID")
    parser.add_argument("--new", default="all-mpnet-base-v2", metavar="NAME_OR_ID")
    parser.add_argument("--engine", metavar="NAME", help="such as lucene, which needs no native library")
    parser.add_argument("--verses", type=int, default=100, metavar="N", help="of 1,137 (default: 100)")
    asyncio.run(main(parser.parse_args()))
