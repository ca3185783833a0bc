"""A registered model onto the nodes, whatever state it is found in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.tasks import TaskState, TaskType
from aiomlcommons.errors import ApiError, NotFound
from aiomlcommons.lifecycle._nodes import nodes_with
from aiomlcommons.lifecycle.errors import NotDeployed
from aiomlcommons.lifecycle.progress import Phase, Progress, Report
from aiomlcommons.lifecycle.remedies import may_pass
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.trouble.table import Kind
from aiomlcommons.waiting.errors import TaskFailed, TaskStalled
from aiomlcommons.waiting.task import RESTART
from aiomlcommons.wire.version import Version

if TYPE_CHECKING:
    from aiomlcommons.client import Client

ON_ITS_WAY = {ModelState.DEPLOYING, ModelState.LOADING}
PARTIAL = {ModelState.PARTIALLY_DEPLOYED, ModelState.PARTIALLY_LOADED}
_TRIES = 20
COUNTS_BACK = Version(2, 5)
"""The first server whose nodes count a deployment that has ended no longer."""
NEVER_AGAIN = "a node of this version loads ten models in its life, whatever was unloaded meanwhile: restart the node"
# The task ends a moment before the model's own record says so.
_LOOKS = 10


async def is_on_nodes(ml: Client, model_id: str, model: Model, *, least: int | None = None) -> bool:
    """Whether so many nodes, or all that its record names, have the model: a restart empties them, and records stay."""
    nodes = await nodes_with(ml, model_id) if model.is_deployed or least else set()
    return nodes is None or len(nodes) >= (least or model.current_worker_node_count or 1)


@attrs.frozen(kw_only=True)
class Deployment:
    """Deploys one model, or waits until it is. ``stall_timeout`` is in seconds."""

    ml: Client
    model_id: str
    report: Report
    node_ids: Sequence[str] | None
    allow_partial: bool
    backoff: Backoff
    stall_timeout: float

    async def __call__(self) -> Model:
        """The model, once every node has it that should. Raises NotDeployed, TaskFailed, ApiError."""
        pauses = self.backoff.tries(_TRIES)
        model = await self._get()
        if self._is_there(model) and await self._is_on_nodes(model):
            return model
        while True:
            done = model.model_state in ON_ITS_WAY and await self._others_deploy(model)
            if not done:
                self.tell(Phase.DEPLOYING, model)
                done = await self._deploy(model)
            model = await self._seen()
            # Where nothing was deployed the record may still be that of before a restart.
            if self._is_there(model) and (done or await self._is_on_nodes(model)):
                return model
            if (pause := next(pauses)) is None:
                raise NotDeployed(self.model_id, model)
            await anyio.sleep(pause)

    async def _deploy(self, model: Model) -> bool:
        """Deploy it, and wait for the end; False where only a look at the model tells what came of it."""
        began, pauses = anyio.current_time(), iter(self.backoff)
        while True:
            try:
                await self._await(await self.ml.models.deploy(self.model_id, node_ids=self.node_ids))
            except (NotFound, TaskStalled) as error:
                await self._get()  # where it is the model that is not found, that is the error
                self.tell(Phase.HEALING, model, f"the deployment was forgotten, deploying again ({error})")
            except (TaskFailed, ApiError) as error:
                if await self._is_patient(error, began):
                    self.tell(Phase.WAITING, model, str(error))
                    await anyio.sleep(next(pauses))
                    continue
                # Somebody else deploys it too: where both write the model's record one of them fails, or both do.
                if error.trouble.kind is not Kind.RACE:
                    raise
                self.tell(Phase.HEALING, model, str(error))
            else:
                return True
            return False

    async def _is_patient(self, error: TaskFailed | ApiError, began: float) -> bool:
        """Whether to wait until the nodes deploy fewer models at once, or are all there again."""
        throttled = error.trouble.kind is Kind.THROTTLED
        if throttled and (version := await self.ml.version()) and version < COUNTS_BACK:
            error.add_note(NEVER_AGAIN)
            return False
        # What else may pass a call has waited for already, and a task has not.
        passes = throttled or (isinstance(error, TaskFailed) and may_pass(error))
        longest = self.stall_timeout if throttled else min(self.stall_timeout, RESTART)
        return passes and anyio.current_time() - began < longest

    def tell(self, phase: Phase, model: Model, words: str = "") -> None:
        self.report(
            Progress(
                phase=phase,
                name=model.name or "",
                model_id=self.model_id,
                words=words,
                nodes_done=model.current_worker_node_count,
                nodes_total=model.planning_worker_node_count,
            )
        )

    async def _get(self) -> Model:
        return await self.ml.models.get(self.model_id)

    def _is_there(self, model: Model) -> bool:
        if model.is_deployed:
            # Deployed on other nodes than those that are asked for is not what is asked for.
            return self.node_ids is None or set(self.node_ids) <= set(model.planning_worker_nodes or ())
        return self.allow_partial and model.model_state in PARTIAL

    async def _is_on_nodes(self, model: Model) -> bool:
        if await is_on_nodes(self.ml, self.model_id, model, least=1 if self.allow_partial else None):
            return True
        words = f"its record says {model.model_state}, and not all nodes have it: deploying again"
        self.report(Progress(phase=Phase.HEALING, name=model.name or "", model_id=self.model_id, words=words))
        return False

    async def _seen(self) -> Model:
        """The model after a deployment has ended."""
        model = await self._get()
        for _, delay in zip(range(_LOOKS), self.backoff, strict=False):
            if model.model_state not in ON_ITS_WAY:
                break
            await anyio.sleep(delay)
            model = await self._get()
        return model

    async def _await(self, task: Any) -> None:
        await self.ml.task(task, backoff=self.backoff, stall_timeout=self.stall_timeout)

    async def _others_deploy(self, model: Model) -> bool:
        """Wait for the deployment that somebody else began; one that nobody goes on with is taken back."""
        for task_id in await self._running():
            self.tell(Phase.WAITING, model, f"for the deployment under way in task {task_id}")
            with suppress(TaskFailed, TaskStalled, NotFound):
                await self._await(task_id)
                return True
        if (await self._seen()).model_state not in ON_ITS_WAY:
            return True
        self.tell(Phase.HEALING, model, "nobody goes on deploying it, so that is taken back")
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
        return [hit.id for hit in found.hits.hits]
