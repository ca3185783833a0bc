"""Contract tests: the lifecycle of a local model."""

from __future__ import annotations

import hashlib
from pathlib import Path

import anyio
import pytest

from aiomlcommons import BadRequest, Conflict, Forbidden, ModelNotReady, NotFound, Session, TaskFailed
from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.tasks import TaskInfo, TaskState
from tests.support.contract.kinds import KINDS, REGISTERED, deployed, forget, seen, uploaded
from tests.support.file_server import served_file

pytestmark = pytest.mark.asyncio


async def test_a_model_goes_from_file_to_deployed_and_back(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with uploaded(ml, "dense", zips["dense"], unique) as model_id:
        model = await ml.models.get(model_id)
        assert (model.name, model.total_chunks) == (unique, 1)
        assert model.model_state in REGISTERED
        assert model.model_content_hash_value == hashlib.sha256(zips["dense"].read_bytes()).hexdigest()
        assert model.model_config
        assert model.model_config.framework_type == "SENTENCE_TRANSFORMERS"

        info = await ml.task(await ml.models.deploy(model_id))
        assert (info.state, info.model_id) == (TaskState.COMPLETED, model_id)
        assert info.worker_nodes
        assert (await seen(ml, model_id, ModelState.DEPLOYED, ModelState.LOADED)).is_deployed
        undone = await ml.models.undeploy(model_id)
        assert len(undone) == len(info.worker_nodes)
        assert all(node.stats in ({model_id: "undeployed"}, {model_id: "unloaded"}) for node in undone.values())


@pytest.mark.since("2.6", "a model that is not deleted while it is deployed")
async def test_a_model_on_a_node_is_not_deleted(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "dense", zips["dense"], unique) as model_id:
        with pytest.raises(BadRequest, match="cannot be deleted in deploying or deployed state"):
            await ml.models.delete(model_id)


@pytest.mark.since("2.11", "a sparse tokenizer")
async def test_a_group_that_holds_a_model_is_not_deleted(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with uploaded(ml, "tokenizer", zips["tokenizer"], unique) as model_id:
        group_id = (await ml.models.get(model_id)).model_group_id
        assert group_id
        with pytest.raises(Conflict, match="has associated model versions"):
            await ml.model_groups.delete(group_id)


async def test_two_deployments_at_once_both_end_well(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    ends: list[TaskInfo] = []

    async def deploy(model_id: str) -> None:
        ends.append(await ml.task(await ml.models.deploy(model_id)))

    async with uploaded(ml, "dense", zips["dense"], unique) as model_id:
        async with anyio.create_task_group() as group:
            group.start_soon(deploy, model_id)
            group.start_soon(deploy, model_id)
        assert [end.state for end in ends] == [TaskState.COMPLETED] * 2


@pytest.mark.since("2.8", "the hash of a file at a URL")
async def test_a_model_by_url_is_fetched_and_checked(
    ml: Session, unique: str, zips: dict[str, Path], loopback: str
) -> None:
    spec, file = KINDS["dense"], zips["dense"]
    async with served_file(file, loopback) as url:
        started = await ml.models.register(
            unique,
            version="1",
            function_name=spec.function_name,
            model_format="TORCH_SCRIPT",
            model_content_hash_value=hashlib.sha256(file.read_bytes()).hexdigest(),
            model_config=spec.model_config,
            url=url,
        )
        info = await ml.task(started)
    assert info.model_id
    model = await ml.models.get(info.model_id)
    assert (model.name, model.model_state) == (unique, ModelState.REGISTERED)
    assert await ml.models.remove(info.model_id, empty_group=True)


@pytest.mark.since("2.8", "the hash of a file at a URL")
async def test_a_url_without_a_file_fails_the_task(
    ml: Session, unique: str, zips: dict[str, Path], loopback: str
) -> None:
    spec = KINDS["dense"]
    async with served_file(zips["dense"], loopback) as url:
        started = await ml.models.register(
            unique,
            version="1",
            function_name=spec.function_name,
            model_format="TORCH_SCRIPT",
            model_content_hash_value="0" * 64,
            model_config=spec.model_config,
            url=url + ".missing",
        )
        with pytest.raises(TaskFailed, match="REGISTER_MODEL"):
            await ml.task(started)
    await forget(ml, unique)


@pytest.mark.since("2.11", "a sparse tokenizer")
async def test_a_model_that_is_not_deployed_says_so(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with uploaded(ml, "tokenizer", zips["tokenizer"], unique) as model_id:
        with pytest.raises(ModelNotReady):
            await ml.options(retries=0).sparse(model_id, ["text"])


@pytest.mark.parametrize("model_id", ["nope", "a/b", "..", ".", "with space", "Wörter", "100%", "?a=b#c"])
async def test_an_unknown_id_is_not_found_whatever_its_letters(ml: Session, model_id: str) -> None:
    with pytest.raises(NotFound) as caught:
        await ml.models.get(model_id)
    assert caught.value.reason.endswith((f": {model_id}", "Fail to find model"))  # 2.4 returns none


@pytest.mark.since("2.11", "a sparse tokenizer")
async def test_models_are_searched(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with uploaded(ml, "tokenizer", zips["tokenizer"], unique) as model_id:
        query = {
            "bool": {
                "filter": [{"term": {"name.keyword": unique}}],
                "must_not": [{"exists": {"field": "chunk_number"}}],
            }
        }
        hits = await ml.models.search({"query": query})
        assert [(hit.id, hit.source.name) for hit in hits] == [(model_id, unique)]
        assert hits.total == 1


@pytest.mark.since("2.12", "describing a model anew")
async def test_a_model_is_described_anew(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with uploaded(ml, "dense", zips["dense"], unique) as model_id:
        assert (await ml.models.update(model_id, description="new words")).result == "updated"
        assert (await ml.models.get(model_id)).description == "new words"


@pytest.mark.since("2.12", "describing a model anew")
async def test_a_tokenizer_cannot_be_described_anew(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with uploaded(ml, "tokenizer", zips["tokenizer"], unique) as model_id:
        with pytest.raises(Forbidden, match="SPARSE_TOKENIZE is not supported"):
            await ml.models.update(model_id, description="new words")


@pytest.mark.since("2.11", "a sparse tokenizer")
async def test_a_deployment_task_is_found_and_deleted(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "tokenizer", zips["tokenizer"], unique) as model_id:
        started = await ml.models.deploy(model_id)
        await ml.task(started)
        assert (await ml.tasks.get(started.task_id)).model_id == model_id
        assert (await ml.tasks.delete(started.task_id)).result == "deleted"
        with pytest.raises(NotFound):
            await ml.task(started)
