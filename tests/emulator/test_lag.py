"""Eventual consistency: changes are delayed by reads, by a clock, or not at all."""

from __future__ import annotations

import pytest

from aiomlcommons import BadRequest, Conflict, NotFound, ServerError, Session
from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.models import SearchModels
from aiomlcommons.api.settings import FIRST_MODEL, MLSettings
from aiomlcommons.emulator import AT_ONCE, Cluster, Emulator, Refresh
from tests.support.emulated_models import NOW, announced, deployed, hits, seen

pytestmark = pytest.mark.asyncio


async def states(ml: Session, model_id: str, looks: int) -> list[ModelState | str | None]:
    return [(await ml.models.get(model_id)).model_state for _ in range(looks)]


async def test_what_is_written_is_found_at_once(ml: Session) -> None:
    group = (await ml.model_groups.register("g")).model_group_id
    assert [hit.id for hit in await ml.model_groups.search()] == [group]
    model_id = await announced(ml, group)
    assert await hits(ml) == {model_id}
    task = await ml.models.deploy(model_id)
    assert [hit.id for hit in await ml.tasks.search()] == [task.task_id]


async def test_a_model_is_registered_a_moment_after_its_last_chunk(ml: Session) -> None:
    model_id = await announced(ml)
    await ml.models.upload_chunk(model_id, 0, b"x")
    assert await states(ml, model_id, 3) == ["REGISTERING", "REGISTERING", "REGISTERED"]


async def test_searches_see_a_state_no_earlier_than_reads_do(ml: Session) -> None:
    model_id = await announced(ml)
    await ml.models.upload_chunk(model_id, 0, b"x")
    is_registered = {"query": {"term": {"model_state": "REGISTERED"}}}
    assert [await hits(ml, is_registered) for _ in range(3)] == [set(), set(), {model_id}]


async def test_the_chunk_with_the_last_number_makes_a_model_whole_whichever_are_missing(ml: Session) -> None:
    model_id = await announced(ml, total=2)
    await ml.models.upload_chunk(model_id, 1, b"x")
    await seen(ml, model_id, ModelState.REGISTERED)


async def test_a_task_is_completed_a_moment_before_the_record_says_so(ml: Session) -> None:
    model_id = await announced(ml)
    await ml.models.upload_chunk(model_id, 0, b"x")
    await ml.task(await ml.models.deploy(model_id), backoff=NOW)
    assert (await ml.embed_one(model_id, "a")).shape == (16,)
    assert await states(ml, model_id, 3) == ["DEPLOYING", "DEPLOYING", "DEPLOYED"]


async def test_a_write_comes_after_those_before_it_that_lag(ml: Session) -> None:
    model_id = await announced(ml)
    await ml.models.upload_chunk(model_id, 0, b"x")
    await ml.models.update(model_id, name="renamed")
    model = await ml.models.get(model_id)
    assert (model.name, model.model_state) == ("renamed", "REGISTERED")


async def test_chunks_are_found_for_a_while_after_their_model_is_deleted(ml: Session) -> None:
    model_id = await announced(ml)
    await ml.models.upload_chunk(model_id, 0, b"x")
    await ml.models.delete(model_id)
    with pytest.raises(NotFound):
        await ml.models.get(model_id)
    assert [await hits(ml) for _ in range(2)] == [{f"{model_id}_0"}, set()]


async def test_a_group_is_not_empty_as_long_as_chunks_are_seen(ml: Session) -> None:
    group = (await ml.model_groups.register("g")).model_group_id
    model_id = await announced(ml, group)
    await ml.models.upload_chunk(model_id, 0, b"x")
    await ml.models.delete(model_id)
    for _ in range(2):
        with pytest.raises(Conflict, match="associated model versions") as caught:
            await ml.model_groups.delete(group)
        assert (caught.value.status, caught.value.type) == (409, "status_exception")
    assert (await ml.model_groups.delete(group)).result == "deleted"


async def test_chunks_that_are_gone_and_seen_stand_in_the_way_of_a_second_deletion(ml: Session) -> None:
    model_id = await announced(ml)
    await ml.models.upload_chunk(model_id, 0, b"x")
    await ml.models.delete(model_id)
    for _ in range(2):
        with pytest.raises(ServerError, match=f"Model is not all cleaned up, please try again. Model ID: {model_id}"):
            await ml.models.delete(model_id)
    with pytest.raises(NotFound, match="Failed to find model"):
        await ml.models.delete(model_id)


async def test_another_write_refreshes_what_was_deleted(ml: Session) -> None:
    model_id = await announced(ml)
    await ml.models.upload_chunk(model_id, 0, b"x")
    await ml.models.delete(model_id)
    other = await announced(ml)
    assert await hits(ml) == {other}


