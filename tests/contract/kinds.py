"""The tiny real models that ship with the tests, one of each kind that a cluster runs itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from aiomlcommons import Session
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.models import ModelConfig
from aiomlcommons.models.upload import upload_model


@attrs.frozen
class Kind:
    """A model file and what a cluster must be told of it."""

    file: str
    function_name: FunctionName
    model_config: ModelConfig | None = None


KINDS: Mapping[str, Kind] = {
    "dense": Kind(
        "tiny-dense.zip",
        FunctionName.TEXT_EMBEDDING,
        ModelConfig(
            model_type="bert",
            embedding_dimension=16,
            framework_type="sentence_transformers",
            pooling_mode="mean",
            normalize_result=True,
            all_config="{}",
        ),
    ),
    "sparse": Kind("tiny-sparse.zip", FunctionName.SPARSE_ENCODING),
    "tokenizer": Kind("tiny-tokenizer.zip", FunctionName.SPARSE_TOKENIZE),
    "cross-encoder": Kind(
        "tiny-cross-encoder.zip",
        FunctionName.TEXT_SIMILARITY,
        ModelConfig(
            model_type="bert", embedding_dimension=1, framework_type="huggingface_transformers", all_config="{}"
        ),
    ),
}


@asynccontextmanager
async def uploaded(ml: Session, kind: str, file: Path, name: str) -> AsyncGenerator[str]:
    """A registered model in a group of its own; both are gone afterwards."""
    group = await ml.model_groups.register(name)
    try:
        spec = KINDS[kind]
        model_id = await upload_model(
            ml,
            file,
            name=name,
            version="1",
            function_name=spec.function_name,
            model_config=spec.model_config,
            model_group_id=group.model_group_id,
        )
        try:
            yield model_id
        finally:
            await ml.models.undeploy(model_id)
            await ml.models.delete(model_id)
    finally:
        await ml.model_groups.delete(group.model_group_id)


@asynccontextmanager
async def deployed(ml: Session, kind: str, file: Path, name: str) -> AsyncGenerator[str]:
    """A deployed model in a group of its own; both are gone afterwards."""
    async with uploaded(ml, kind, file, name) as model_id:
        await ml.task(await ml.models.deploy(model_id))
        yield model_id
