"""Tasks advance when they are polled, and models with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aiomlcommons import ApiError, BadRequest, ModelNotReady, NotFound, Session, TaskFailed
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import Format, ModelState
from aiomlcommons.api.models import SearchModels
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Emulator
from tests.support.emulated_models import DENSE, NOW, deployed, seen
from tests.support.file_server import served_file

pytestmark = pytest.mark.asyncio

CONFIG = ModelConfig(model_type="bert", embedding_dimension=16, framework_type="sentence_transformers")
CONTENT = b"chunk 0chunk 1"
HASH = hashlib.sha256(CONTENT).hexdigest()


async def _announced(ml: Session, model_hash: str = HASH, total: int = 2) -> str:
    made = await ml.models.register_meta(
        "in chunks",
        model_format="TORCH_SCRIPT",
        model_content_hash_value=model_hash,
        total_chunks=total,
        model_config=CONFIG,
    )
    return made.model_id


async def _uploaded(ml: Session, model_hash: str = HASH) -> str:
    model_id = await _announced(ml, model_hash)
    await ml.models.upload_chunk(model_id, 0, b"chunk 0")
    assert (await ml.models.get(model_id)).model_state == ModelState.REGISTERING
    await ml.models.upload_chunk(model_id, 1, b"chunk 1")
    await seen(ml, model_id, ModelState.REGISTERED)
    return model_id


async def test_a_task_is_created_then_runs_then_is_done(ml: Session) -> None:
    model_id = await _uploaded(ml)
    started = await ml.models.deploy(model_id)
    assert [info.state async for info in ml.task(started, backoff=NOW)] == ["CREATED", "RUNNING", "COMPLETED"]
    assert (await ml.embed_one(model_id, "a")).shape == (16,)
    assert (await seen(ml, model_id)).is_deployed


async def test_looking_at_the_model_moves_its_task_on(ml: Session) -> None:
    model_id = await _uploaded(ml)
    started = await ml.models.deploy(model_id)
    assert [(await ml.models.get(model_id)).model_state for _ in range(3)] == ["DEPLOYING"] * 3
    assert (await ml.tasks.get(started.task_id)).state == "COMPLETED"
    await seen(ml, model_id)


async def test_searching_tasks_moves_none_on(ml: Session) -> None:
    await ml.models.deploy(await _uploaded(ml))
    for _ in range(5):
        assert [hit.source.state for hit in await ml.tasks.search()] == ["CREATED"]


async def test_a_second_deployment_is_a_duplicate_and_followed_to_the_first(ml: Session) -> None:
    model_id = await _uploaded(ml)
    first, second = await ml.models.deploy(model_id), await ml.models.deploy(model_id)
    with pytest.raises(ModelNotReady):
        await ml.embed_one(model_id, "a")
    info = await ml.task(second, backoff=NOW)
    assert info.state == "COMPLETED"
    duplicate = await ml.tasks.get(second.task_id)
    assert (duplicate.state, list(duplicate.node_errors.values())) == ("FAILED", ["Duplicate deploy model task"])
    assert (await ml.tasks.get(first.task_id)).state == "COMPLETED"


async def test_a_model_can_be_deployed_again_and_stays_ready(ml: Session, dense: str) -> None:
    started = await ml.models.deploy(dense)
    assert (await ml.embed_one(dense, "a")).shape == (384,)
    await ml.task(started, backoff=NOW)


async def test_a_wrong_hash_shows_when_the_model_is_deployed(ml: Session) -> None:
    model_id = await _uploaded(ml, "0" * 64)
    with pytest.raises(TaskFailed, match="model content changed"):
        await ml.task(await ml.models.deploy(model_id), backoff=NOW)
    await seen(ml, model_id, ModelState.DEPLOY_FAILED)


async def test_missing_chunks_show_when_the_model_is_deployed(ml: Session) -> None:
    with pytest.raises(TaskFailed, match="Failed to deploy model"):
        await ml.task(await ml.models.deploy(await _announced(ml)), backoff=NOW)


async def test_a_chunk_that_was_wrong_can_be_sent_again(ml: Session) -> None:
    model_id = await _uploaded(ml)
    await ml.models.upload_chunk(model_id, 1, b"wrong")
    with pytest.raises(TaskFailed):
        await ml.task(await ml.models.deploy(model_id), backoff=NOW)
    await ml.models.upload_chunk(model_id, 1, b"chunk 1")
    await ml.task(await ml.models.deploy(model_id), backoff=NOW)


@pytest.mark.parametrize(("number", "words"), [(2, "exceeds total chunks"), (0, "either 0 or null")])
async def test_a_chunk_that_has_no_place_is_refused(ml: Session, number: int, words: str) -> None:
    model_id = await _announced(ml)
    with pytest.raises(Exception, match=words):
        await ml.models.upload_chunk(model_id, number, b"")


async def test_a_model_by_url_is_really_fetched(ml: Session, tmp_path: Path) -> None:
    (tmp_path / "model.zip").write_bytes(CONTENT)
    async with served_file(tmp_path / "model.zip") as url:
        by_url = {"version": "1", "model_format": "TORCH_SCRIPT", "model_config": CONFIG}
        started = await ml.models.register("by url", url=url, model_content_hash_value=HASH, deploy=True, **by_url)  # type: ignore[arg-type]
        model_id = (await ml.task(started, backoff=NOW)).model_id
        assert model_id
        assert (await seen(ml, model_id)).model_content_size_in_bytes == len(CONTENT)
        for wrong, words in [
            ({"url": url, "model_content_hash_value": "0" * 64}, "changed"),
            ({"url": url + "x"}, "FileNotFound"),
        ]:
            started = await ml.models.register("by url", **by_url, **wrong)  # type: ignore[arg-type]
            with pytest.raises(TaskFailed, match=words):
                await ml.task(started, backoff=NOW)
    started = await ml.models.register("by url", url=url, **by_url)  # type: ignore[arg-type]
    with pytest.raises(TaskFailed, match=r"refused|Connect call failed"):
        await ml.task(started, backoff=NOW)


@pytest.mark.parametrize(
    ("name", "version", "model_format"),
    [
        ("no/such/model", "1.0.2", "TORCH_SCRIPT"),
        (DENSE, "9.9.9", "TORCH_SCRIPT"),
        (DENSE, None, "ONNX"),
        (DENSE, "1.0.2", None),
    ],
)
async def test_a_pretrained_model_that_is_not_offered_fails(
    ml: Session, name: str, version: str | None, model_format: Format | None
) -> None:
    started = await ml.models.register(name, version=version, model_format=model_format)
    with pytest.raises(TaskFailed, match="not in the pre-trained model list"):
        await ml.task(started, backoff=NOW)


async def test_models_without_a_group_join_one_of_their_name(ml: Session) -> None:
    first, second = await _announced(ml), await _announced(ml)
    one, two = await ml.models.get(first), await ml.models.get(second)
    assert one.model_group_id == two.model_group_id
    assert (one.model_version, two.model_version) == ("1", "2")
    assert one.model_group_id
    group = await ml.model_groups.get(one.model_group_id)
    assert (group.name, group.latest_version) == ("in chunks", 2)


async def test_no_more_models_than_the_node_may_hold(ml: Session, dense: str) -> None:
    await ml.settings.apply(MLSettings(max_model_on_node=1))
    with pytest.raises(TaskFailed, match="Exceed max local model per node limit"):
        await ml.task(await ml.models.deploy(await _uploaded(ml)), backoff=NOW)
    await ml.task(await ml.models.deploy(dense), backoff=NOW)


async def test_settings_forbid_what_they_are_for(ml: Session) -> None:
    model_id = await _uploaded(ml)
    await ml.settings.apply(MLSettings(allow_registering_model_via_local_file=False, only_run_on_ml_node=True))
    with pytest.raises(ApiError, match="no eligible node found"):
        await ml.models.deploy(model_id)
    with pytest.raises(ApiError, match="allow_registering_model_via_local_file"):
        await _announced(ml)
    with pytest.raises(ApiError, match="allow_registering_model_via_local_file"):
        await ml.models.upload_chunk(model_id, 0, b"x")
    await ml.settings.apply(MLSettings(allow_registering_model_via_url=False, local_model_enabled=False))
    with pytest.raises(ApiError, match="Local Model is currently disabled"):
        await ml.models.register("x", url="http://127.0.0.1:1/x.zip", model_config=CONFIG)
    await ml.settings.apply(MLSettings(local_model_enabled=True))
    with pytest.raises(ApiError, match="allow_registering_model_via_url"):
        await ml.models.register("x", url="http://127.0.0.1:1/x.zip", model_config=CONFIG)


async def test_several_models_are_undeployed_in_one_call(ml: Session, ml_emulator: Emulator) -> None:
    one, two = await deployed(ml), await deployed(ml)
    node = ml_emulator.cluster.node_id
    got = await ml.models.undeploy_many([one, "nope"])
    assert got[node].stats == {one: "undeployed", "nope": "not_found"}
    got = await ml.models.undeploy_many()
    assert got[node].stats == {two: "undeployed"}


async def test_a_deleted_model_is_gone_with_its_chunks(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await _uploaded(ml)
    assert len(await ml.send(SearchModels())) == 3
    await ml.models.delete(model_id)
    assert not ml_emulator.cluster.chunks
    assert not ml_emulator.cluster.models.documents
    with pytest.raises(NotFound):
        await ml.models.get(model_id)


async def test_a_task_of_a_deleted_model_fails(ml: Session) -> None:
    model_id = await _announced(ml)
    started = await ml.models.deploy(model_id)
    with pytest.raises(BadRequest, match="cannot be deleted"):
        await ml.models.delete(model_id)
    await ml.tasks.delete(started.task_id)
    with pytest.raises(NotFound, match="Failed to find task"):
        await ml.tasks.get(started.task_id)
