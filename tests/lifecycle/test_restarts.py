"""Server restarts: stale records, tasks that stay RUNNING forever, and recovering shards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from aiomlcommons import Backoff, NotFound, TaskStalled, Unavailable
from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.model_registration import RegisterModel, UploadModelChunk
from aiomlcommons.api.models import DeployModel, GetModel
from aiomlcommons.api.stats import GetModelProfiles, GetTaskProfiles
from aiomlcommons.api.tasks import GetTask, TaskInfo, TaskState, TaskType
from aiomlcommons.emulator.models.deployment import put_on_node
from aiomlcommons.lifecycle import _other_clients, deployment
from aiomlcommons.lifecycle.declared import DeclaredModel
from aiomlcommons.lifecycle.spec import PretrainedModel, UrlModel
from aiomlcommons.progress.event import Phase, Progress
from tests.support.ensure_process import DENSE, FILE, SPECS
from tests.support.file_server import served_file
from tests.support.paths import MODELS
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio
MINILM = PretrainedModel(name="all-MiniLM-L6-v2")
SHA256 = "928feb42f77290db1c1900e0f7df0f7c5af6bde7b49de2cb25d763766e889d4a"
MANY = 50


class Tiny(DeclaredModel):
    model = "tiny"
    path = MODELS / "tiny-dense.zip"
    model_config = DENSE


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the allowed lag to zero, because nothing lags in these tests."""
    monkeypatch.setattr(_other_clients, "LAG", 0.0)
    monkeypatch.setattr("aiomlcommons.waiting.task.LAG", 0.0)


@pytest.mark.parametrize("kind", ["file", "remote", "pretrained"])
async def test_a_model_that_no_node_has_is_deployed_again(world: ServedEmulator, kind: str) -> None:
    made = await world.ml.models.ensure(SPECS[kind], backoff=NOW)
    world.emulator.restart()
    told: list[Progress] = []
    again = await world.ml.models.ensure(SPECS[kind], backoff=NOW, progress=told.append)
    assert (again.model_id, again.registered, again.deployed) == (made.model_id, False, True)
    (healing,) = [progress for progress in told if progress.phase is Phase.HEALING]
    assert (healing.name, healing.model_id) == (made.model.name, made.model_id)
    profile = await world.ml.profile.models(made.model_id)
    assert profile.nodes


async def test_a_model_that_is_not_deployed_is_none_where_the_nodes_may_not_be_asked(world: ServedEmulator) -> None:
    world.emulator.faults.fail(403, reason="no permissions", on=GetModelProfiles, times=None)
    await Tiny.register(world.ml, backoff=NOW)
    assert not await Tiny.deployed(world.ml)
    await Tiny.deploy(world.ml, backoff=NOW)
    assert await Tiny.deployed(world.ml)


async def test_a_record_from_before_a_restart_is_not_believed_where_nothing_was_deployed(world: ServedEmulator) -> None:
    """The server's own redeployment writes the record concurrently, so that ours fails with a version conflict."""
    words = "Document version conflict updating x in index .plugins-ml-model: required seqNo [1]"
    made = await world.ml.models.ensure(SPECS["remote"], backoff=NOW)
    world.emulator.restart()
    world.emulator.faults.fail(409, reason=words, on=DeployModel)
    again = await world.ml.models.ensure(SPECS["remote"], backoff=NOW)
    assert again.model_id == made.model_id
    assert (await world.ml.profile.models(made.model_id)).nodes


async def test_a_declared_model_is_deployed_where_nodes_have_it(world: ServedEmulator) -> None:
    await Tiny.deploy(world.ml, backoff=NOW)
    assert await Tiny.deployed(world.ml)
    world.emulator.restart()
    assert not await Tiny.deployed(world.ml)


