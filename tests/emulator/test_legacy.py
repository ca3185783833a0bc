"""A server of 2.4 as recorded: models are uploaded and loaded, without groups, and errors differ."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from aiomlcommons import ApiError, BadRequest, NotFound, Session
from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.tasks import SearchTasks
from aiomlcommons.emulator import Cluster, Emulator
from tests.support.emulated_models import DENSE, NOW, announced, ended, hits, seen, uploaded

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def old() -> AsyncGenerator[Session]:
    async with Emulator(Cluster(version="2.4.1")).serve() as url, Session(url, retries=0, backoff=NOW) as ml:
        await ml.settings.apply(MLSettings(only_run_on_ml_node=False))
        yield ml


async def test_a_model_is_uploaded_and_loaded(old: Session) -> None:
    model_id = await announced(old)
    assert (await old.models.get(model_id)).model_state == "UPLOADING"
    await old.models.upload_chunk(model_id, 0, b"x")
    model = await seen(old, model_id, ModelState.UPLOADED)
    assert (model.model_group_id, model.is_hidden, model.last_updated_time) == (None, None, None)
    started = await old.models.deploy(model_id)
    assert started.task_type is None
    info = await ended(old, started.task_id)
    assert (info.task_type, info.state, isinstance(info.worker_node, str)) == ("LOAD_MODEL", "COMPLETED", True)
    model = await seen(old, model_id, ModelState.LOADED)
    assert (model.last_loaded_time is None, model.current_worker_node_count) == (False, None)
    (stats,) = (await old.models.undeploy(model_id)).values()
    assert stats.stats == {model_id: "unloaded"}


async def test_its_words_are_searched_by(old: Session) -> None:
    model_id = await uploaded(old)
    await old.task(await old.models.deploy(model_id))
    await seen(old, model_id, ModelState.LOADED)
    assert await hits(old, {"query": {"term": {"model_state": "LOADED"}}}) == {model_id}
    assert await hits(old, {"query": {"term": {"model_state": "DEPLOYED"}}}) == set()
    found = await old.tasks.search({"query": {"term": {"task_type": "LOAD_MODEL"}}})
    assert [hit.source.model_id for hit in found] == [model_id]


async def test_nothing_is_found_where_nothing_was_written(old: Session) -> None:
    with pytest.raises(NotFound, match=r"no such index \[.plugins-ml-task\]"):
        await old.send(SearchTasks({"query": {"match_all": {}}}))


async def test_a_model_that_is_loaded_may_be_deleted(old: Session) -> None:
    model_id = await uploaded(old)
    await old.task(await old.models.deploy(model_id))
    gone = await old.models.delete(model_id)
    assert (gone.result, gone.forced_refresh) == ("deleted", None)
    for _ in range(2):
        with pytest.raises(ApiError, match="Failed to delete all model chunks, Bulk failure while deleting model of"):
            await old.models.delete(model_id)
    assert (await old.models.delete(model_id)).result == "not_found"
    (stats,) = (await old.models.undeploy(model_id)).values()
    assert stats.stats == {model_id: "unloaded"}  # the node had loaded it nevertheless
    assert await old.models.undeploy(model_id) == {}


async def test_what_is_missing_is_its_own_fault(old: Session) -> None:
    for missing, kind, words in (
        (old.models.get("nope"), "m_l_resource_not_found_exception", "Fail to find model"),
        (old.tasks.get("nope"), "m_l_resource_not_found_exception", "Fail to find task"),
        (old.predict("text_embedding", "nope", text_docs=["a"]), "m_l_exception", "model not loaded"),
    ):
        with pytest.raises(ApiError) as caught:
            await missing
        assert (caught.value.status, caught.value.type, caught.value.body["error"]["reason"]) == (500, kind, words)


async def test_a_pretrained_name_says_too_little(old: Session) -> None:
    with pytest.raises(BadRequest, match="model config is null"):
        await old.request("POST", "/_plugins/_ml/models/_upload", body={"name": DENSE, "version": "1.0.2"})
