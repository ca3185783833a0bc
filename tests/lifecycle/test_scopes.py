"""Models and settings scoped to a context, and removal of models."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from aiomlcommons import BadRequest, NotFound, Session
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.models import DeleteModel, UndeployModel
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.emulator.models.deployment import put_on_node
from aiomlcommons.lifecycle.groups import find_groups
from aiomlcommons.progress.event import Phase, Progress
from tests.support.ensure_process import FILE, SPECS
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio


async def test_a_model_is_deployed_as_long_as_its_context(world: ServedEmulator) -> None:
    async with world.ml.models.deployed(FILE, backoff=NOW) as model:
        assert len(await world.ml.embed_one(model.model_id, "x")) == 16
    assert (await world.ml.models.get(model.model_id)).model_state == ModelState.UNDEPLOYED


async def test_a_model_that_was_deployed_before_stays_so(world: ServedEmulator) -> None:
    before = await world.ml.models.ensure(FILE, backoff=NOW)
    with pytest.raises(ZeroDivisionError):
        async with world.ml.models.deployed(FILE, backoff=NOW):
            raise ZeroDivisionError
    assert (await world.ml.models.get(before.model_id)).is_deployed


async def test_settings_are_put_back_however_it_ends(world: ServedEmulator) -> None:
    with pytest.raises(ZeroDivisionError):
        async with world.ml.settings.temporarily(MLSettings(only_run_on_ml_node=True, max_model_on_node=3)):
            assert (await world.ml.settings.read()).max_model_on_node == 3
            raise ZeroDivisionError
    now = await world.ml.settings.read()
    assert (now.only_run_on_ml_node, now.max_model_on_node) == (False, 10)


async def test_models_run_on_all_nodes_or_on_ml_nodes_alone(world: ServedEmulator) -> None:
    before = await world.ml.settings.ml_on_all_nodes(False)
    assert (await world.ml.settings.read()).only_run_on_ml_node is True
    assert before.only_run_on_ml_node is False
    await world.ml.settings.ml_on_all_nodes()
    assert (await world.ml.settings.read()).only_run_on_ml_node is False


async def test_a_model_is_taken_off_its_node_and_deleted_with_its_empty_group(world: ServedEmulator) -> None:
    told: list[Progress] = []
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    assert await world.ml.models.remove(made.model_id, empty_group=True, backoff=NOW, progress=told.append) is True
    assert [(progress.phase, progress.name) for progress in told] == [
        (Phase.UNDEPLOYED, "tiny"),
        (Phase.DELETED, "tiny"),
    ]
    assert not await world.models()
    assert not await world.ml.model_groups.search()
    assert await world.ml.models.remove(made.model_id) is False


async def test_models_of_other_groups_keep_no_group(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    await world.ml.models.ensure(attrs.evolve(FILE, name="other", group="theirs"), backoff=NOW)
    assert await world.ml.models.remove(made.model_id, empty_group=True, backoff=NOW)
    assert not await find_groups(world.ml, "ours")


async def test_a_group_with_another_model_stays(world: ServedEmulator) -> None:
    one = await world.ml.models.ensure(FILE, backoff=NOW)
    await world.ml.models.ensure(SPECS["pretrained"], backoff=NOW)
    await world.ml.models.remove(one.model_id, empty_group=True, backoff=NOW)
    assert len(await world.ml.model_groups.search()) == 1


async def test_a_deployed_model_that_is_not_to_be_undeployed_is_not_deleted(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    with pytest.raises(BadRequest, match="cannot be deleted in deploying or deployed state"):
        await world.ml.models.remove(made.model_id, undeploy=False, backoff=NOW)


@pytest.mark.parametrize("state", [ModelState.DEPLOYING, ModelState.PARTIALLY_DEPLOYED, ModelState.LOADING])
async def test_what_is_on_some_nodes_or_on_its_way_is_taken_off_first(world: ServedEmulator, state: ModelState) -> None:
    """A server of version 2.4 would delete its record, and leave it loaded on the nodes."""
    told: list[Progress] = []
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    world.emulator.cluster.models.change(made.model_id, model_state=state)
    assert await world.ml.models.remove(made.model_id, backoff=NOW, progress=told.append)
    assert [progress.phase for progress in told] == [Phase.UNDEPLOYED, Phase.DELETED]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (500, "Model is not all cleaned up, please try again"),
        (500, "Failed to delete all model chunks, Bulk failure while deleting model of x"),
        (409, "[x]: version conflict, required seqNo [1], primary term [1]. current document has seqNo [2]"),
    ],
)
async def test_what_is_not_all_cleaned_up_at_once_is_deleted_again(
    world: ServedEmulator, status: int, reason: str
) -> None:
    world.emulator.faults.fail(status, on=DeleteModel, times=2, reason=reason)
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    assert await world.ml.models.remove(made.model_id, backoff=NOW)
    with pytest.raises(NotFound):
        await world.ml.models.get(made.model_id)


async def test_a_deployment_that_ends_after_the_model_was_taken_off_is_undone_too(world: ServedEmulator) -> None:
    """As after a restart, when the server redeploys models automatically."""
    made = await world.ml.models.ensure(FILE, backoff=NOW)

    async def ends(_: Any, go: Any) -> Any:
        answer = await go()
        put_on_node(world.emulator.cluster, made.model_id)
        world.emulator.cluster.models.settle(made.model_id)
        return answer

    world.emulator.faults.add(ends, on=UndeployModel, times=1)
    assert await world.ml.models.remove(made.model_id, backoff=NOW)
    assert not await world.models()


async def test_several_may_remove_a_model_at_once(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, backoff=NOW)

    async def other_is_faster(_: Any, go: Any) -> Any:
        await world.ml.models.remove(made.model_id, backoff=NOW)
        return await go()

    world.emulator.faults.add(other_is_faster, on=UndeployModel, times=1)
    assert await world.ml.models.remove(made.model_id, backoff=NOW)
    assert not await world.models()


async def test_a_model_that_comes_back_under_the_id_of_one_that_is_gone_is_left_alone(world: ServedEmulator) -> None:
    world.emulator.faults.fail(
        400, reason="Model cannot be deleted in deploying or deployed state", on=DeleteModel, times=None
    )
    assert await world.ml.models.remove("gone", backoff=NOW) is False


async def test_removing_waits_for_a_cluster_that_recovers(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    world.emulator.restart(recovering=50)
    assert await world.ml.models.remove(made.model_id, backoff=NOW)


async def test_a_group_is_found_by_the_chunks_that_a_model_left_behind(world: ServedEmulator) -> None:
    """The process that removed the model was killed before it deleted the group."""
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    await world.ml.models.undeploy(made.model_id)
    await world.ml.models.delete(made.model_id)
    assert await world.ml.models.remove(made.model_id, empty_group=True, backoff=NOW)
    assert not await world.ml.model_groups.search()


async def test_chunks_whose_model_is_gone_do_not_keep_a_group(world: ServedEmulator) -> None:
    """A registration that was killed leaves orphaned chunks forever, and the server counts them."""
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    group_id = made.model.model_group_id
    assert group_id is not None
    orphan = Model(chunk_number=0, model_id="gone", model_group_id=group_id, total_chunks=1)
    world.emulator.cluster.models.put("gone_0", orphan)
    assert await world.ml.models.remove(made.model_id, empty_group=True, backoff=NOW)
    assert not await world.ml.model_groups.search()


async def test_a_model_that_an_old_server_finds_after_its_deletion_is_none() -> None:
    emulator = Emulator(Cluster(version="2.4.1"))
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        spec = attrs.evolve(FILE, group=None)
        made = await ml.models.ensure(spec, backoff=NOW)
        assert await ml.models.remove(made.model_id, backoff=NOW)
        assert len(await ml.models.search())  # for a second
        again = await ml.models.ensure(spec, backoff=NOW)
        assert (again.registered, again.model_id == made.model_id) == (True, False)
