"""Redeployment: a model that is undeployed during a job is deployed again, once for all requests that fail for it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiomlcommons.api.models import DeployModel
from aiomlcommons.api.tasks import TaskInfo, TaskState
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.errors import ConnectError, MLCommonsError, ModelNotReady
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding.redeployment import Redeployment
from aiomlcommons.ingest.errors import JobStalled
from aiomlcommons.lifecycle.errors import BlockedBySetting
from aiomlcommons.waiting.errors import TaskFailed
from tests.support.jobs import JobsOnAnEmulator as Served
from tests.support.jobs import documents
from tests.support.scripted_model import REQUEST, EmbedderOnAClock, api, batch_of, embedded, vectors
from tests.support.virtual_time import Clock

pytestmark = pytest.mark.asyncio
MISSED = api(400, "Model not ready yet. Please deploy the model first.")


def failed(error: str) -> TaskFailed:
    return TaskFailed("t", TaskInfo(state=TaskState.FAILED, error=error))


@attrs.define
class Node:
    """A node with or without the model. A deployment takes ``takes`` seconds and raises the next of ``ends``."""

    takes: float = 10.0
    ends: list[MLCommonsError] = attrs.field(factory=list)
    has_it: bool = False
    clock: Clock = attrs.field(factory=Clock)
    deployments: list[float] = attrs.field(factory=list)

    async def embed(self, texts: list[str]) -> Vectors:
        await self.clock.passing(1)
        if not self.has_it:
            raise MISSED
        return vectors(texts)

    async def deploy(self) -> None:
        self.deployments.append(self.clock.now)
        await self.clock.passing(self.takes)
        if self.ends:
            raise self.ends.pop(0)
        self.has_it = True

    def world(self, **more: Any) -> EmbedderOnAClock:
        world = EmbedderOnAClock(self.embed, clock=self.clock, **{"stall_timeout": 600.0, **more})
        world.embedder.requests.redeploy = Redeployment("m1", self.deploy, self.clock)
        return world


async def test_batches_that_miss_it_at_once_share_one_deployment(caplog: pytest.LogCaptureFixture) -> None:
    node = Node()
    with caplog.at_level(logging.WARNING, "aiomlcommons"):
        for result in await node.world().all(*(batch_of(f"text {number}") for number in range(20))):
            assert (len(embedded(result)), result.dead_letters) == (1, [])
    assert node.deployments == [1.0]
    words = [record.getMessage() for record in caplog.records]
    assert words == [
        "model m1 is gone from the nodes (400 Model not ready yet. Please deploy the model first): deploying it again",
        "model m1 is deployed again",
    ]


async def test_a_model_that_goes_again_is_deployed_again() -> None:
    node = Node()
    world = node.world()
    for text in "abc":
        node.has_it = False
        assert embedded(await world.one(text)) == [text]
    assert len(node.deployments) == 3


PASSING: list[MLCommonsError] = [
    ConnectError("dropped", REQUEST),
    api(503, "starting"),
    api(404, "Failed to get data object", kind="no_shard_available_action_exception"),
    api(500, "who knows"),
    failed("Memory Circuit Breaker is open, please check your resources!"),
    failed("VersionConflictEngineException[version conflict, required seqNo [3]]"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: f"{type(error).__name__} {error}"[:40])
async def test_a_deployment_that_fails_for_a_reason_that_passes_is_tried_again(error: MLCommonsError) -> None:
    node = Node(ends=[error, error])
    assert embedded(await node.world().one("a", "b")) == ["a", "b"]
    assert len(node.deployments) == 3


FOR_GOOD: list[MLCommonsError] = [
    api(403, "no permissions for [cluster:admin/opensearch/ml/deploy_model]"),
    api(400, "the plan is refused"),
    api(404, "Failed to find model"),
    failed("the file of the model is damaged"),
]


@pytest.mark.parametrize("error", FOR_GOOD, ids=lambda error: f"{type(error).__name__} {error}"[:40])
@pytest.mark.parametrize("texts", [("a",), ("a", "b", "c")])
async def test_what_keeps_it_from_being_deployed_for_good_ends_the_job(
    error: MLCommonsError, texts: tuple[str, ...]
) -> None:
    node = Node(ends=[error])
    with pytest.raises(MLCommonsError) as caught:
        await node.world().one(*texts)
    assert caught.value is error
    assert len(node.deployments) == 1


async def test_batches_that_wait_for_a_deployment_that_fails_for_good_start_no_other_one() -> None:
    node = Node(ends=[failed("illegal model")])
    redeploy = Redeployment("m1", node.deploy, node.clock)
    missed = ModelNotReady(MISSED.response)

    async def miss() -> MLCommonsError:
        with pytest.raises(TaskFailed) as caught:
            await redeploy(missed)
        return caught.value

    errors = await node.clock.run(*(miss() for _ in range(5)))
    assert (len(node.deployments), set(map(id, errors))) == (1, {id(redeploy.failed)})


async def test_a_model_that_stays_away_is_not_deployed_in_a_storm() -> None:
    node = Node()

    async def vanishes() -> None:
        node.deployments.append(node.clock.now)

    world = node.world(stall_timeout=300.0)
    world.embedder.requests.redeploy = Redeployment("m1", vanishes, node.clock)
    with pytest.raises(JobStalled, match="Model not ready yet"):
        await world.all(*(batch_of(f"text {number}") for number in range(10)))
    # Pauses of up to 2, 4, 8, 16, 32, 60 and 60 seconds.
    assert 5 <= len(node.deployments) <= 20


# ---- on an emulator --------------------------------------------------------------------------------------------------


async def test_a_restart_in_the_middle_of_a_job_costs_no_document(world: Served, tmp_path: Path) -> None:
    async def restarted(request: Any, go: Any) -> Any:
        world.emulator.restart()
        return await go()

    world.emulator.faults.add(restarted, on=PREDICTIONS, times=2, every=3)
    out = tmp_path / "out.jsonl"
    async with world.ml.ingest(documents(200), model=world.model_id, sink=out, batch=10) as job:
        report = await job
    assert (report.read, report.written, report.failed) == (200, 200, 0)


async def test_a_job_that_may_not_deploy_it_waits_for_it(world: Served, tmp_path: Path) -> None:
    async def undeployed(request: Any, go: Any) -> Any:
        await world.ml.models.undeploy(world.model_id)
        return await go()

    world.emulator.faults.add(undeployed, on=PREDICTIONS)
    how: dict[str, Any] = {"model": world.model_id, "sink": tmp_path / "out.jsonl", "batch": 10}
    with pytest.raises(JobStalled, match="Model not ready yet"):
        async with world.ml.ingest(documents(50), redeploy=False, stall_timeout=0.5, **how) as job:
            await job


async def test_a_setting_in_the_way_of_a_deployment_ends_the_job_with_its_name(world: Served, tmp_path: Path) -> None:
    async def undeployed(request: Any, go: Any) -> Any:
        await world.ml.models.undeploy(world.model_id)
        await world.ml.settings.put(persistent={"plugins.ml_commons.only_run_on_ml_node": True})
        return await go()

    world.emulator.faults.add(undeployed, on=PREDICTIONS)
    with pytest.raises(BlockedBySetting, match="only_run_on_ml_node"):
        async with world.ml.ingest(documents(50), model=world.model_id, sink=tmp_path / "out.jsonl") as job:
            await job


async def test_a_deployment_under_way_is_no_reason_to_give_a_document_up(world: Served, tmp_path: Path) -> None:
    async def undeployed(request: Any, go: Any) -> Any:
        await world.ml.models.undeploy(world.model_id)
        return await go()

    world.emulator.faults.add(undeployed, on=PREDICTIONS)
    world.emulator.faults.fail(503, times=2, on=DeployModel)
    async with world.ml.ingest(documents(50), model=world.model_id, sink=tmp_path / "out.jsonl") as job:
        report = await job
    assert (report.written, report.failed) == (50, 0)
