"""Pretrained models by name: dense, sparse, cross-encoder and highlighter, from the catalogue to a result.

    python examples/pretrained_models.py

It runs on the embedded emulator, or on your cluster when OPENSEARCH_URL names one, which downloads the models itself:
several hundred megabytes. If the cluster cannot download them, the error is printed and the example continues with the
next model.
"""

from __future__ import annotations

import asyncio

from cluster import session

from aiomlcommons import PretrainedModel, Session, TaskFailed

TEXTS = ["A soft answer turns away wrath.", "Go to the ant, you sluggard.", "A gentle reply calms anger."]
NAMES = (
    "all-MiniLM-L6-v2",
    "opensearch-neural-sparse-encoding-doc-v2-mini",
    "ms-marco-MiniLM-L-6-v2",
    "opensearch-semantic-highlighter-v1",
)


async def use(ml: Session, function: str, model_id: str) -> str:
    match function:
        case "TEXT_EMBEDDING":
            vectors = await ml.embed_many(model_id, TEXTS)
            return f"{vectors.shape[0]} texts of {vectors.shape[1]} dimensions"
        case "SPARSE_ENCODING":
            return f"{len((await ml.sparse(model_id, TEXTS))[0])} tokens with weights"
        case "TEXT_SIMILARITY":
            scores = await ml.rerank(model_id, "a soft answer", TEXTS)
            return f"the best of {len(scores)} is {TEXTS[int(scores.argmax())]!r}"
    highlights = await ml.highlight(model_id, "what calms anger?", " ".join(TEXTS))
    return f"highlighted: {[' '.join(TEXTS)[one.start : one.end] for one in highlights]}"


async def main() -> None:
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        try:
            for name in NAMES:
                known = ml.models.pretrained(name)
                print(f"{known.short_name} {known.version}: {known.function_name}, dimension {known.dimension or '-'}")
                spec = PretrainedModel(name=name, group="aiomlcommons pretrained", dimension=known.dimension)
                try:
                    # Undeployed at the end if it was not deployed before; it stays registered.
                    async with ml.models.deployed(spec) as model:
                        print(f"  {await use(ml, known.function_name, model)}")
                except TaskFailed as error:
                    print(f"  {error}: can the cluster reach {known.artifact_url()}?")
        finally:
            await ml.settings.apply(before)


if __name__ == "__main__":
    asyncio.run(main())
