"""Types of the life of a model, as type checkers see them; nothing here is run."""

from __future__ import annotations

from typing import assert_type

from aiomlcommons import DeclaredModel, EnsuredModel, FileModel, MLSettings, PretrainedModel, Progress, Session
from aiomlcommons.api.model_records import Model
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.lifecycle.catalogue import Pretrained


async def life(ml: Session) -> None:
    assert_type(ml.models.pretrained("all-MiniLM-L6-v2"), Pretrained)
    assert_type(ml.models.pretrained("all-MiniLM-L6-v2").dimension, int | None)
    ensured = await ml.models.ensure(PretrainedModel(name="all-MiniLM-L6-v2"), change_settings=True)
    assert_type(ensured, EnsuredModel)
    assert_type(ensured.model, Model)
    assert_type(await ml.models.ensure("all-MiniLM-L6-v2"), EnsuredModel)
    async with ml.models.deployed(FileModel(path="model.zip")) as model:
        assert_type(model, EnsuredModel)
    assert_type(FileModel.from_hub("a/b", revision="v1", token="hf_...", group="g"), FileModel)
    assert_type(ensured.model_id, str)
    assert_type(await ml.models.ensure(ensured), EnsuredModel)
    assert_type(await ml.models.get(ensured), Model)
    assert_type(await ml.embed_one(ensured, "a"), Vectors)
    async with ml.ingest("in.jsonl", model=ensured, sink="out.jsonl") as job:
        await job
    assert_type(await ml.models.remove(ensured, empty_group=True), bool)


async def progress(ml: Session, told: list[Progress]) -> None:
    async def later(progress: Progress) -> None:
        assert_type(progress.share, float | None)

    await ml.models.ensure("m", progress=True)
    await ml.models.ensure("m", progress=told.append)
    await ml.models.remove("m", progress=later)
    await ml.task("id", progress=print)
    await ml.models.ensure("m", progress="yes")  # type: ignore[arg-type]
    await ml.models.ensure("m", progress=lambda: None)  # type: ignore[arg-type, misc]
    await ml.models.ensure("m", report=print)  # type: ignore[call-arg]


class Encoder(DeclaredModel):
    model = "all-MiniLM-L6-v2"


async def is_ready(ml: Session) -> bool:
    return await Encoder.deployed(ml)


async def declared(ml: Session) -> None:
    await Encoder.wait_until_complete(ml, Encoder.deployed)
    await Encoder.wait_until_complete(ml, is_ready, within=60)


async def settings(ml: Session) -> None:
    assert_type(await ml.settings.ml_on_all_nodes(), MLSettings)
    temporary = ml.settings.temporarily(MLSettings(only_run_on_ml_node=False))
    async with temporary as nothing:
        assert_type(nothing, None)
