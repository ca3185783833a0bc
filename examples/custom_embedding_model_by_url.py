"""A model's life, from a bare cluster to an embedding and back.

    python examples/custom_embedding_model_by_url.py

Settings, group, register, wait, deploy, wait, embed, undeploy, delete: the nine steps of every local model, one awaited
call each. It runs on the embedded emulator, or on your cluster when OPENSEARCH_URL names one. The cluster fetches the
model from this machine; one that runs elsewhere needs MODEL_URL, the same file at an address that it can reach.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid

from cluster import TINY_CONFIG, TINY_MODEL, served, session

from aiomlcommons import Session


async def walk(ml: Session, model_url: str) -> None:
    # 1. Settings: without ML nodes, allow any node to run models, and allow to register models by URL.
    before = await ml.settings.allow_first_model()

    # 2. A group holds the versions of one model and their access control.
    group = await ml.model_groups.register(f"custom model {uuid.uuid4().hex[:8]}", description="local models")
    print(f"group       {group.model_group_id}")

    # 3. Register: the cluster responds at once with a task, then downloads the file and checks its SHA-256.
    started = await ml.models.register(
        "tiny-dense",
        version="1.0.0",
        model_group_id=group.model_group_id,
        function_name="TEXT_EMBEDDING",
        model_format="TORCH_SCRIPT",
        model_content_hash_value=hashlib.sha256(TINY_MODEL.read_bytes()).hexdigest(),
        model_config=TINY_CONFIG,
        url=model_url,
    )

    # 4. Wait: await the task. No loop, no sleep; if it fails, this line raises the reason.
    registered = await ml.task(started)
    model_id = registered.model_id or ""
    print(f"registered  {model_id}")

    # 5. Deploy: load it onto the nodes.  6. And wait, this time watching each change.
    deploying = ml.task(await ml.models.deploy(model_id))
    async for info in deploying:
        print(f"deploying   {info.state}")
    model = await ml.models.get(model_id)
    print(f"model       {model.name}, version {model.model_version}, {model.model_state}")

    # 7. Embed: texts in, one numpy array out.
    texts = ["today is sunny", "it is a beautiful day", "the sky is dark"]
    vectors = await ml.embed_many(model_id, texts)
    print(f"embedded    {vectors.shape[0]} texts of {vectors.shape[1]} dimensions")
    for text, likeness in zip(texts[1:], vectors[1:] @ vectors[0], strict=True):
        print(f"            {likeness:+.3f}  {texts[0]!r} ~ {text!r}")

    # 8. Undeploy: free the memory.  9. Delete, and leave the cluster as it was.
    for node, done in (await ml.models.undeploy(model_id)).items():
        print(f"undeployed  {done.stats} on {node}")
    print(f"deleted     {(await ml.models.delete(model_id)).result}")
    await ml.model_groups.delete(group.model_group_id)
    await ml.settings.apply(before)


async def main() -> None:
    async with session() as ml, served(TINY_MODEL) as url:
        await walk(ml, os.environ.get("MODEL_URL", url))


if __name__ == "__main__":
    asyncio.run(main())
