"""Embed a corpus and find the verses nearest to three queries.

    python examples/embed_corpus.py [--model NAME_OR_ID]

1,137 verses are sent to the model in concurrent batches over a real socket, and returned as one array. It runs on the
embedded emulator, whose vectors are lexical (texts are near when they share words), or on your cluster when
OPENSEARCH_URL names one.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

import numpy as np
import orjson
from cluster import CORPUS, TINY_CONFIG, TINY_MODEL, on_emulator, session

from aiomlcommons import FileModel, NotSupported, Session, TaskFailed

TINY_NAME = "aiomlcommons tiny-dense"
QUERIES = ("a soft answer turns away anger", "a time to be born and a time to die", "go to the ant and be wise")


async def model(ml: Session, name: str) -> str:
    """Return a deployed model; a cluster that cannot download a pretrained one gets a tiny one from this repository."""
    try:
        return (await ml.models.ensure(name, report=print)).model_id
    except (TaskFailed, NotSupported) as error:
        print(f"{error}; a tiny model with random weights takes its place")
    tiny = FileModel(path=TINY_MODEL, name=TINY_NAME, model_config=TINY_CONFIG)
    return (await ml.models.ensure(tiny, report=print)).model_id


def corpus() -> list[dict[str, Any]]:
    """Return the verses with their ``id`` and ``text``."""
    return [orjson.loads(line) for line in CORPUS.read_bytes().splitlines()]


async def embed(ml: Session, model_id: str, verses: list[dict[str, Any]]) -> np.ndarray:
    """Return their vectors, in the same order: an array of shape (verses, dimension)."""
    async with ml.embed(model_id, verses, text="text") as embedded:
        return np.concatenate([batch.vectors async for batch in embedded.batches()])


async def main(name: str) -> None:
    verses = await asyncio.to_thread(corpus)
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        model_id = await model(ml, name)
        started = time.perf_counter()
        vectors = await embed(ml, model_id, verses)
        seconds = time.perf_counter() - started
        where = "the embedded emulator" if on_emulator() else ml.url
        print(f"{len(verses):,} documents embedded on {where} in {seconds:.2f} s")
        print(f"{len(verses) / seconds:,.0f} documents/s")
        print(f"{vectors.shape[1]} dimensions of {vectors.dtype}")
        likeness = await ml.embed_many(model_id, QUERIES) @ vectors.T
        for query, nearest in zip(QUERIES, likeness, strict=True):
            print(f"\n{query}")
            for i in np.argsort(-nearest)[:3]:
                print(f"  {nearest[i]:.2f}  {verses[i]['id']}: {verses[i]['text']}")
        await ml.settings.apply(before)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="all-MiniLM-L6-v2", metavar="NAME_OR_ID")
    asyncio.run(main(parser.parse_args().model))
