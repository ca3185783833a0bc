"""The tiny real models that ship with the tests, one of each kind that a cluster runs itself."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import attrs

from aiomlcommons import Backoff, Session
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.models.spec import FileModel


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


def spec_of(kind: str, file: Path, name: str) -> FileModel:
    """A model file of a kind, in a group of its own."""
    known = KINDS[kind]
    return FileModel(
        path=file, name=name, group=name, function_name=known.function_name, model_config=known.model_config
    )


@asynccontextmanager
async def uploaded(ml: Session, kind: str, file: Path, name: str) -> AsyncGenerator[str]:
    """A registered model in a group of its own; both are gone afterwards."""
    model_id = (await ml.models.ensure(spec_of(kind, file, name), deploy=False)).model_id
    try:
        yield model_id
    finally:
        await ml.models.remove(model_id, empty_group=True)


@asynccontextmanager
async def deployed(ml: Session, kind: str, file: Path, name: str) -> AsyncGenerator[str]:
    """A deployed model in a group of its own; both are gone afterwards."""
    async with uploaded(ml, kind, file, name) as model_id:
        await ml.models.ensure(model_id)
        yield model_id


async def seen(ml: Session, model_id: str, state: ModelState) -> Model:
    """A model whose record says what has happened to it, which it may do a moment later."""
    model = await ml.models.get(model_id)
    for delay in itertools.islice(Backoff(), 16):
        if model.model_state == state:
            break
        await anyio.sleep(delay)
        model = await ml.models.get(model_id)
    return model
