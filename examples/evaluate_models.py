"""Judge a new model on queries of your own before it takes the place of the old one: a table, a plot, a verdict.

    python examples/evaluate_models.py [--old NAME_OR_ID] [--new NAME_OR_ID] [--engine NAME] [--plot FILE]

Two indices of 1,137 verses are made, each with the vectors of one model; 40 queries, whose relevant verses are known,
are sent to both. It runs on the embedded emulator, whose vectors are lexical, so that fewer dimensions make a worse
model; or on your cluster when OPENSEARCH_URL names one with the k-NN plugin: the indices are new, and are deleted at
the end. The default of --new is a model of 16 dimensions: the example ends with what is not as required.
"""

from __future__ import annotations

import argparse
import asyncio
import uuid

from cluster import CORPUS, TINY_CONFIG, TINY_MODEL, session
from embed_corpus import TINY_NAME, model

from aiomlcommons import FileModel, Session
from aiomlcommons.evaluating import Searched
from aiomlcommons.ingest import IndexSink

QUERIES = CORPUS.with_name("wisdom-queries.jsonl")
JUDGMENTS = CORPUS.with_name("wisdom-judgments.tsv")
TINY = FileModel(path=TINY_MODEL, name=TINY_NAME, model_config=TINY_CONFIG)
REQUIRED = ("ndcg@10 >= old - 0.02", "recall@10 >= old - 0.02")


async def fill(ml: Session, index: str, model_id: str, engine: str | None) -> Searched:
    """Make an index with the vectors of a model; return how it is searched."""
    await ml.indices.create_for(model_id, index=index, engine=engine)
    await ml.ingest(CORPUS, model=model_id, sink=IndexSink(ml, index))
    return Searched(index, model=model_id, hybrid=False)


async def judge(ml: Session, old: Searched, new: Searched, plot: str | None) -> None:
    """Print how the systems compare, and whether the new one is as required."""
    result = await ml.evaluate(QUERIES, JUDGMENTS, {"old": old, "new": new}, k=(1, 10))
    print(result)
    if plot is not None:
        result.plot(plot)
        print(f"\nthe plot is in {plot}")
    failed = result.require(REQUIRED)
    print("\nthe new model is as required" if not failed else "\nkeep the old model:")
    for words in failed:
        print(f"  {words}")


async def main(old: str, new: str | None, engine: str | None, plot: str | None) -> None:
    name = f"aiomlcommons-demo-{uuid.uuid4().hex[:8]}"
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        try:
            old_id = await model(ml, old)
            new_id = await (ml.models.ensure(TINY, progress=print) if new is None else model(ml, new))
            searched = await fill(ml, f"{name}-old", old_id, engine), await fill(ml, f"{name}-new", new_id, engine)
            await judge(ml, *searched, plot)
        finally:
            await ml.indices.delete(f"{name}-old,{name}-new", ignore_unavailable=True)
            await ml.settings.apply(before)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old", default="all-MiniLM-L6-v2", metavar="NAME_OR_ID")
    parser.add_argument("--new", metavar="NAME_OR_ID", help="(default: a model of 16 dimensions)")
    parser.add_argument("--engine", metavar="NAME", help="such as lucene, which needs no native library")
    parser.add_argument("--plot", metavar="FILE", help="such as new.svg")
    options = parser.parse_args()
    asyncio.run(main(options.old, options.new, options.engine, options.plot))
