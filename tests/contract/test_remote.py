"""Contract tests: models behind connectors; the cluster really calls a server on this machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import numpy as np
import pytest
import pytest_asyncio

from aiomlcommons import Backoff, BadRequest, Conflict, NotFound, RemoteModel, Secret, ServerError, Session, TaskFailed
from aiomlcommons.api.connectors import ConnectorAction, CreateConnector
from tests.support.contract.undoing import afterwards
from tests.support.model_server import batch_actions
from tests.support.model_server import serve as serve_model

pytestmark = [pytest.mark.asyncio, pytest.mark.since("2.9", "connectors")]


@pytest_asyncio.fixture
async def model_url(loopback: str) -> AsyncGenerator[str]:
    async with serve_model(loopback) as url:
        yield url


def _action(url: str) -> ConnectorAction:
    return ConnectorAction(
        action_type="predict",
        method="POST",
        url=f"{url}/v1/embeddings",
        headers={"Authorization": "Bearer ${credential.key}"},
        request_body='{ "input": ${parameters.input}, "model": "${parameters.model}" }',
        pre_process_function="connector.pre_process.openai.embedding",
        post_process_function="connector.post_process.openai.embedding",
    )


async def test_a_remote_model_embeds_as_a_local_one_does(ml: Session, unique: str, model_url: str) -> None:
    created = await ml.connectors.create(
        unique,
        version=1,
        protocol="http",
        parameters={"model": "m"},
        credential={"key": Secret("not a real key")},
        actions=[_action(model_url)],
    )
    connector = await ml.connectors.get(created.connector_id)
    assert (connector.name, connector.version, connector.credential) == (unique, "1", None)
    started = await ml.models.register(unique, function_name="remote", connector_id=created.connector_id)
    model_id = started.model_id or ""
    async with afterwards(
        lambda: ml.models.remove(model_id, empty_group=True), lambda: ml.connectors.delete(created.connector_id)
    ):
        await ml.task(await ml.models.deploy(model_id))
        array = await ml.embed_many(model_id, ["a", "b", "a"])
        assert array.shape[0] == 3
        np.testing.assert_array_equal(array[0], array[2])
        assert not np.array_equal(array[0], array[1])
        with pytest.raises(BadRequest, match="Error from remote service"):
            await ml.embed_many(model_id, ["please fail"])
        with pytest.raises(ServerError, match="Error from remote service"):
            await ml.options(retries=0).embed_many(model_id, ["please break"])
        with pytest.raises(Conflict, match="still using this connector"):
            await ml.connectors.delete(created.connector_id)


@pytest_asyncio.fixture
async def offline(ml: Session, unique: str, model_url: str) -> AsyncGenerator[str]:
    """Yield the id of a model whose provider supports batch predictions."""
    spec = RemoteModel(
        name=unique,
        connector=CreateConnector(
            unique,
            version=1,
            protocol="http",
            parameters={"model": "m"},
            credential={"key": Secret("not a real key")},
            actions=[_action(model_url), *batch_actions(model_url)],
        ),
    )
    model = await ml.models.ensure(spec)
    async with afterwards(lambda: ml.models.remove(model.model_id, empty_group=True)):
        yield model.model_id


@asynccontextmanager
async def _skipped_where_the_server_cannot(ml: Session) -> AsyncGenerator[None]:
    """Skip where the server cannot poll a provider for its job, which no tested version can."""
    try:
        yield
    except BadRequest as error:
        if "this is a defect of the server" not in str(error):
            raise
        pytest.skip(f"ML Commons {(await ml.info()).version.number}: {error}")


async def test_a_provider_takes_an_offline_prediction(ml: Session, offline: str) -> None:
    started = await ml.models.batch_predict(offline, parameters={"input_file_id": "please wait"})
    assert started.status == "CREATED"
    assert started.remote_job is not None
    # Found by a search, which does not poll the provider.
    found = await ml.tasks.search({"query": {"ids": {"values": [started.task_id]}}})
    assert [(hit.source.task_type, hit.source.model_id) for hit in found] == [("BATCH_PREDICTION", offline)]


async def test_an_offline_prediction_is_followed_to_its_end(ml: Session, offline: str) -> None:
    started = await ml.models.batch_predict(offline, parameters={"input_file_id": "file-1"})
    assert started.remote_job is not None
    async with _skipped_where_the_server_cannot(ml):
        ended = await ml.task(started, backoff=Backoff(first=0.05))
    assert (ended.task_type, ended.state) == ("BATCH_PREDICTION", "COMPLETED")
    assert ended.remote_job is not None
    assert (ended.remote_job["id"], ended.remote_job["status"]) == (started.remote_job["id"], "completed")


async def test_an_offline_prediction_is_cancelled(ml: Session, offline: str) -> None:
    job = ml.task(await ml.models.batch_predict(offline, parameters={"input_file_id": "please wait"}))
    async with _skipped_where_the_server_cannot(ml):
        info = await job.cancel()
    assert info.remote_job is not None
    assert (info.task_type, info.remote_job["input_file_id"]) == ("BATCH_PREDICTION", "please wait")
    with pytest.raises(TaskFailed, match="ended CANCELLED"):
        await job


async def test_a_task_that_is_no_providers_cannot_be_cancelled(ml: Session, offline: str) -> None:
    deployment = ml.task(await ml.models.deploy(offline))
    with pytest.raises(BadRequest, match="does not have any associated batch job"):
        await deployment.cancel()


async def test_a_missing_connector_is_not_found(ml: Session) -> None:
    with pytest.raises(NotFound, match="no-such-connector"):
        await ml.connectors.get("no-such-connector")
