"""A remote model: a connector to an embedding server, and embeddings through the cluster.

    python examples/remote_model.py

An OpenAI-compatible embedding server is started on this machine, in twenty lines. A connector tells the cluster how to
call it, a remote model is registered with the connector, and is then used like any local model. It runs on the embedded
emulator, or on your cluster when OPENSEARCH_URL names one. A remote cluster cannot reach this machine's loopback
address: set EMBEDDINGS_URL to a server that it can reach (and OPENAI_API_KEY to its key, if it needs one).
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

    # 1. A connector. There is a function for each of the common providers; arguments are validated locally.
    key = os.environ.get("OPENAI_API_KEY", "none is asked for here")
    created = await ml.send(connectors.openai_embeddings("words", key, endpoint=server, name=name))
    afterwards.push_async_callback(ml.connectors.delete, created.connector_id)
    print(f"connector   {created.connector_id}")

    # 2. A remote model is registered at once: there is nothing to download.
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

    # 3. From here on, it is used like a local model.
    vectors = await ml.embed_many(model_id, TEXTS)
    print(f"embedded    {vectors.shape[0]} texts of {vectors.shape[1]} dimensions")
    for text, likeness in zip(TEXTS[1:], vectors[1:] @ vectors[0], strict=True):
        print(f"            {likeness:+.3f}  {TEXTS[0]!r} ~ {text!r}")


# ---- the embedding server --------------------------------------------------------------------------------------------


def vector_of(text: str) -> list[float]:
    """Return a vector of hashed words: texts that share words have similar vectors."""
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
        # A cluster calls only trusted endpoints, and no private addresses unless allowed.
        trusted = MLSettings(
            connector_private_ip_enabled=True, trusted_connector_endpoints_regex=[f"^{re.escape(server)}/.*$"]
        )
        # Everything created from here on is removed in reverse order, even if a later step fails.
        async with AsyncExitStack() as afterwards:
            afterwards.push_async_callback(ml.settings.apply, await ml.settings.apply(trusted))
            await use(ml, server, afterwards)


if __name__ == "__main__":
    asyncio.run(main())
