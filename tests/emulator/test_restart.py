"""A restart: records survive, the state of the node is lost, and shards recover for a while."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from aiomlcommons import ApiError, BadRequest, ModelNotReady, ServerError, Session, TaskStalled, TooManyRequests
from aiomlcommons.api.model_registration import RegisterModel
from aiomlcommons.api.models import SearchModels
from aiomlcommons.api.server import GetInfo
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Emulator
from tests.support.emulated_models import ALLOWED, CONFIG, DENSE, NOW, deployed, ended, remote, seen, uploaded
from tests.support.file_server import served_file

pytestmark = pytest.mark.asyncio

NOT_READY = "Model not ready yet. Please deploy the model first."
NO_DATA = "Failed to get data object from index .plugins-ml-model"
NO_SHARD = "no_shard_available_action_exception"
RECOVERING = "illegal_index_shard_state_exception"


async def test_a_record_says_deployed_of_a_model_that_no_node_has(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await deployed(ml)
    (node,) = ((await ml.profile.models(model_id)).nodes or {}).values()
    assert node.models
    assert node.models[model_id].model_state == "DEPLOYED"
    ml_emulator.restart()
    assert (await ml.models.get(model_id)).is_deployed
    assert (await ml.profile.models(model_id)).nodes is None
    with pytest.raises(ModelNotReady, match=NOT_READY) as caught:
        await ml.embed_one(model_id, "a")
    assert caught.value.status == 400


async def test_it_can_be_deployed_straight_away(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await deployed(ml)
    ml_emulator.restart()
    await ml.task(await ml.models.deploy(model_id), backoff=NOW)
    assert (await ml.embed_one(model_id, "a")).shape == (384,)


async def test_it_is_deleted_once_it_is_undeployed_which_corrects_the_record(
    ml: Session, ml_emulator: Emulator
) -> None:
    model_id = await deployed(ml)
    ml_emulator.restart()
    with pytest.raises(BadRequest, match="cannot be deleted in deploying or deployed state"):
        await ml.models.delete(model_id)
    got = await ml.models.undeploy(model_id)
    assert got[ml_emulator.cluster.node_id].stats == {model_id: "not_found"}
    assert (await ml.models.get(model_id)).model_state == "UNDEPLOYED"
    await ml.models.delete(model_id)


async def test_a_remote_model_is_off_the_node_too(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await remote(ml)
    await ml.models.deploy(model_id)
    await seen(ml, model_id)
    await ml.settings.apply(MLSettings(model_auto_deploy_enable=False))
    ml_emulator.restart()
    assert (await ml.models.get(model_id)).is_deployed
    assert (await ml.profile.models(model_id)).nodes is None
    with pytest.raises(ModelNotReady, match=NOT_READY):
        await ml.predict("remote", model_id, parameters={"a": "b"})


async def test_a_task_under_way_stays_so_for_ever(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await uploaded(ml)
    created, running = await ml.models.deploy(model_id), await ml.models.deploy(await uploaded(ml))
    for _ in range(2):
        await ml.tasks.get(running.task_id)
    ml_emulator.restart()
    for task, state in ((created, "CREATED"), (running, "RUNNING")):
        assert {(await ml.tasks.get(task.task_id)).state for _ in range(6)} == {state}
        with pytest.raises(TaskStalled):
            await ml.task(task, backoff=NOW, stall_timeout=0)
    assert (await ml.models.get(model_id)).model_state == "DEPLOYING"


async def test_a_model_that_was_being_fetched_is_left_as_a_ghost(
    ml: Session, ml_emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "x.zip").write_bytes(b"x")
    more: Any = {"version": "1", "model_format": "TORCH_SCRIPT", "model_config": CONFIG}
    async with served_file(tmp_path / "x.zip") as url:
        await ml.models.register("ghost", url=url, model_content_hash_value="0" * 64, **more)
        ml_emulator.restart()
    for _ in range(6):
        (ghost,) = [hit.source for hit in await ml.send(SearchModels())]
        assert (ghost.name, ghost.model_state, ghost.model_content_hash_value) == ("ghost", "REGISTERING", None)


# ---- while shards recover ------------------------------------------------------------------------------------------


def causes(error: ApiError) -> list[tuple[str, str]]:
    return [(cause["type"], cause["reason"]) for cause in error.body["error"]["root_cause"]]


async def test_predictions_meet_no_shard_and_then_one_that_recovers(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await deployed(ml)
    ml_emulator.restart(recovering=2)
    found = []
    for _ in range(2):
        with pytest.raises(ApiError) as caught:
            await ml.predict("text_embedding", model_id, text_docs=["a"])
        found.append(caught.value)
    assert [(error.status, error.type) for error in found] == [(404, "status_exception")] * 2
    assert all(error.reason.startswith(NO_DATA) for error in found)
    assert causes(found[0]) == [
        (NO_SHARD, f"No shard available for [get [.plugins-ml-model][{model_id}]: routing [null]]")
    ]
    ((kind, words),) = causes(found[1])
    assert (kind, words.startswith("CurrentState[RECOVERING] operations only allowed")) == (RECOVERING, True)
    with pytest.raises(ModelNotReady):
        await ml.predict("text_embedding", model_id, text_docs=["a"])


async def test_reads_of_models_are_500_with_the_same_causes(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await deployed(ml)
    ml_emulator.restart(recovering=2)
    for kind in (NO_SHARD, RECOVERING):
        with pytest.raises(ServerError) as caught:
            await ml.models.get(model_id)
        assert (caught.value.status, causes(caught.value)[0][0]) == (500, kind)
        assert caught.value.body["error"]["reason"] == NO_DATA
    assert (await ml.models.get(model_id)).is_deployed


async def test_searches_for_models_have_words_of_their_own(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.restart(recovering=1)
    with pytest.raises(ServerError) as caught:
        await ml.send(SearchModels())
    assert (caught.value.status, causes(caught.value)) == (500, [("status_exception", "Fail to search model version")])
    await ml.send(SearchModels())


async def test_other_routes_are_503_without_a_body_and_then_with_one(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.restart(recovering=2)
    bodies = []
    for _ in range(2):
        with pytest.raises(ServerError) as caught:
            await ml.model_groups.search()
        assert caught.value.status == 503
        bodies.append(caught.value.response.body)
    assert bodies[0] == b""
    assert orjson.loads(bodies[1])["error"]["type"] == RECOVERING
    await ml.model_groups.search()


async def test_what_needs_no_shard_is_answered_all_the_while(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.restart(recovering=1)
    await ml.send(GetInfo())
    await ml.settings.apply(ALLOWED)
    await ml.profile.all()
    assert ml_emulator.cluster.recovering == 1


# ---- breakers ------------------------------------------------------------------------------------------------------


async def test_a_breaker_opens_on_any_route(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.faults.break_circuit(on=lambda http: http.path.endswith("_search"))
    with pytest.raises(TooManyRequests) as caught:
        await ml.model_groups.search()
    (cause,) = caught.value.body["error"]["root_cause"]
    assert cause == {
        "type": "circuit_breaking_exception",
        "reason": "[parent] Data too large, data for [<http_request>] would be [2082304048/1.9gb], which is larger "
        "than the limit of [2040109465/1.8gb], real usage: [2082304048/1.9gb], new bytes reserved: [0/0b], usages "
        "[request=0/0b, fielddata=0/0b, in_flight_requests=0/0b]",
        "bytes_wanted": 2082304048,
        "bytes_limit": 2040109465,
        "durability": "TRANSIENT",
    }
    await ml.model_groups.search()


async def test_a_breaker_fails_the_task_of_a_registration_in_plain_words(ml: Session, ml_emulator: Emulator) -> None:
    words = "Memory Circuit Breaker is open, please check your resources!"
    ml_emulator.faults.fail_task(words, on=RegisterModel)
    started = await ml.models.register(DENSE, version="1.0.2", model_format="TORCH_SCRIPT")
    info = await ended(ml, started.task_id)
    assert (info.state, info.error) == ("FAILED", words)
    assert not len(await ml.models.search())
