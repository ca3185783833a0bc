"""Tiny real models that ship with the tests, one of each type that a cluster runs itself."""

from __future__ import annotations

import itertools
import random
import shutil
import zipfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import attrs

from aiomlcommons import Backoff, NotSupported, Session
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.model_registration import CHUNK_SIZE
from aiomlcommons.lifecycle.groups import delete_if_empty, find_groups
from aiomlcommons.lifecycle.spec import FileModel
from tests.support.contract.undoing import afterwards

REGISTERED = {ModelState.REGISTERED, ModelState.UPLOADED}
"""The states of a model before it is deployed, on current servers and on 2.4."""


@attrs.frozen
class Kind:
    """A model file and its registration."""

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
    """Return a model file of a kind, in a group of its own name where the server has groups."""
    known = KINDS[kind]
    return FileModel(path=file, name=name, function_name=known.function_name, model_config=known.model_config)


async def forget(ml: Session, name: str) -> None:
    """Remove all models and groups with a name."""
    async for model in ml.models.search({"query": {"term": {"name.keyword": name}}}):
        await ml.models.remove(model.id, empty_group=True)
    with suppress(NotSupported):  # 2.4 has no groups
        for group_id in await find_groups(ml, name):
            await delete_if_empty(ml, group_id)


def padded(file: Path, target: Path, chunks: int) -> Path:
    """Return a copy of a model's zip with a number of chunks, padded by an incompressible file."""
    shutil.copyfile(file, target)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("padding.bin", random.Random(0).randbytes((chunks - 1) * CHUNK_SIZE))  # noqa: S311 - no secret
    return target


@asynccontextmanager
async def uploaded(ml: Session, kind: str, file: Path, name: str) -> AsyncGenerator[str]:
    """Yield a registered model in its own group; both are removed afterwards."""
    model_id = (await ml.models.ensure(spec_of(kind, file, name), deploy=False)).model_id
    async with afterwards(lambda: ml.models.remove(model_id, empty_group=True)):
        yield model_id


@asynccontextmanager
async def deployed(ml: Session, kind: str, file: Path, name: str) -> AsyncGenerator[str]:
    """Yield a deployed model in its own group; both are removed afterwards."""
    async with uploaded(ml, kind, file, name) as model_id:
        await ml.models.ensure(model_id)
        yield model_id


async def seen(ml: Session, model_id: str, *states: ModelState) -> Model:
    """Return a model once its record is up to date, which may lag."""
    model = await ml.models.get(model_id)
    for delay in itertools.islice(Backoff(), 16):
        if model.model_state in states:
            break
        await anyio.sleep(delay)
        model = await ml.models.get(model_id)
    return model
