"""Concurrent requests, as on a real server: both succeed, or the later one gets a version conflict."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import ApiError, BadRequest, Conflict, Session
from aiomlcommons.api.model_groups import RegisterModelGroup
from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta
from aiomlcommons.api.models import DeployModel
from aiomlcommons.api.settings import FIRST_MODEL, MLSettings
from aiomlcommons.emulator import Cluster, Emulator
from tests.support.emulated_models import CONFIG, DENSE, NOW, announced, ended, remote, seen, uploaded
from tests.support.file_server import served_file

pytestmark = pytest.mark.asyncio

T = TypeVar("T")
TIMES = 5
CONFLICT = r"\[{}\]: version conflict, required seqNo \[\d+\], primary term \[1\]. current document has seqNo \[\d+\]"


@pytest_asyncio.fixture
async def four(ml_url: str) -> AsyncGenerator[list[Session]]:
    """Yield four clients, each with its own connections."""
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Session(ml_url, retries=0, backoff=NOW)) for _ in range(4)]
        await callers[0].settings.apply(FIRST_MODEL)
        for caller in callers:
            await caller.model_groups.search()
        yield callers


async def at_once(callers: list[Session], call: Callable[[Session], Awaitable[T]]) -> tuple[list[T], list[ApiError]]:
    """Return the results of concurrent calls by all clients: responses and errors."""
    found = await asyncio.gather(*(call(caller) for caller in callers), return_exceptions=True)
    refusals = [each for each in found if isinstance(each, ApiError)]
    answers: Any = [each for each in found if not isinstance(each, BaseException)]
    assert len(answers) + len(refusals) == len(callers), found
    return answers, refusals


async def stays_failed(ml: Session, model_id: str) -> None:
    assert {(await ml.models.get(model_id)).model_state for _ in range(6)} == {"DEPLOY_FAILED"}


def as_map(text: str | None) -> dict[str, str]:
    return dict(orjson.loads(text or "{}"))


# ---- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(TIMES))
async def test_groups_of_one_name_are_all_made(four: list[Session], number: int) -> None:
    made, refusals = await at_once(four, lambda ml: ml.model_groups.register(f"g{number}"))
    assert len({group.model_group_id for group in made}) == 4
    assert not refusals


async def test_models_without_a_group_get_one_each(four: list[Session]) -> None:
    made, refusals = await at_once(four, announced)
    groups = {(await four[0].models.get(each)).model_group_id for each in made}
    assert (len(made), len(groups), refusals) == (4, 4, [])


async def test_a_name_that_was_taken_meanwhile_is_refused(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.faults.race(on=RegisterModelMeta)
    with pytest.raises(BadRequest, match=r"The name you provided is already being used by a model group with ID: .+\."):
        await announced(ml)
    assert len(await ml.model_groups.search()) == 1
    await announced(ml)  # now it joins the group


async def test_a_group_is_registered_although_somebody_else_was_quicker(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.faults.race(on=RegisterModelGroup)
    await ml.model_groups.register("g")
    assert [hit.source.name for hit in await ml.model_groups.search()] == ["g", "g"]


# ---- the group's next version ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(TIMES))
async def test_models_of_one_group_conflict(four: list[Session], number: int) -> None:
    group = (await four[0].model_groups.register(f"g{number}")).model_group_id
    made, refusals = await at_once(four, lambda ml: announced(ml, group))
    assert (len(made), len(refusals)) == (1, 3)
    for error in refusals:
        assert isinstance(error, Conflict)
        (cause,) = error.body["error"]["root_cause"]
        assert (error.status, error.type) == (409, "version_conflict_engine_exception")
        assert (cause["index"], cause["shard"]) == (".plugins-ml-model-group", "0")
        assert cause == {key: value for key, value in error.body["error"].items() if key != "root_cause"}
        assert re.match(CONFLICT.format(group), error.reason)


async def test_models_by_url_conflict_in_their_tasks(four: list[Session], tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"x")
    group = (await four[0].model_groups.register("g")).model_group_id
    async with served_file(tmp_path / "x.zip") as url:
        more: Any = {"version": "1", "model_format": "TORCH_SCRIPT", "model_config": CONFIG, "model_group_id": group}
        more["model_content_hash_value"] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        started, _ = await at_once(four, lambda ml: ml.models.register("m", url=url, **more))
        tasks = [await ended(four[0], each.task_id) for each in started]
    assert sorted(str(task.state) for task in tasks) == ["COMPLETED", "FAILED", "FAILED", "FAILED"]
    for task in tasks:
        assert task.state == "COMPLETED" or "version conflict, required seqNo" in (task.error or "")
    assert (await four[0].model_groups.get(group)).latest_version == 1


async def test_remote_models_conflict_in_other_words(ml: Session, ml_emulator: Emulator) -> None:
    await remote(ml)
    ml_emulator.faults.race(on=RegisterModel)
    with pytest.raises(Conflict, match=r"Document version conflict updating .* in index .plugins-ml-model-group"):
        await remote(ml)
    failed = await ml.tasks.search({"query": {"term": {"state": "FAILED"}}})
    assert ["version conflict" in (hit.source.error or "") for hit in failed] == [True]


# ---- deployments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(TIMES))
async def test_local_deployments_conflict_in_their_tasks(four: list[Session], number: int) -> None:
    model_id = await uploaded(four[0])
    started, refusals = await at_once(four, lambda ml: ml.models.deploy(model_id))
    assert (len(started), refusals) == (4, [])
    tasks = [await ended(four[0], each.task_id) for each in started]
    assert sorted(str(task.state) for task in tasks) == ["COMPLETED", "FAILED", "FAILED", "FAILED"]
    for task in tasks:
        assert task.state == "COMPLETED" or (task.error or "").startswith(f"[{model_id}]: version conflict, required")
    await seen(four[0], model_id)


async def test_the_record_says_failed_while_the_winner_goes_on(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await uploaded(ml)
    first = await ml.models.deploy(model_id)
    ml_emulator.faults.race(on=DeployModel)
    second = await ml.models.deploy(model_id)
    assert (await ml.models.get(model_id)).model_state == "DEPLOY_FAILED"
    assert [(await ended(ml, task.task_id)).state for task in (first, second)] == ["COMPLETED", "FAILED"]
    await seen(ml, model_id)


@pytest.mark.parametrize("number", range(TIMES))
async def test_deployments_of_a_remote_model_conflict_at_once(four: list[Session], number: int) -> None:
    model_id = await remote(four[0])
    started, refusals = await at_once(four, lambda ml: ml.models.deploy(model_id))
    assert (len(started), len(refusals)) == (1, 3)
    for error in refusals:
        assert isinstance(error, Conflict)
        body = error.body["error"]
        assert (error.status, error.type) == (409, "status_exception")
        assert error.reason.startswith(f"Document version conflict updating {model_id} in index .plugins-ml-model")
        assert body["root_cause"] == [body["caused_by"]]
        assert body["caused_by"]["type"] == "version_conflict_engine_exception"
    await stays_failed(four[0], model_id)


async def test_deployments_of_a_model_that_is_on_the_node_leave_a_wrong_record(four: list[Session]) -> None:
    model_id = await uploaded(four[0])
    await four[0].task(await four[0].models.deploy(model_id), backoff=NOW)
    started, _ = await at_once(four, lambda ml: ml.models.deploy(model_id))
    tasks = [await ended(four[0], each.task_id) for each in started]
    assert sorted(str(task.state) for task in tasks) == ["COMPLETED", "FAILED", "FAILED", "FAILED"]
    await stays_failed(four[0], model_id)
    assert (await four[0].embed_one(model_id, "a")).shape == (16,)


async def test_one_caller_alone_meets_no_conflict(ml: Session) -> None:
    for number in range(20):
        group = (await ml.model_groups.register(f"g{number}")).model_group_id
        for _ in range(2):
            model_id = await uploaded(ml, group)
            await ml.task(await ml.models.deploy(model_id), backoff=NOW)
            await ml.models.undeploy(model_id)


# ---- limits --------------------------------------------------------------------------------------------------------


async def test_more_deployments_at_once_than_the_node_takes_fail_and_may_be_tried_again(ml: Session) -> None:
    await ml.settings.apply(MLSettings(max_deploy_model_tasks_per_node=1))
    one, two = await uploaded(ml), await uploaded(ml)
    first, second = await ml.models.deploy(one), await ml.models.deploy(two)
    info = await ended(ml, second.task_id)
    assert (info.state, [*as_map(info.error).values()]) == ("FAILED", ["exceed max running task limit"])
    await seen(ml, two, ModelState.DEPLOY_FAILED)
    assert (await ended(ml, first.task_id)).state == "COMPLETED"
    assert (await ended(ml, (await ml.models.deploy(two)).task_id)).state == "COMPLETED"


async def test_an_old_node_loads_ten_models_in_its_life() -> None:
    emulated = Emulator(Cluster(version="2.4.1"))
    async with emulated.serve() as url, Session(url, retries=0, backoff=NOW) as ml:
        await ml.settings.apply(MLSettings(only_run_on_ml_node=False))
        model_id = await uploaded(ml)
        for number in range(11):
            info = await ended(ml, (await ml.models.deploy(model_id)).task_id)
            await ml.models.undeploy(model_id)
            assert (info.state == "COMPLETED") is (number < 10)
        assert info.error == "exceed max running task limit"
        emulated.restart()
        assert (await ended(ml, (await ml.models.deploy(model_id)).task_id)).state == "COMPLETED"


async def test_an_old_node_has_other_words_for_it() -> None:
    emulated = Emulator(Cluster(version="2.4.1"))
    async with emulated.serve() as url, Session(url, retries=0, backoff=NOW) as ml:
        await ml.settings.apply(MLSettings(only_run_on_ml_node=False))
        model_id = await uploaded(ml)
        await ml.models.deploy(model_id)
        duplicate = await ended(ml, (await ml.models.deploy(model_id)).task_id)
        emulated.faults.race(on=DeployModel)
        conflict = await ended(ml, (await ml.models.deploy(model_id)).task_id)
    node = emulated.cluster.node_id
    assert (duplicate.error or "").startswith(
        f"{{{node}=java.lang.IllegalArgumentException: Duplicate model task\n\tat "
    )
    assert f"nested: VersionConflictEngineException[[{model_id}]: version conflict, required" in (conflict.error or "")


# ---- other trouble of registering and deploying ---------------------------------------------------------------------


async def test_a_model_whose_name_ends_in_zip_cannot_be_deployed(ml: Session) -> None:
    model_id = await uploaded(ml)
    await ml.models.update(model_id, name="tiny.zip")
    info = await ended(ml, (await ml.models.deploy(model_id)).task_id)
    assert (info.state, "(Is a directory)" in (info.error or "")) == ("FAILED", True)


async def test_a_cluster_without_internet_has_no_pretrained_models(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.faults.no_internet()
    started = await ml.models.register(DENSE, version="1.0.2", model_format="TORCH_SCRIPT")
    info = await ended(ml, started.task_id)
    assert (info.state, info.error) == ("FAILED", "artifacts.opensearch.org")
    ml_emulator.faults.clear()
    started = await ml.models.register(DENSE, version="1.0.2", model_format="TORCH_SCRIPT")
    assert (await ended(ml, started.task_id)).state == "COMPLETED"


async def test_a_model_by_url_needs_its_hash_and_a_trusted_url(ml: Session, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"x")
    more: Any = {"version": "1", "model_format": "TORCH_SCRIPT", "model_config": CONFIG}
    async with served_file(tmp_path / "x.zip") as url:
        info = await ended(ml, (await ml.models.register("m", url=url, **more)).task_id)
        assert (info.error or "").startswith("Model content Hash code need to be provided when register via url.")
        await ml.settings.apply(MLSettings(trusted_url_regex="^https://trusted"))
        with pytest.raises(BadRequest, match="URL can't match trusted url regex"):
            await ml.models.register("m", url=url, **more)
    assert not len(await ml.models.search())
    assert not len(await ml.model_groups.search())


async def test_a_model_by_url_is_there_without_a_hash_before_its_task_ends(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.faults.hang_task(on=RegisterModel)
    more: Any = {"version": "1", "model_format": "TORCH_SCRIPT", "model_config": CONFIG}
    await ml.models.register("m", url="http://127.0.0.1:1/x.zip", model_content_hash_value="0" * 64, **more)
    found = [len(await ml.models.search()) for _ in range(3)]
    (model,) = [hit.source async for hit in ml.models.search()]
    assert (found, model.model_state, model.model_content_hash_value) == ([0, 0, 1], "REGISTERING", None)


# ---- ids of one's own ----------------------------------------------------------------------------------------------


async def test_an_id_of_ones_own_is_taken_once_by_a_server_that_knows_them() -> None:
    async with Emulator(Cluster(version="3.9.0")).serve() as url, AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Session(url, retries=0)) for _ in range(4)]
        await callers[0].settings.apply(FIRST_MODEL)
        numbers = iter(range(4))
        made, refusals = await at_once(
            callers, lambda ml: ml.model_groups.register(f"g{next(numbers)}", model_group_id="mine")
        )
        assert ([group.model_group_id for group in made], len(refusals)) == (["mine"], 3)
        for error in refusals:
            assert (error.status, error.reason) == (409, "model group id 'mine' already exists")
        new: Any = {"model_format": "TORCH_SCRIPT", "model_content_hash_value": "0" * 64, "total_chunks": 1}
        for expected in ("model", None):
            if expected:
                assert (
                    await callers[0].models.register_meta("m", model_id="model", model_config=CONFIG, **new)
                ).model_id
                continue
            with pytest.raises(Conflict, match="model id 'model' already exists"):
                await callers[0].models.register_meta("m", model_id="model", model_config=CONFIG, **new)
        group = (await callers[0].models.get("model")).model_group_id
        assert group
        assert (await callers[0].model_groups.get(group)).latest_version == 1
