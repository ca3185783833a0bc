"""Concurrent clients, as on a real cluster: one model and one group result, and no leftovers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiomlcommons import Backoff, BadRequest, Conflict, Forbidden, Session, TaskFailed, Unavailable
from aiomlcommons.api.model_groups import ModelGroup, RegisterModelGroup
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta, UploadModelChunk
from aiomlcommons.api.models import DeleteModel, DeployModel
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.stats import GetModelProfiles
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.emulator.cluster import alter
from aiomlcommons.emulator.errors import refused
from aiomlcommons.lifecycle.ensure import find_registered
from aiomlcommons.lifecycle.groups import EnsureGroup, find_groups, own_id
from aiomlcommons.lifecycle.spec import ExistingModel, GroupSpec, UrlModel
from aiomlcommons.progress.event import Phase, Progress
from tests.support.ensure_process import DENSE, FILE, REMOTE, SPECS
from tests.support.file_server import served_file
from tests.support.paths import MODELS
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio
SHA256 = "928feb42f77290db1c1900e0f7df0f7c5af6bde7b49de2cb25d763766e889d4a"
# Jitter: clients that lost a race retry at different moments.
APART = Backoff(first=0.01, cap=0.2)
CONFLICT = "[{}]: version conflict, required seqNo [1], primary term [1]. current document has seqNo [2]"


@asynccontextmanager
async def wanted(kind: str, group: str | None) -> AsyncGenerator[Any]:
    """What is to be ensured."""
    async with served_file(MODELS / "tiny-dense.zip") as url:
        spec: Any = SPECS.get(kind, FILE)
        if kind == "url":
            spec = UrlModel(name="by url", url=url, model_content_hash_value=SHA256, model_config=DENSE)
        yield attrs.evolve(spec, group=group)


async def groups(world: ServedEmulator) -> list[str]:
    return [hit.id async for hit in world.ml.model_groups.search()]


@pytest.mark.parametrize("group", ["ours", None])
@pytest.mark.parametrize("kind", ["file", "url", "remote", "id"])
async def test_four_at_once_leave_one_model_and_one_group(world: ServedEmulator, kind: str, group: str | None) -> None:
    async with wanted(kind, group) as spec:
        if kind == "id":
            made = await world.ml.models.ensure(spec, deploy=False, backoff=NOW)
            spec = ExistingModel(model_id=made.model_id)
        ensured = await asyncio.gather(*(world.ml.models.ensure(spec, backoff=APART) for _ in range(4)))
    ((model_id, model),) = await world.models()
    assert {one.model_id for one in ensured} == {model_id}
    assert all(one.model.is_deployed for one in ensured)
    assert await groups(world) == [model.model_group_id]


async def test_own_ids_make_it_atomic_where_the_server_takes_them() -> None:
    emulator = Emulator(Cluster(version="3.9.0"))
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        ensured = await asyncio.gather(*(ml.models.ensure(FILE, backoff=APART) for _ in range(4)))
        assert {one.model_id for one in ensured} == {ensured[0].model_id}
        assert ensured[0].model_id.startswith("aio-")
        assert await find_groups(ml, "ours") == [own_id("group", "ours")]


async def test_an_own_id_that_another_group_has_is_not_insisted_on() -> None:
    emulator = Emulator(Cluster(version="3.9.0"))
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.model_groups.register("renamed since", model_group_id=own_id("group", "ours"))
        group_id = await EnsureGroup(ml, GroupSpec(name="ours"), NOW)()
        assert group_id != own_id("group", "ours")
        assert await find_groups(ml, "ours") == [group_id]


async def test_who_registers_a_group_at_the_same_time_settles_on_the_oldest(world: ServedEmulator) -> None:
    """The other registration was begun before ours, and is written after our first search."""
    looks = 0

    async def other_comes_late(_: Any, go: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 3:  # before ours is registered, after it, and now
            add_group(world, "older", created=1)
        return await go()

    world.emulator.faults.add(other_comes_late, on=lambda http: http.path.endswith("model_groups/_search"), times=None)
    assert await EnsureGroup(world.ml, GroupSpec(name="ours"), NOW)() == "older"
    assert await find_groups(world.ml, "ours") == ["older"]


def add_group(world: ServedEmulator, group_id: str, created: int) -> None:
    world.emulator.cluster.groups.put(group_id, ModelGroup(name="ours", latest_version=0, created_time=created))


async def test_a_model_in_another_group_of_the_same_name_is_found(world: ServedEmulator) -> None:
    """The client that registered that group concurrently has registered the model in it."""
    add_group(world, "newer", created=2**50)
    add_group(world, "older", created=1)
    made = await world.ml.models.register_meta(
        "tiny",
        model_format="TORCH_SCRIPT",
        model_content_hash_value=SHA256,
        model_config=DENSE,
        total_chunks=1,
        model_content_size_in_bytes=1,
        model_group_id="newer",
        function_name="TEXT_EMBEDDING",
    )
    ensured = await world.ml.models.ensure(FILE, backoff=NOW)
    assert (ensured.model_id, ensured.registered) == (made.model_id, False)


@pytest.mark.parametrize(("kind", "endpoint"), [("file", RegisterModelMeta), ("remote", DeployModel)])
async def test_a_version_conflict_is_looked_at_again(world: ServedEmulator, kind: str, endpoint: Any) -> None:
    async def conflicts(_request: Any, _go: Any) -> Any:
        raise refused(409, "version_conflict_engine_exception", CONFLICT.format("x"))

    world.emulator.faults.add(conflicts, on=endpoint, times=2)
    ensured = await world.ml.models.ensure(SPECS[kind], backoff=NOW)
    assert ensured.model.is_deployed
    assert Phase.HEALING in ensured.did
    assert len(await world.models()) == 1


@pytest.mark.parametrize("endpoint", [RegisterModel, DeployModel])
async def test_a_task_that_lost_a_race_is_begun_again(world: ServedEmulator, endpoint: Any) -> None:
    world.emulator.faults.fail_task(CONFLICT.format("x"), on=endpoint)
    async with wanted("url", "ours") as spec:
        assert (await world.ml.models.ensure(spec, backoff=NOW)).model.is_deployed
    assert len(await world.models()) == 1


@pytest.mark.parametrize("words", ["Model group not found", "[x]: document missing"])
async def test_a_registration_whose_group_or_record_was_taken_back_is_begun_again(
    world: ServedEmulator, words: str
) -> None:
    world.emulator.faults.fail_task(words, on=RegisterModel)
    async with wanted("url", "ours") as spec:
        assert (await world.ml.models.ensure(spec, backoff=NOW)).model.is_deployed
    assert len(await world.models()) == 1


@pytest.mark.parametrize(("kind", "endpoint"), [("file", RegisterModelMeta), ("remote", RegisterModel)])
async def test_a_group_that_is_deleted_before_the_model_joins_it_is_made_again(
    world: ServedEmulator, kind: str, endpoint: Any
) -> None:
    async def deletes_first(_request: Any, go: Any) -> Any:
        for group_id in await find_groups(world.ml, "ours"):
            await world.ml.model_groups.delete(group_id)
        return await go()

    world.emulator.faults.add(deletes_first, on=endpoint)
    assert (await world.ml.models.ensure(SPECS[kind], backoff=NOW)).model.is_deployed
    assert len(await find_groups(world.ml, "ours")) == 1


async def test_who_awaits_a_deployment_that_lost_follows_the_winner(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)
    winner = await world.ml.models.deploy(made.model_id)
    world.emulator.faults.fail_task(CONFLICT.format(made.model_id))
    loser = await world.ml.models.deploy(made.model_id)
    assert loser.task_id != winner.task_id
    assert (await world.ml.task(loser, backoff=NOW)).state == "COMPLETED"


async def test_a_group_that_the_server_made_meanwhile_takes_the_model(world: ServedEmulator) -> None:
    async def taken(_request: Any, _go: Any) -> Any:
        add_group(world, "theirs", created=1)
        words = "The name you provided is already being used by a model group with ID: theirs."
        raise refused(400, "illegal_argument_exception", words)

    world.emulator.faults.add(taken, on=RegisterModel, times=1)
    ensured = await world.ml.models.ensure(attrs.evolve(REMOTE, group=None), backoff=NOW)
    assert ensured.model.model_group_id == "theirs"


async def test_who_may_not_register_groups_leaves_that_to_the_server(world: ServedEmulator) -> None:
    world.emulator.faults.fail(403, reason="no permissions", on=RegisterModelGroup, times=None)
    assert (await world.ml.models.ensure(attrs.evolve(FILE, group=None), backoff=NOW)).model.is_deployed
    with pytest.raises(Forbidden):
        await world.ml.models.ensure(FILE, backoff=NOW)


async def test_a_refused_registration_leaves_no_group_behind(world: ServedEmulator) -> None:
    world.emulator.faults.fail(400, on=RegisterModelMeta)
    with pytest.raises(Exception, match="boom"):
        await world.ml.models.ensure(FILE, backoff=NOW)
    assert not await groups(world)


async def test_too_many_deployments_at_once_are_waited_for(world: ServedEmulator) -> None:
    await world.ml.settings.apply(MLSettings(max_deploy_model_tasks_per_node=1))
    specs = [attrs.evolve(FILE, name=f"tiny-{number}", group=None) for number in range(4)]
    made = [await world.ml.models.ensure(spec, deploy=False, backoff=NOW) for spec in specs]
    ensured = await asyncio.gather(*(world.ml.models.ensure(one.model_id, backoff=APART) for one in made))
    assert all(one.model.is_deployed for one in ensured)
    assert any(Phase.WAITING in one.did for one in ensured)


async def test_a_node_of_2_4_that_loads_no_more_says_what_helps(tmp_path: Path) -> None:
    emulator = Emulator(Cluster(version="2.4.1"))
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        emulator.faults.fail_task("exceed max running task limit", times=None)
        with pytest.raises(TaskFailed, match="exceed max running task limit") as caught:
            await ml.models.ensure(attrs.evolve(FILE, group=None), backoff=NOW)
    assert "loads ten models in its life" in str(caught.value.__notes__)


async def test_a_node_that_may_not_be_asked_is_believed_to_have_what_the_record_says(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    world.emulator.faults.fail(403, reason="no permissions", on=GetModelProfiles, times=None)
    assert not (await world.ml.models.ensure(FILE, backoff=NOW)).deployed
    assert (await world.ml.models.get(made.model_id)).model_state == ModelState.DEPLOYED


async def test_a_conflict_that_is_no_race_is_raised(world: ServedEmulator) -> None:
    world.emulator.faults.fail(409, reason="in use", on=RegisterModelMeta, times=None)
    with pytest.raises(Conflict, match="in use"):
        await world.ml.models.ensure(FILE, backoff=NOW)


# ---- what is half done ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "remote"])
async def test_a_group_that_goes_away_before_the_model_comes_is_made_anew(world: ServedEmulator, kind: str) -> None:
    """Its creator failed, or withdrew it in favour of an older one."""

    async def taken_back(_: Any, go: Any) -> Any:
        for group_id in await groups(world):
            world.emulator.cluster.groups.delete(group_id)
        return await go()

    world.emulator.faults.add(taken_back, on=RegisterModelMeta if kind == "file" else RegisterModel, times=1)
    ensured = await world.ml.models.ensure(SPECS[kind], backoff=NOW)
    assert ensured.model.is_deployed
    assert await groups(world) == [ensured.model.model_group_id]


async def test_of_what_is_as_old_all_take_the_same(world: ServedEmulator) -> None:
    for group_id in ("b", "a"):
        add_group(world, group_id, created=1)
    assert await find_groups(world.ml, "ours") == ["a", "b"]
    assert await EnsureGroup(world.ml, GroupSpec(name="ours"), NOW)() == "a"
    for model_id in ("y", "x"):
        model = Model(name="tiny", model_content_hash_value=SHA256, model_group_id="a", created_time=1)
        world.emulator.cluster.models.put(model_id, alter(model, model_state=ModelState.REGISTERED))
    assert await find_registered(world.ml, FILE) == ("x", await world.ml.models.get("x"))


async def test_a_registration_of_a_group_that_was_lost_is_made_by_the_same_id() -> None:
    emulator = Emulator(Cluster(version="3.9.0"))
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        emulator.faults.drop(on=RegisterModelGroup)
        assert await EnsureGroup(ml, GroupSpec(name="ours"), NOW)() == own_id("group", "ours")


async def test_a_registration_of_a_model_that_was_lost_is_made_by_the_same_id() -> None:
    emulator = Emulator(Cluster(version="3.9.0"))
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        emulator.faults.drop(on=RegisterModelMeta)
        first = await ml.models.ensure(FILE, backoff=NOW)
        assert first.model_id.startswith("aio-")
        # An id that another model has by now is not insisted on.
        emulator.cluster.models.change(first.model_id, name="renamed since")
        other = await ml.models.ensure(FILE, backoff=NOW)
        assert other.registered
        assert not other.model_id.startswith("aio-")


async def test_trouble_that_passes_leaves_the_group_for_the_next_call(world: ServedEmulator) -> None:
    world.emulator.faults.fail(503, on=RegisterModelMeta, times=None)
    with pytest.raises(Unavailable):
        await world.ml.models.ensure(FILE, backoff=NOW, wait=0)
    assert await find_groups(world.ml, "ours")


async def test_a_refused_registration_leaves_a_group_alone_that_was_there_before(world: ServedEmulator) -> None:
    theirs = await world.ml.model_groups.register("ours")
    world.emulator.faults.fail(400, on=UploadModelChunk)
    with pytest.raises(BadRequest, match="boom"):
        await world.ml.models.ensure(FILE, backoff=NOW)
    assert await groups(world) == [theirs.model_group_id]


async def test_a_model_that_is_found_gives_way_to_an_older_one_that_comes_late(world: ServedEmulator) -> None:
    """Its creator finds the older one too, and withdraws this one."""
    made = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)
    older = alter(made.model, created_time=1)
    looks = 0

    async def comes_late(_: Any, go: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 2:
            world.emulator.cluster.models.put("older", older)
        return await go()

    world.emulator.faults.add(comes_late, on=lambda http: http.path.endswith("models/_search"), times=None)
    assert (await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)).model_id == "older"


@pytest.mark.parametrize("look", [2, 3, 4])
async def test_who_registers_a_model_at_the_same_time_takes_it_back_for_the_oldest(
    world: ServedEmulator, look: int
) -> None:
    """The other registration was begun before ours, and is found by a later search, the last one after our upload."""
    await world.ml.model_groups.register("theirs", model_group_id=None)
    (theirs,) = await groups(world)
    looks = 0

    async def comes_late(_: Any, go: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == look:
            model = Model(name="tiny", model_content_hash_value=SHA256, model_group_id=theirs, created_time=1)
            world.emulator.cluster.models.put("older", alter(model, model_state=ModelState.REGISTERED, algorithm="x"))
        return await go()

    def is_search(http: Any) -> bool:
        return bool(http.path.endswith("models/_search"))

    told: list[Progress] = []
    spec = attrs.evolve(FILE, group=None)
    world.emulator.faults.add(comes_late, on=is_search, times=None)
    ensured = await world.ml.models.ensure(spec, deploy=False, backoff=NOW, progress=told.append)
    assert [key for key, _ in await world.models()] == [ensured.model_id] == ["older"]
    (healing,) = [progress for progress in told if progress.phase is Phase.HEALING]
    assert (healing.name, healing.words) == ("tiny", "older was registered at the same time, and is kept")
    assert healing.model_id not in {None, "older"}
    assert await groups(world) == [theirs], "its group was made for it alone"


async def test_a_deployed_model_is_not_looked_at_twice_before_it_is_used(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    world.emulator.cluster.models.put("older", alter(made.model, created_time=1, model_state=ModelState.UNDEPLOYED))
    assert (await world.ml.models.ensure(FILE, backoff=NOW)).model_id == made.model_id


# What a node says that is stopped while it is at work.
STOPPED = "NodeDisconnectedException[[node-2][127.0.0.1:9301][cluster:admin/opensearch/ml/deploy] disconnected]"


@pytest.mark.parametrize("endpoint", [RegisterModel, DeployModel])
async def test_a_task_that_failed_by_what_passes_is_begun_again(world: ServedEmulator, endpoint: Any) -> None:
    world.emulator.faults.fail_task(STOPPED, on=endpoint)
    async with wanted("url", "ours") as spec:
        assert (await world.ml.models.ensure(spec, backoff=NOW)).model.is_deployed
    assert len(await world.models()) == 1


async def test_a_deployment_that_goes_on_failing_by_what_passes_ends(world: ServedEmulator) -> None:
    world.emulator.faults.fail_task(STOPPED, times=None)
    with pytest.raises(TaskFailed, match="NodeDisconnectedException"):
        await world.ml.models.ensure(FILE, backoff=NOW, stall_timeout=0)


async def test_a_registration_that_cannot_be_taken_back_ends_with_what_was_wrong(world: ServedEmulator) -> None:
    told: list[Progress] = []
    world.emulator.faults.fail(400, reason="too large", on=UploadModelChunk)
    world.emulator.faults.drop(on=DeleteModel, times=None)
    with pytest.raises(BadRequest, match="too large"):
        await world.ml.models.ensure(FILE, backoff=NOW, wait=0, progress=told.append)
    ((model_id, _),) = await world.models()
    (healing,) = [progress for progress in told if progress.phase is Phase.HEALING]
    assert (healing.model_id, healing.words.startswith("could not be deleted")) == (model_id, True)
