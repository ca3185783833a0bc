"""Embed a corpus and find the verses nearest to three queries.

    python examples/embed_corpus.py [--model NAME_OR_ID]

1,137 verses travel to the model in batches, several at once, over a real socket, and come back as one array. It runs on
the embedded emulator, whose vectors are lexical (texts are near when they share words), or on your cluster when
OPENSEARCH_URL names one.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from cluster import CORPUS, TINY_CONFIG, TINY_MODEL, on_emulator, session

from aiomlcommons import FileModel, Session, TaskFailed
from aiomlcommons.pipeline.sources import jsonl

TINY_NAME = "aiomlcommons tiny-dense"
QUERIES = ("a soft answer turns away anger", "a time to be born and a time to die", "go to the ant and be wise")


async def model(ml: Session, name: str) -> str:
    """A deployed model; a cluster that cannot download a pretrained one gets a tiny one from here."""
    try:
        return (await ml.models.ensure(name, report=print)).model_id
    except TaskFailed as error:
        print(f"{error}; a tiny model with random weights takes its place")
    tiny = FileModel(path=TINY_MODEL, name=TINY_NAME, model_config=TINY_CONFIG)
    return (await ml.models.ensure(tiny, report=print)).model_id


async def embed(ml: Session, model_id: str) -> tuple[list[Mapping[str, Any]], np.ndarray]:
    verses: list[Mapping[str, Any]] = []
    arrays = []
    async with ml.embed(model_id, jsonl(CORPUS), text="text") as embedded:
        async for batch in embedded.batches():
            verses += batch.rows
            arrays.append(batch.vectors)
    return verses, np.concatenate(arrays)


async def main(name: str) -> None:
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        model_id = await model(ml, name)
        started = time.perf_counter()
        verses, vectors = await embed(ml, model_id)
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
