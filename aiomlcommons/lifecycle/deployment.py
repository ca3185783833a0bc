"""Deployment of a registered model from any state: partial, stale after a restart, or under way by another client."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from aiomlcommons.api.model_records import DEPLOYING, PARTIALLY_DEPLOYED, Model
from aiomlcommons.api.tasks import TaskState, TaskType
from aiomlcommons.errors import ApiError, NotFound
from aiomlcommons.lifecycle._nodes import nodes_with
from aiomlcommons.lifecycle.errors import NotDeployed
from aiomlcommons.lifecycle.remedies import is_retryable
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.progress.event import Phase, Progress, Tell
from aiomlcommons.trouble.kinds import Kind
from aiomlcommons.waiting.errors import TaskFailed, TaskStalled
from aiomlcommons.waiting.task import RESTART
from aiomlcommons.wire.version import Version

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_TRIES = 20
COUNTS_BACK = Version(2, 5)
"""The first version whose nodes stop counting a deployment once it has ended."""
NEVER_AGAIN = "a node of this version loads ten models in its life, whatever was unloaded meanwhile: restart the node"
LOOK = 50.0
"""Seconds without news of a deploy task after which the nodes themselves are asked for the model.

A task that no node works on is to be known as stalled before: by two looks at the nodes, ``LAG`` seconds apart, between
the longest pauses.
"""
# A deploy task completes a moment before the model's record is updated.
_POLLS = 10


async def is_on_nodes(ml: Client, model_id: str, model: Model, *, least: int | None = None) -> bool:
    """Return whether at least ``least`` nodes have loaded the model; None means as many as its record counts.

    A restart unloads models, but their records still say DEPLOYED. True if the user may not read the profile.
    """
    nodes = await nodes_with(ml, model_id) if model.is_deployed or least else set()
    return nodes is None or len(nodes) >= (least or model.current_worker_node_count or 1)


@attrs.frozen(kw_only=True)
class Deployment:
    """Deploys one model, or waits for a deployment under way. ``stall_timeout`` is in seconds."""

    ml: Client
    model_id: str
    teller: Tell
    node_ids: Sequence[str] | None
    allow_partial: bool
    backoff: Backoff
    stall_timeout: float

    async def __call__(self) -> Model:
        """Return the model once it is deployed on every node that should have it.

        Raises NotDeployed, TaskFailed, ApiError.
        """
        pauses = self.backoff.tries(_TRIES)
        model = await self._get()
        if self._is_satisfied(model) and await self._is_on_nodes(model):
            return model
        while True:
            done = model.model_state in DEPLOYING and await self._await_other_deployment(model)
            if not done:
                self.tell(Phase.DEPLOYING, model)
                done = await self._deploy(model)
            model = await self._wait_for_record()
            # If this call deployed nothing, the record may be stale, from before a restart.
            if self._is_satisfied(model) and (done or await self._is_on_nodes(model)):
                return model
            if (pause := next(pauses)) is None:
                raise NotDeployed(self.model_id, model)
            await anyio.sleep(pause)

    async def _deploy(self, model: Model) -> bool:
        """Deploy the model and wait for the task; return False if its outcome is known only from the model's record."""
        began, pauses = anyio.current_time(), iter(self.backoff)
        while True:
            try:
                await self._await(await self.ml.models.deploy(self.model_id, node_ids=self.node_ids))
            except (NotFound, TaskStalled) as error:
                await self._get()  # raises NotFound if it is the model that is missing, not the task
                self.tell(Phase.HEALING, model, f"the deployment was lost, deploying again ({error})")
            except (TaskFailed, ApiError) as error:
                if await self._should_wait(error, began):
                    self.tell(Phase.WAITING, model, str(error))
                    await anyio.sleep(next(pauses))
                    continue
                # Another client deploys it too: of the two writes of the record one or both fail (version conflict).
                if error.trouble.kind is not Kind.RACE:
                    raise
                self.tell(Phase.HEALING, model, str(error))
            else:
                return True
            return False

    async def _should_wait(self, error: TaskFailed | ApiError, began: float) -> bool:
        """Return whether to retry later: the nodes are throttled by other deployments, or are restarting."""
        throttled = error.trouble.kind is Kind.THROTTLED
        if throttled and (version := await self.ml.version()) and version < COUNTS_BACK:
            error.add_note(NEVER_AGAIN)
            return False
        # A failed request has been retried by the exchange already (see Session's wait), a failed task has not.
        passes = throttled or (isinstance(error, TaskFailed) and is_retryable(error))
        longest = self.stall_timeout if throttled else min(self.stall_timeout, RESTART)
        return passes and anyio.current_time() - began < longest

    def tell(self, phase: Phase, model: Model, words: str = "") -> None:
        self.teller(
            Progress(
                phase=phase,
                name=model.name or "",
                model_id=self.model_id,
                words=words,
                done=model.current_worker_node_count,
                total=model.planning_worker_node_count,
                unit="nodes",
            )
        )

    async def _get(self) -> Model:
        return await self.ml.models.get(self.model_id)

    def _is_satisfied(self, model: Model) -> bool:
        if model.is_deployed:
            # A model that is deployed on nodes other than the requested ones must be deployed again.
            return self.node_ids is None or set(self.node_ids) <= set(model.planning_worker_nodes or ())
        return self.allow_partial and model.model_state in PARTIALLY_DEPLOYED

    async def _is_on_nodes(self, model: Model) -> bool:
        if await is_on_nodes(self.ml, self.model_id, model, least=1 if self.allow_partial else None):
            return True
        words = f"its record says {model.model_state}, but not all nodes have loaded it: deploying again"
        self.teller(Progress(phase=Phase.HEALING, name=model.name or "", model_id=self.model_id, words=words))
        return False

    async def _wait_for_record(self) -> Model:
        """Return the model after its deploy task has ended, once the record has caught up."""
        model = await self._get()
        for _, delay in zip(range(_POLLS), self.backoff, strict=False):
            if model.model_state not in DEPLOYING:
                break
            await anyio.sleep(delay)
            model = await self._get()
        return model

    async def _await(self, task: Any) -> None:
        """Wait for the end of a deploy task, or until all nodes have the model.

        Where a node left the cluster and came back meanwhile, the task may stay RUNNING although all is done: the node
        that coordinates it waits for ever for the word of another one.
        """
        waited, last = 0.0, None
        while True:
            look = min(LOOK, self.stall_timeout - waited)
            try:
                await self.ml.task(task, backoff=self.backoff, stall_timeout=look)
            except TaskStalled as error:
                waited = error.seconds + (waited if error.info == last else 0.0)
                last = error.info
                if error.seconds < look or waited >= self.stall_timeout:  # no node works on it, or it took too long
                    raise
                model = await self._get()
                if self._is_satisfied(model) and await is_on_nodes(self.ml, self.model_id, model):
                    return
            else:
                return

    async def _await_other_deployment(self, model: Model) -> bool:
        """Wait for a deployment by another client; undeploy the model and return False if that is abandoned."""
        for task_id in await self._running():
            self.tell(Phase.WAITING, model, f"for the deployment under way in task {task_id}")
            with suppress(TaskFailed, TaskStalled, NotFound):
                await self._await(task_id)
                return True
        if (await self._wait_for_record()).model_state not in DEPLOYING:
            return True
        self.tell(Phase.HEALING, model, "its deployment was abandoned: undeploying first")
        await self.ml.models.undeploy(self.model_id)
        return False

    async def _running(self) -> list[str]:
        filters: list[dict[str, Any]] = [
            {"term": {"model_id": self.model_id}},
            {"terms": {"task_type": [TaskType.DEPLOY_MODEL, TaskType.LOAD_MODEL]}},
            {"terms": {"state": [TaskState.CREATED, TaskState.RUNNING]}},
        ]
        body = {"query": {"bool": {"filter": filters}}, "sort": [{"create_time": "desc"}], "size": 5}
        found = await self.ml.tasks.search(body)
        return [hit.id for hit in found]
