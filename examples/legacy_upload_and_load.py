"""The names of 2.4: upload by URL, load onto the nodes, predict, unload.

    python examples/legacy_upload_and_load.py

A session on an old cluster uses that cluster's names automatically; ``compat="2.4"`` starts with them, and switches
when the cluster turns out to be newer. It runs on the embedded emulator, or on your cluster when OPENSEARCH_URL names
one. A remote cluster cannot reach this machine's loopback address: set MODEL_URL to a URL of the model file that it can
reach.
"""

from __future__ import annotations

import asyncio
import os

from cluster import TINY_CONFIG, TINY_MODEL, served, session

from aiomlcommons import Session, UrlModel, sha256
from aiomlcommons.api.tensors import NumberTensor


async def use(ml: Session, url: str) -> str:
    # 1. Upload: POST _upload, and the task UPLOAD_MODEL (_register and REGISTER_MODEL on newer servers).
    digest = await asyncio.to_thread(sha256, TINY_MODEL)
    name = "aiomlcommons legacy"
    spec = UrlModel(name=name, version="1.0.0", url=url, model_content_hash_value=digest, model_config=TINY_CONFIG)
    uploaded = await ml.models.ensure(spec, deploy=False)
    print(f"uploaded  {uploaded} {uploaded.model.model_state}")
    try:
        # 2. Load: POST _load, and the task LOAD_MODEL. To some nodes only: deploy(model_id, node_ids=[...]).
        info = await ml.task(await ml.models.deploy(uploaded))
        print(f"loaded    task {info.task_type} {info.state} on {len(info.worker_nodes)} node")

        # 3. Predict, with the requested format and output.
        answer = await ml.predict(
            "text_embedding",
            uploaded,
            text_docs=["today is sunny"],
            return_number=True,
            target_response=["sentence_embedding"],
        )
        for tensor in (answer.inference_results or [])[0].output or ():
            if isinstance(tensor, NumberTensor):
                print(f"predicted {tensor.name} {tensor.data_type} {tensor.shape}")
    finally:
        # 4. Unload: POST _unload, whose response lists the nodes.
        for done in (await ml.models.undeploy(uploaded)).values():
            print(f"unloaded  {done.stats}")
    return uploaded


async def main() -> None:
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        try:
            async with session(ml.url, compat="2.4") as old, served(TINY_MODEL) as url:
                model_id = await use(old, os.environ.get("MODEL_URL", url))
            await ml.models.remove(model_id, empty_group=True)
        finally:
            await ml.settings.apply(before)


if __name__ == "__main__":
    asyncio.run(main())
