"""Embed a corpus into an index and find the verses nearest to three queries.

    python examples/embed_corpus.py [--model NAME_OR_ID]

A bulk job sends 1,137 verses to the model in concurrent batches over a real socket, and writes them with their vectors
into an index, which then answers k-NN searches. It runs on the embedded emulator, whose vectors are lexical (texts are
near when they share words), or on your cluster when OPENSEARCH_URL names one with the k-NN plugin: the index is new,
and is deleted at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import uuid

from cluster import CORPUS, TINY_CONFIG, TINY_MODEL, on_emulator, session

from aiomlcommons import BadRequest, FileModel, NotSupported, Session, TaskFailed
from aiomlcommons.ingest import IndexSink
from aiomlcommons.queries import knn

TINY_NAME = "aiomlcommons tiny-dense"
QUERIES = ("a soft answer turns away anger", "a time to be born and a time to die", "go to the ant and be wise")
# The engine that needs no native library.
METHOD = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
INDEX = {"mappings": {"properties": {"embedding": {"method": METHOD}}}, "settings": {"number_of_replicas": 0}}


async def model(ml: Session, name: str) -> str:
    """Return a deployed model; a cluster that cannot download a pretrained one gets a tiny one from this repository."""
    try:
        return await ml.models.ensure(name, progress=print)
    except (TaskFailed, NotSupported) as error:
        print(f"{error}; a tiny model with random weights takes its place")
    tiny = FileModel(path=TINY_MODEL, name=TINY_NAME, model_config=TINY_CONFIG)
    return await ml.models.ensure(tiny, progress=print)


async def fill(ml: Session, index: str, model_id: str) -> None:
    """Embed the verses into a new index."""
    started = time.perf_counter()
    async with ml.ingest(CORPUS, model=model_id, sink=IndexSink(ml, index, create=INDEX)) as job:
        report = await job
    seconds = time.perf_counter() - started
    where = "the embedded emulator" if on_emulator() else ml.url
    print(report)
    print(f"{report.written:,} documents embedded into the index {index} on {where} in {seconds:.2f} s")
    print(f"{report.written / seconds:,.0f} documents/s")


async def answer(ml: Session, index: str, model_id: str) -> None:
    """Print the three verses nearest to each query."""
    vectors = await ml.embed_many(model_id, QUERIES)
    for query, vector in zip(QUERIES, vectors, strict=True):
        print(f"\n{query}")
        for hit in await ml.search(index, knn("embedding", vector, k=3), size=3, source=["id", "text"]):
            print(f"  {hit.score:.2f}  {hit.source['id']}: {hit.source['text']}")


async def main(name: str) -> None:
    index = f"aiomlcommons-demo-{uuid.uuid4().hex[:8]}"
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        try:
            model_id = await model(ml, name)
            await fill(ml, index, model_id)
            await answer(ml, index, model_id)
        except BadRequest as error:
            if "knn" not in str(error):
                raise
            raise SystemExit(f"{error}\nThe cluster has no k-NN plugin, which an index of vectors needs.") from error
        finally:
            await ml.request("DELETE", f"/{index}", query={"ignore_unavailable": "true"})
            await ml.settings.apply(before)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="all-MiniLM-L6-v2", metavar="NAME_OR_ID")
    asyncio.run(main(parser.parse_args().model))
