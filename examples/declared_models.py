"""Declarative models: a class describes a model, and its methods are the calls.

    python examples/declared_models.py

It runs on the embedded emulator, or on your cluster when OPENSEARCH_URL names one. A cluster without internet access
gets a tiny model from this repository instead of the pretrained one.
"""

from __future__ import annotations

import asyncio

from cluster import TINY_CONFIG, TINY_MODEL, session

from aiomlcommons import DeclaredModel, Session, TaskFailed


class SparseEncoding(DeclaredModel):
    """A pretrained model, identified by name, version and format."""

    model = "neural_sparse_encoding_doc"
    version = "1.0.1"
    model_format = "TORCH_SCRIPT"
    description = "Creates sparse embeddings of the onboarding docs"


class Tiny(DeclaredModel):
    """A custom model from a file, in a group."""

    model = "aiomlcommons declared tiny"
    path = TINY_MODEL
    model_config = TINY_CONFIG
    group = "aiomlcommons declared"


async def follow(ml: Session, declared: type[DeclaredModel]) -> None:
    before = await declared.status(ml)
    print(f"{declared.__name__}: {before or 'not registered'}")
    await declared.register(ml)
    print(f"  registered  {await declared.registered(ml)}, status {await declared.status(ml)}")
    # Both wait by themselves; this waits for a deployment that another client started.
    await declared.deploy(ml)
    await declared.wait_until_complete(ml, declared.deployed, max_attempts=20)
    print(f"  deployed    {await declared.deployed(ml)}, of {len(await declared.all(ml))} with this name")
    if before is None:
        await declared.undeploy(ml)
        print(f"  undeployed  status {await declared.status(ml)}")
        print(f"  deleted     {await declared.delete(ml, empty_group=True)}")


async def main() -> None:
    async with session() as ml:
        before = await ml.settings.allow_first_model()
        # On a cluster without ML nodes, models may run on all of them.
        await ml.settings.ml_on_all_nodes()
        try:
            try:
                await follow(ml, SparseEncoding)
            except TaskFailed as error:
                print(f"  {error}: the cluster cannot fetch pretrained models")
            await follow(ml, Tiny)
        finally:
            await ml.settings.apply(before)


if __name__ == "__main__":
    asyncio.run(main())
