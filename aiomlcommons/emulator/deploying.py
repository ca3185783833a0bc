"""Models onto the node, and off it."""

from __future__ import annotations

import hashlib
from typing import Any

import anyio.to_thread

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Model, ModelState, NodeUndeployed
from aiomlcommons.api.models import DeployModel, UndeployModel, UndeployModels
from aiomlcommons.api.tasks import TaskStarted, TaskState, TaskType
from aiomlcommons.emulator import errors, jobs
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.counting import Counts
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.jobs import JobFailed
from aiomlcommons.emulator.models import ON_NODE, find
from aiomlcommons.emulator.registry import handles
from aiomlcommons.endpoint import Request

# ---- onto the node -------------------------------------------------------------------------------------------------


@handles(DeployModel)
async def deploy(cluster: Cluster, request: DeployModel) -> TaskStarted:
    """A remote model is on the node at once; a local one when its task has been followed to the end."""
    find(cluster, request.model_id)
    if request.node_ids and not cluster.settings.flag("allow_custom_deployment_plan"):
        raise illegal("Don't allow custom deployment plan")
    return start_deploying(cluster, request, request.model_id)


def start_deploying(cluster: Cluster, asked: Request[Any], model_id: str) -> TaskStarted:
    """Begin to put a model on the node."""
    model = find(cluster, model_id)
    function = model.algorithm or FunctionName.TEXT_EMBEDDING
    kind = TaskType.DEPLOY_MODEL
    if function == FunctionName.REMOTE:
        put_on_node(cluster, model_id)
        task_id = jobs.new_task(cluster, kind, function, model_id=model_id, state=TaskState.COMPLETED)
        return TaskStarted(task_id=task_id, status="COMPLETED", task_type=kind)
    if cluster.settings.flag("only_run_on_ml_node"):
        raise illegal(errors.NO_NODE)
    duplicate = is_deploying(cluster, model_id)
    cluster.counts.watch(model_id)

    async def work() -> None:
        if duplicate:
            raise JobFailed(jobs.node_error(cluster, errors.DUPLICATE_DEPLOY))
        await _load(cluster, model_id)

    task_id = jobs.start(cluster, asked, kind, function, work, model_id=model_id)
    if not duplicate:
        cluster.deploying[model_id] = task_id
        planned: dict[str, Any] = {"planning_worker_node_count": 1, "planning_worker_nodes": [cluster.node_id]}
        state = model.model_state if model.model_state in ON_NODE else ModelState.DEPLOYING
        cluster.models.change(model_id, model_state=state, deploy_to_all_nodes=True, **planned)
    return TaskStarted(task_id=task_id, status="CREATED", task_type=kind)


def is_deploying(cluster: Cluster, model_id: str) -> bool:
    """Whether a job is under way that puts this model on the node; one that only fails as a duplicate does not."""
    return cluster.deploying.get(model_id) in cluster.jobs


async def _load(cluster: Cluster, model_id: str) -> None:
    model = cluster.models.get(model_id)
    if model is None:
        raise JobFailed(jobs.node_error(cluster, errors.NO_MODEL))
    problem = await _problem(cluster, model_id, model)
    if problem:
        now, failed = cluster.now(), ModelState.DEPLOY_FAILED
        changes = {"last_updated_time": now, "last_deployed_time": now, "current_worker_node_count": 0}
        cluster.models.change(model_id, model_state=failed, **changes)
        raise JobFailed(jobs.node_error(cluster, problem))
    put_on_node(cluster, model_id)


async def _problem(cluster: Cluster, model_id: str, model: Model) -> str | None:
    """Why a local model cannot be deployed."""
    local = [
        document.id
        for document in cluster.models.documents.values()
        if document.source.model_state in ON_NODE and document.source.algorithm != FunctionName.REMOTE
    ]
    if model_id not in local and len(local) >= cluster.settings.number("max_model_on_node"):
        return errors.TOO_MANY_MODELS
    if model.model_content_hash_value is None:
        return None  # a pretrained model has no file here: its name says all that the emulator needs
    chunks = cluster.chunks.get(model_id, {})
    if len(chunks) < (model.total_chunks or 0):
        return errors.FAILED_DEPLOY
    same = await anyio.to_thread.run_sync(sha256, chunks) == model.model_content_hash_value
    return None if same else errors.CONTENT_CHANGED


def sha256(chunks: dict[int, bytes]) -> str:
    """The hash of a file by its chunks, in hex."""
    digest = hashlib.sha256()
    for number in sorted(chunks):
        digest.update(chunks[number])
    return digest.hexdigest()


def put_on_node(cluster: Cluster, model_id: str) -> None:
    """Make a model ready to predict."""
    model, now = find(cluster, model_id), cluster.now()
    # The node of a local model was planned when its task began.
    is_planned = model.algorithm != FunctionName.REMOTE
    planned = {} if is_planned else {"planning_worker_node_count": 1, "planning_worker_nodes": [cluster.node_id]}
    changes: dict[str, Any] = {
        "model_state": ModelState.DEPLOYED,
        "last_updated_time": now,
        "last_deployed_time": now,
        "auto_redeploy_retry_times": 0,
        "current_worker_node_count": 1,
        "deploy_to_all_nodes": True,
        **planned,
    }
    cluster.models.change(model_id, **changes)


def restart(cluster: Cluster) -> None:
    """What a restart does: jobs are forgotten, while their tasks' records stay, and local models are off the node."""
    cluster.jobs.clear()
    cluster.counts = Counts()
    for document in list(cluster.models.documents.values()):
        if document.source.model_state in ON_NODE and document.source.algorithm != FunctionName.REMOTE:
            cluster.models.change(document.id, model_state=ModelState.DEPLOY_FAILED, current_worker_node_count=0)


# ---- off the node --------------------------------------------------------------------------------------------------


@handles(UndeployModel)
async def undeploy(cluster: Cluster, request: UndeployModel) -> dict[str, NodeUndeployed]:
    """What is not on the node is ``not_found``, also what is on its way."""
    if request.node_ids and not cluster.settings.flag("allow_custom_deployment_plan"):
        raise illegal("Don't allow custom deployment plan")
    find(cluster, request.model_id)
    return {cluster.node_id: NodeUndeployed(stats={request.model_id: _take_off(cluster, request.model_id)})}


@handles(UndeployModels)
async def undeploy_many(cluster: Cluster, request: UndeployModels) -> dict[str, NodeUndeployed]:
    """Several models, or all."""
    if request.node_ids and not cluster.settings.flag("allow_custom_deployment_plan"):
        raise illegal("Don't allow custom deployment plan")
    deployed = [key for key, document in cluster.models.documents.items() if document.source.model_state in ON_NODE]
    wanted = request.model_ids or deployed
    return {cluster.node_id: NodeUndeployed(stats={key: _take_off(cluster, key) for key in wanted})}


def _take_off(cluster: Cluster, model_id: str) -> str:
    model = cluster.models.get(model_id)
    if model is None:
        return "not_found"
    gone: dict[str, Any] = {"planning_worker_node_count": 0, "planning_worker_nodes": None}
    if model.model_state not in ON_NODE:
        if model.model_state == ModelState.DEPLOYING:
            cluster.models.change(model_id, **gone)
        return "not_found"
    cluster.counts.watched.pop(model_id, None)
    now, state = cluster.now(), ModelState.UNDEPLOYED
    gone |= {"current_worker_node_count": 0, "last_undeployed_time": now, "last_updated_time": now}
    cluster.models.change(model_id, model_state=state, **gone)
    return "undeployed"
