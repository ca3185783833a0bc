"""Batch predictions: jobs at the provider of a remote model, which the emulator starts and polls."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import ApiError, BadRequest, FeatureDisabled, ServerError, Session, TaskFailed, TooManyRequests
from aiomlcommons.api.connectors import ConnectorAction
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Cluster, Emulator
from tests.support.emulated_models import ALLOWED, NOW
from tests.support.model_server import batch_actions

pytestmark = pytest.mark.asyncio


@pytest.fixture
def ml_emulator() -> Emulator:
    """Return an emulator that can poll a provider for a batch job."""
    return Emulator(Cluster(follows_batches=True))


async def _model(ml: Session, actions: list[ConnectorAction]) -> str:
    """Return the id of a remote model, which its first prediction deploys."""
    connector = await ml.connectors.create("c", version=1, protocol="http", credential={"k": "s"}, actions=actions)
    started = await ml.models.register("r", function_name="remote", connector_id=connector.connector_id)
    assert started.model_id
    return started.model_id


async def _begin(ml: Session, model_id: str, file: str) -> Any:
    return await ml.models.batch_predict(model_id, parameters={"input_file_id": file})


async def test_each_look_at_the_task_is_a_look_at_the_provider(ml: Session, model_url: str) -> None:
    started = await _begin(ml, await _model(ml, batch_actions(model_url)), "f")
    assert (started.status, started.remote_job["status"]) == ("CREATED", "validating")
    seen = [(info.state, (info.remote_job or {})["status"]) async for info in ml.task(started, backoff=NOW)]
    assert seen == [("RUNNING", "in_progress"), ("RUNNING", "finalizing"), ("COMPLETED", "completed")]


async def test_a_cancelled_job_ends_as_such(ml: Session, model_url: str) -> None:
    job = ml.task(await _begin(ml, await _model(ml, batch_actions(model_url)), "please wait"), backoff=NOW)
    info = await job.cancel()
    assert (info.state, (info.remote_job or {})["status"]) == ("CANCELLED", "cancelled")
    with pytest.raises(TaskFailed, match="ended CANCELLED"):
        await job


async def test_a_job_that_fails_says_why(ml: Session, model_url: str) -> None:
    started = await _begin(ml, await _model(ml, batch_actions(model_url)), "please fail")
    with pytest.raises(TaskFailed, match=r"ended FAILED: its provider says .*invalid_json_line"):
        await ml.task(started, backoff=NOW)


async def test_a_provider_that_breaks_now_and_then_is_followed_to_the_end(ml: Session, model_url: str) -> None:
    started = await _begin(ml, await _model(ml, batch_actions(model_url)), "please break")
    assert (await ml.task(started, backoff=NOW)).state == "COMPLETED"


async def test_a_provider_that_does_not_begin_starts_no_task(ml: Session, model_url: str) -> None:
    with pytest.raises(BadRequest, match="Error from remote service"):
        await _begin(ml, await _model(ml, batch_actions(model_url)), "no such file")
    kinds = [hit.source.task_type async for hit in ml.tasks.search({})]
    assert kinds == ["REGISTER_MODEL"]


async def test_the_words_of_the_settings_are_the_states(ml: Session, model_url: str) -> None:
    started = await _begin(ml, await _model(ml, batch_actions(model_url)), "f")
    async with ml.settings.temporarily(MLSettings(remote_job_status_regex_completed="final")):
        assert (await ml.task(started, backoff=NOW)).state == "COMPLETED"


async def test_a_connector_needs_actions_for_a_job_with_a_body(ml: Session, model_url: str) -> None:
    started = await _begin(ml, await _model(ml, batch_actions(model_url, body=None)), "f")
    with pytest.raises(ServerError, match="configure the action type to get the batch job details"):
        await ml.tasks.get(started.task_id)
    with pytest.raises(ServerError, match="configure the action type to cancel the batch job"):
        await ml.tasks.cancel(started.task_id)
    with pytest.raises(BadRequest, match="no BATCH_PREDICT action found"):
        await _begin(ml, await _model(ml, batch_actions(model_url)[1:]), "f")


async def test_the_server_knows_by_itself_how_to_follow_openai(ml: Session, model_url: str) -> None:
    # The provider's name may be anywhere in the URL.
    begin, *_ = batch_actions(f"{model_url}/openai")
    job = ml.task(await _begin(ml, await _model(ml, [begin]), "please wait"), backoff=NOW)
    assert (await job.cancel()).state == "CANCELLED"


async def test_settings_forbid_it_or_let_few_be_under_way(ml: Session, model_url: str) -> None:
    model_id = await _model(ml, batch_actions(model_url))
    await ml.settings.apply(MLSettings(max_batch_inference_tasks=1))
    started = await _begin(ml, model_id, "please wait")
    with pytest.raises(TooManyRequests, match="max_batch_inference_tasks"):
        await _begin(ml, model_id, "f")
    await ml.task(started).cancel()
    await _begin(ml, model_id, "f")
    await ml.settings.apply(MLSettings(offline_batch_inference_enabled=False))
    for call in (_begin(ml, model_id, "f"), ml.tasks.get(started.task_id), ml.tasks.cancel(started.task_id)):
        with pytest.raises(FeatureDisabled) as caught:
            await call
        assert caught.value.setting == "plugins.ml_commons.offline_batch_inference_enabled"


async def test_a_local_model_predicts_nothing_offline(ml: Session, dense: str) -> None:
    with pytest.raises(ApiError, match="remote models only") as caught:
        await ml.models.batch_predict(dense, parameters={})
    assert caught.value.status == 501


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.4.0", "Remote inference host name has private ip address: 127.0.0.1"),
        ("3.8.0", "Trusted connector endpoints regex is not configured"),
    ],
)
async def test_a_real_server_begins_a_job_and_cannot_follow_it(model_url: str, version: str, words: str) -> None:
    async with Emulator(Cluster(version=version)).serve() as url, Session(url, retries=0) as ml:
        await ml.settings.apply(ALLOWED)
        started = await _begin(ml, await _model(ml, batch_actions(model_url)), "f")
        with pytest.raises(BadRequest, match=words):
            await ml.tasks.get(started.task_id)
        with pytest.raises(BadRequest, match=words):
            await ml.tasks.cancel(started.task_id)