@pytest.mark.parametrize("kind", ["file", "remote", "pretrained"])
async def test_shards_that_recover_are_waited_for(world: ServedEmulator, kind: str) -> None:
    made = await world.ml.models.ensure(SPECS[kind], backoff=NOW)
    world.emulator.restart(recovering=MANY)
    again = await world.ml.models.ensure(SPECS[kind], backoff=NOW)
    assert again.model_id == made.model_id
    assert again.model.is_deployed


async def test_who_does_not_wait_is_told_what_it_is(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    world.emulator.restart(recovering=MANY)
    with pytest.raises(Unavailable):
        await world.ml.models.ensure(FILE, backoff=NOW, wait=0)
    with pytest.raises(Unavailable) as caught:
        await world.ml.options(retries=0).embed_one(made.model_id, "x")
    assert caught.value.status == 404
    assert not isinstance(caught.value, NotFound)


async def test_calls_wait_as_they_are_told(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, backoff=NOW)
    world.emulator.restart(recovering=MANY)
    assert (await world.ml.options(wait=60).models.get(made.model_id)).name == "tiny"


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [(RegisterModel, "checking whether it was registered"), (DeployModel, "the deployment was lost, deploying again")],
)
async def test_a_restart_under_way_is_waited_out(world: ServedEmulator, endpoint: Any, words: str) -> None:
    """The node accepts the task and dies; requests fail while it recovers, and then the task is lost."""

    async def dies(_: Any, go: Any) -> Any:
        answer = await go()
        world.emulator.restart(recovering=MANY)
        return answer

    world.emulator.faults.add(dies, on=endpoint, times=1)
    told: list[Progress] = []
    ensured = await world.ml.models.ensure(MINILM, backoff=NOW, stall_timeout=0, progress=told.append)
    assert ensured.model.is_deployed
    assert any(progress.words.startswith(words) for progress in told if progress.phase is Phase.HEALING)
    assert len(await world.models()) == 1


# ---- tasks -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
async def test_a_task_that_no_node_is_at_work_on_is_forgotten(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)
    world.emulator.faults.hang_task()
    started = await world.ml.models.deploy(made.model_id)
    world.emulator.restart()
    with pytest.raises(TaskStalled, match="may have forgotten it"):
        await world.ml.task(started, backoff=NOW)