async def test_an_orphaned_chunk_keeps_its_group_until_its_missing_model_is_deleted(
    ml: Session, ml_emulator: Emulator
) -> None:
    group = (await ml.model_groups.register("g")).model_group_id
    model_id = await announced(ml, group)
    await ml.models.upload_chunk(model_id, 0, b"x")
    ml_emulator.cluster.models.delete(model_id)
    for _ in range(4):
        with pytest.raises(Conflict):
            await ml.model_groups.delete(group)
    with pytest.raises(NotFound, match="Failed to find model"):
        await ml.models.delete(model_id)
    for _ in range(2):
        with pytest.raises(Conflict):
            await ml.model_groups.delete(group)
    await ml.model_groups.delete(group)


async def test_chunks_say_their_group(ml: Session) -> None:
    group = (await ml.model_groups.register("g")).model_group_id
    model_id = await announced(ml, group)
    await ml.models.upload_chunk(model_id, 0, b"x")
    (hit,) = await ml.send(SearchModels({"query": {"ids": {"values": [f"{model_id}_0"]}}}))
    assert hit.source
    assert (hit.source.model_id, hit.source.model_group_id, hit.source.name) == (model_id, group, None)


# ---- how long ------------------------------------------------------------------------------------------------------


async def test_nothing_lags_where_nothing_is_to() -> None:
    async with Emulator(refresh=AT_ONCE).serve() as url, Session(url, retries=0) as ml:
        await ml.settings.apply(FIRST_MODEL)
        model_id = await announced(ml)
        await ml.models.upload_chunk(model_id, 0, b"x")
        assert await states(ml, model_id, 1) == ["REGISTERED"]
        await ml.models.delete(model_id)
        assert await hits(ml) == set()


async def test_what_lags_may_lag_by_time() -> None:
    now = 1000.0
    emulated = Emulator(Cluster(clock=lambda: now), refresh=Refresh(seconds=1))
    async with emulated.serve() as url, Session(url, retries=0) as ml:
        await ml.settings.apply(FIRST_MODEL)
        model_id = await announced(ml)
        await ml.models.upload_chunk(model_id, 0, b"x")
        assert await states(ml, model_id, 9) == ["REGISTERING"] * 9
        now += 1
        assert await states(ml, model_id, 1) == ["REGISTERED"]
        await ml.models.delete(model_id)
        assert [await hits(ml) for _ in range(9)] == [{f"{model_id}_0"}] * 9
        now += 1
        assert await hits(ml) == set()


async def test_what_lags_may_lag_for_many_looks() -> None:
    async with Emulator(refresh=Refresh(looks=5)).serve() as url, Session(url, retries=0) as ml:
        await ml.settings.apply(FIRST_MODEL)
        model_id = await announced(ml)
        await ml.models.upload_chunk(model_id, 0, b"x")
        assert await states(ml, model_id, 6) == ["REGISTERING"] * 5 + ["REGISTERED"]


# ---- old servers ---------------------------------------------------------------------------------------------------


OLD = MLSettings(only_run_on_ml_node=False)


@pytest.mark.parametrize(("version", "settings", "lags"), [("2.4.1", OLD, True), ("3.4.0", FIRST_MODEL, False)])
async def test_an_old_server_finds_what_is_deleted_for_a_while(
    version: str, settings: MLSettings, *, lags: bool
) -> None:
    async with Emulator(Cluster(version=version)).serve() as url, Session(url, retries=0) as ml:
        await ml.settings.apply(settings)
        model_id = await announced(ml)
        await ml.models.delete(model_id)
        with pytest.raises(NotFound):
            await ml.models.get(model_id)
        assert [await hits(ml) for _ in range(2)] == [{model_id} if lags else set(), set()]


async def test_settings_are_those_of_the_version() -> None:
    async with Emulator(Cluster(version="2.4.1")).serve() as url, Session(url, retries=0) as ml:
        for unknown in ("allow_registering_model_via_local_file", "max_deploy_model_tasks_per_node"):
            with pytest.raises(BadRequest, match=f"{unknown}], not recognized"):
                await ml.settings.put(persistent={f"plugins.ml_commons.{unknown}": 1})
        await ml.settings.put(persistent={"plugins.ml_commons.max_load_model_tasks_per_node": 10})
    async with Emulator().serve() as url, Session(url, retries=0) as ml:
        with pytest.raises(BadRequest, match="not recognized"):
            await ml.settings.put(persistent={"plugins.ml_commons.max_load_model_tasks_per_node": 10})
        with pytest.raises(BadRequest, match="Validation Failed: 1: no settings to update;"):
            await ml.settings.put(persistent={})


async def test_a_model_that_is_deployed_and_deleted_leaves_nothing_to_come(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await deployed(ml)
    await ml.models.undeploy(model_id)
    await ml.models.delete(model_id)
    for _ in range(3):
        assert await hits(ml) == set()
    assert not ml_emulator.cluster.models.documents
