"""Search a corpus of verses for texts, by vectors and words, with hits of a class of our own.

    python examples/search_corpus.py [--model NAME_OR_ID] [--engine NAME]

The index is made for the model, and a bulk job fills it; `search_text` then finds out how to search it, and says what
it sent. It runs on the embedded emulator, or on your cluster when OPENSEARCH_URL names one with the k-NN plugin: the
index is new, and is deleted at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import uuid
from dataclasses import dataclass

from cluster import CORPUS, session
from embed_corpus import model

from aiomlcommons import Session
from aiomlcommons.ingest import IndexSink

QUERIES = ("a soft answer turns away anger", "go to the ant and be wise")


@dataclass
class Verse:
    """What we want of a document."""

    text: str
    book: str


async def fill(ml: Session, index: str, model_id: str, engine: str | None) -> None:
    """Make an index for the model, and fill it."""
    await ml.indices.create_for(model_id, index=index, engine=engine)
    report = await ml.ingest(CORPUS, model=model_id, sink=IndexSink(ml, index))
    print(f"{report.written:,} verses in the index {index}")


async def search(ml: Session, index: str, model_id: str) -> None:
    """Print the verses that fit each query best, and what was sent."""
    for query in QUERIES:
        print(f"\n{query}")
        for hit in await ml.search_text(index, query, model_id, size=3, into=Verse):
            print(f"  {hit.score:.2f}  {hit.id}: {hit.source.text}")
    print(f"\n{await ml.search_text(index, QUERIES[0], model_id, size=3).plan()}")


async def count(ml: Session, index: str) -> None:
    """Go through every verse with a word, page after page."""
    books: dict[str, int] = {}
    async for hit in ml.search(index, {"match": {"text": "wisdom"}}, source=["text", "book"], into=Verse):
        books[hit.source.book] = books.get(hit.source.book, 0) + 1
    print(f"\nverses with the word wisdom: {books}")


async def main(name: str, engine: str | None) -> None:
    index = f"aiomlcommons-demo-{uuid.uuid4().hex[:8]}"
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        try:
            model_id = await model(ml, name)
            await fill(ml, index, model_id, engine)
            await search(ml, index, model_id)
            await count(ml, index)
        finally:
            await ml.indices.delete(index, ignore_unavailable=True)
            await ml.settings.apply(before)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="all-MiniLM-L6-v2", metavar="NAME_OR_ID")
    parser.add_argument("--engine", metavar="NAME", help="such as lucene, which needs no native library")
    options = parser.parse_args()
    asyncio.run(main(options.model, options.engine))