@pytest.mark.usefixtures("impatient")
async def test_a_task_that_a_node_is_at_work_on_is_waited_for(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)
    world.emulator.faults.hang_task()
    started = await world.ml.models.deploy(made.model_id)
    asked = 0

    async def count(_: Any, go: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == MANY:
            world.emulator.restart()
        return await go()

    world.emulator.faults.add(count, on=GetTaskProfiles, times=None)
    with pytest.raises(TaskStalled):
        await world.ml.task(started, backoff=NOW)
    assert asked >= MANY


async def test_a_deployment_is_done_when_the_nodes_have_the_model_whatever_its_task_says(
    world: ServedEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a node leaves the cluster and comes back while it deploys: the task stays RUNNING, on a node."""
    monkeypatch.setattr(deployment, "LOOK", 0.0)
    made = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)
    world.emulator.faults.hang_task()
    asked = deploys = 0

    async def load(_: Any, go: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == MANY:
            put_on_node(world.emulator.cluster, made.model_id)
        return await go()

    async def count(_: Any, go: Any) -> Any:
        nonlocal deploys
        deploys += 1
        return await go()

    world.emulator.faults.add(load, on=GetTask, times=None)
    world.emulator.faults.add(count, on=DeployModel, times=None)
    ensured = await world.ml.models.ensure(FILE, backoff=NOW)
    assert ensured.model.is_deployed
    assert asked >= MANY
    assert deploys == 1


async def test_a_task_is_looked_at_again_when_its_server_is_back(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)
    started = await world.ml.models.deploy(made.model_id)
    states: list[Any] = []
    async for info in world.ml.task(started, backoff=NOW):
        states.append(info.state)
        if len(states) == 1:
            world.emulator.faults.drop(on=GetTask, times=MANY)
    assert states[-1] == "COMPLETED"


async def test_a_task_of_a_server_that_never_answered_is_an_error_at_once(world: ServedEmulator) -> None:
    world.emulator.faults.fail(503, on=GetTask, times=None)
    with pytest.raises(Unavailable):
        await world.ml.task("t", backoff=NOW)


# ---- abandoned registrations -----------------------------------------------------------------------------------------


@asynccontextmanager
async def by_url() -> AsyncIterator[UrlModel]:
    async with served_file(MODELS / "tiny-dense.zip") as url:
        yield UrlModel(name="by url", url=url, model_content_hash_value=SHA256, model_config=DENSE)


async def begin(world: ServedEmulator, spec: UrlModel) -> str:
    """Start a registration as another client: its model is REGISTERING, without a hash yet."""
    await world.ml.models.register(
        spec.name,
        version="1",
        url=spec.url,
        model_format="TORCH_SCRIPT",
        function_name="TEXT_EMBEDDING",
        model_config=DENSE,
        model_content_hash_value=spec.model_content_hash_value,
    )
    for _ in range(MANY):
        if found := await world.models():
            break
    ((model_id, model),) = found
    assert (model.model_state, model.model_content_hash_value) == (ModelState.REGISTERING, None)
    return model_id


async def ghost(world: ServedEmulator, spec: UrlModel) -> str:
    """A registration that was interrupted by a crash of the server: its record stays REGISTERING forever."""
    world.emulator.faults.hang_task(on=RegisterModel)
    model_id = await begin(world, spec)
    world.emulator.restart()
    return model_id


@pytest.mark.usefixtures("impatient")
async def test_a_ghost_gives_way_to_the_model_that_it_never_became(world: ServedEmulator) -> None:
    async with by_url() as spec:
        dead = await ghost(world, spec)
        ensured = await world.ml.models.ensure(spec, backoff=NOW)
    assert ensured.model_id != dead
    assert ensured.model.is_deployed
    assert Phase.HEALING in ensured.did
    assert [key for key, _ in await world.models()] == [ensured.model_id]


@pytest.mark.usefixtures("impatient")
async def test_a_ghost_beside_the_model_that_is_there_is_laid(world: ServedEmulator) -> None:
    async with served_file(MODELS / "tiny-dense.zip") as url:
        spec = UrlModel(name="by url", url=url, model_content_hash_value=SHA256, model_config=DENSE)
        dead = await ghost(world, spec)
        # A concurrent client, before the crash, has the model deployed in another group of that name.
        there = await world.ml.models.register(
            spec.name,
            version="1",
            url=url,
            model_format="TORCH_SCRIPT",
            function_name="TEXT_EMBEDDING",
            model_config=DENSE,
            model_content_hash_value=SHA256,
        )
        model_id = (await world.ml.task(there, backoff=NOW)).model_id
        assert model_id is not None
        await world.ml.task(await world.ml.models.deploy(model_id), backoff=NOW)
        assert {key for key, _ in await world.models()} == {dead, model_id}
        ensured = await world.ml.models.ensure(spec, backoff=NOW)
    assert (ensured.model_id, ensured.registered) == (model_id, False)
    assert [key for key, _ in await world.models()] == [model_id]


async def test_a_ghost_holds_up_nobody_else(world: ServedEmulator) -> None:
    told: list[Progress] = []
    async with by_url() as spec:
        await ghost(world, spec)
        await world.ml.models.ensure(MINILM, backoff=NOW, progress=told.append)
    assert Phase.WAITING not in {progress.phase for progress in told}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("may_ask", [True, False])
async def test_a_registration_that_a_node_is_at_work_on_is_no_ghost(world: ServedEmulator, may_ask: bool) -> None:
    """Without the permission to read the profile it is unknown whether it is abandoned, so nothing is deleted."""
    if not may_ask:
        world.emulator.faults.fail(403, reason="no permissions", on=GetTaskProfiles, times=None)
    async with by_url() as spec:
        await begin(world, spec)
        ensured = await world.ml.models.ensure(spec, backoff=NOW)
    assert not ensured.registered
    assert Phase.WAITING in ensured.did
    assert [key for key, _ in await world.models()] == [ensured.model_id]


@pytest.mark.parametrize("whose", ["ours", "theirs"])
async def test_a_registration_that_hangs_on_a_node_is_not_waited_for_longer_than_asked(
    world: ServedEmulator, whose: str
) -> None:
    world.emulator.faults.hang_task(on=RegisterModel)
    async with by_url() as spec:
        if whose == "theirs":
            await begin(world, spec)
        ensured = await world.ml.models.ensure(spec, backoff=NOW, stall_timeout=0)
    assert ensured.registered
    assert [key for key, _ in await world.models()] == [ensured.model_id]


async def test_a_registration_that_names_another_model_holds_up_nobody(world: ServedEmulator) -> None:
    world.emulator.faults.hang_task(on=RegisterModel)
    async with by_url() as spec:
        await begin(world, spec)
        ensured = await world.ml.models.ensure(attrs.evolve(spec, name="another"), backoff=NOW)
    assert ensured.registered
    assert Phase.WAITING not in ensured.did


async def test_of_several_deployments_the_newest_is_waited_for_first(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)
    world.emulator.cluster.models.change(made.model_id, model_state=ModelState.DEPLOYING)
    for created in (1, 3, 2):
        kind, state = TaskType.DEPLOY_MODEL, TaskState.RUNNING
        dead = TaskInfo(task_type=kind, state=state, model_id=made.model_id, create_time=created)
        world.emulator.cluster.tasks.put(f"task-{created}", dead)
    told: list[Progress] = []
    ensured = await world.ml.models.ensure(made.model_id, backoff=NOW, stall_timeout=0, progress=told.append)
    waits = [progress.words for progress in told if progress.phase is Phase.WAITING]
    assert [words[-6:] for words in waits] == ["task-3", "task-2", "task-1"]
    assert ensured.model.is_deployed


async def test_who_may_not_ask_the_nodes_registers_all_the_same(world: ServedEmulator) -> None:
    world.emulator.faults.fail(403, reason="no permissions", on=GetTaskProfiles, times=None)
    async with by_url() as spec:
        assert (await world.ml.models.ensure(spec, backoff=NOW)).registered


async def test_a_record_that_lags_behind_its_last_chunk_has_nothing_sent_again(world: ServedEmulator) -> None:
    """The record lags by seconds, independent of the caller's stall timeout."""
    made = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)
    world.emulator.cluster.models.change(made.model_id, model_state=ModelState.REGISTERING)
    looks = 0

    async def ends_after_some(_: Any, go: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == MANY:
            world.emulator.cluster.models.change(made.model_id, model_state=ModelState.REGISTERED)
        return await go()

    world.emulator.faults.add(ends_after_some, on=GetModel, times=None)
    world.emulator.faults.fail(400, on=UploadModelChunk, times=None)
    again = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW, stall_timeout=0)
    assert (again.model_id, again.registered) == (made.model_id, False)


async def test_a_record_that_lags_behind_its_task_is_looked_at_again(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure(FILE, deploy=False, backoff=NOW)
    looks = 0

    async def deploying_for_two_looks(_: Any, go: Any) -> Any:
        nonlocal looks
        answer = await go()
        looks += 1
        if b'"DEPLOYED"' in answer.body and looks < 8:
            answer.body = answer.body.replace(b'"DEPLOYED"', b'"DEPLOYING"')
        return answer

    world.emulator.faults.add(deploying_for_two_looks, on=GetModel, times=None)
    ensured = await world.ml.models.ensure(made.model_id, backoff=Backoff(first=0))
    assert ensured.model.is_deployed
    assert ensured.did.count(Phase.DEPLOYING) == 1
    assert Phase.HEALING not in ensured.did
