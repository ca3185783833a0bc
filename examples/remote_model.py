"""A model that runs elsewhere: a connector to it, and embeddings through the cluster.

    python examples/remote_model.py

An embedding server is started on this machine, in twenty lines; it speaks as OpenAI does. A connector tells the cluster
how to reach it, a remote model is registered on that, and from there on it is used like any local model. It runs on the
embedded emulator, or on your cluster when OPENSEARCH_URL names one. A cluster that runs elsewhere cannot reach this
machine's loopback address: EMBEDDINGS_URL names a server that it can reach (OPENAI_API_KEY has its key, if it asks for
one).
"""

from __future__ import annotations

import asyncio
import os
import re
import uuid
import zlib
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import numpy as np
from aiohttp import web
from cluster import serving, session

from aiomlcommons import Session, connectors
from aiomlcommons.api.settings import MLSettings

TEXTS = ["a soft answer turns away wrath", "a soft word turns an answer away", "go to the ant, you sluggard"]


async def use(ml: Session, server: str, afterwards: AsyncExitStack) -> None:
    name = f"remote {uuid.uuid4().hex[:8]}"

    # 1. A connector. There is a function for each of the common providers; all of it is checked before it is sent.
    key = os.environ.get("OPENAI_API_KEY", "none is asked for here")
    created = await ml.send(connectors.openai_embeddings("words", key, endpoint=server, name=name))
    afterwards.push_async_callback(ml.connectors.delete, created.connector_id)
    print(f"connector   {created.connector_id}")

    # 2. A remote model on it is registered in no time: there is nothing to download.
    group = await ml.model_groups.register(name)
    afterwards.push_async_callback(ml.model_groups.delete, group.model_group_id)
    started = await ml.models.register(
        name, function_name="remote", model_group_id=group.model_group_id, connector_id=created.connector_id
    )
    model_id = (await ml.task(started)).model_id or ""
    afterwards.push_async_callback(ml.models.delete, model_id)
    await ml.task(await ml.models.deploy(model_id))
    afterwards.push_async_callback(ml.models.undeploy, model_id)
    print(f"deployed    {model_id}")

    # 3. From here on, nothing tells it from a local model.
    vectors = await ml.embed_many(model_id, TEXTS)
    print(f"embedded    {vectors.shape[0]} texts of {vectors.shape[1]} dimensions")
    for text, likeness in zip(TEXTS[1:], vectors[1:] @ vectors[0], strict=True):
        print(f"            {likeness:+.3f}  {TEXTS[0]!r} ~ {text!r}")


# ---- the embedding server --------------------------------------------------------------------------------------------


def vector_of(text: str) -> list[float]:
    """Texts that share words point the same way."""
    counts = np.zeros(64)
    for word in re.findall(r"\w+", text.lower()):
        counts[zlib.crc32(word.encode()) % 64] += 1
    vector: list[float] = (counts / np.linalg.norm(counts)).tolist()
    return vector


async def answer(request: web.Request) -> web.Response:
    texts = (await request.json())["input"]
    return web.json_response({"data": [{"index": i, "embedding": vector_of(text)} for i, text in enumerate(texts)]})


def embedding_server() -> AbstractAsyncContextManager[str]:
    app = web.Application()
    app.router.add_post("/v1/embeddings", answer)
    return serving(app)


async def main() -> None:
    async with session() as ml, embedding_server() as here:
        server = os.environ.get("EMBEDDINGS_URL", here)
        # A cluster calls no address that it was not told to trust, and none of a private network unless allowed to.
        trusted = MLSettings(
            connector_private_ip_enabled=True, trusted_connector_endpoints_regex=[f"^{re.escape(server)}/.*$"]
        )
        # Whatever is made from here on is undone in the opposite order, even if a later step fails.
        async with AsyncExitStack() as afterwards:
            afterwards.push_async_callback(ml.settings.apply, await ml.settings.apply(trusted))
            await use(ml, server, afterwards)


if __name__ == "__main__":
    asyncio.run(main())
