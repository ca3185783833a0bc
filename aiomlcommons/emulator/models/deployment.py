"""Handlers that deploy models to the node and undeploy them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio.to_thread

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Model, ModelState, NodeUndeployed
from aiomlcommons.api.models import DeployModel, UndeployModel, UndeployModels
from aiomlcommons.api.tasks import TaskStarted, TaskState, TaskType
from aiomlcommons.emulator import errors, jobs, legacy
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Conflict, illegal
from aiomlcommons.emulator.jobs import JobFailed
from aiomlcommons.emulator.models.model_store import find
from aiomlcommons.emulator.registry import handles
from aiomlcommons.endpoint import Request

KIND = TaskType.DEPLOY_MODEL

# ---- deploy --------------------------------------------------------------------------------------------------------


@handles(DeployModel)
async def deploy(cluster: Cluster, request: DeployModel) -> TaskStarted:
    """Deploy a model: a remote one at once, a local one as a task that completes when it is polled."""
    find(cluster, request.model_id)
    if request.node_ids and not cluster.settings.flag("allow_custom_deployment_plan"):
        raise illegal("Don't allow custom deployment plan")
    return await start_deploying(cluster, request, request.model_id)


async def start_deploying(cluster: Cluster, request: Request[Any], model_id: str) -> TaskStarted:
    """Start a deployment; raise Conflict where another request writes the record of a remote model too."""
    function = find(cluster, model_id).algorithm or FunctionName.TEXT_EMBEDDING
    if function == FunctionName.REMOTE:
        return await _deploy_remote(cluster, request, model_id)
    if cluster.settings.flag("only_run_on_ml_node") and "ml" not in cluster.machine.roles:
        raise illegal(errors.NO_NODE)
    cluster.counts.watch(model_id)
    if problem := await _begin(cluster, request, model_id):
        _lost(cluster, model_id)
        task_id = jobs.start(cluster, request, KIND, function, jobs.failing(problem), model_id=model_id)
    else:
        if model_id in cluster.on_node:
            put_on_node(cluster, model_id)  # already loaded, so the record does not wait for the task
        work, undo = partial(_load, cluster, model_id), partial(_failed, cluster, model_id)
        task_id = jobs.start(cluster, request, KIND, function, work, undo=undo, model_id=model_id)
        cluster.deploying[model_id] = task_id
    return TaskStarted(task_id=task_id, status="CREATED", task_type=KIND)


async def _deploy_remote(cluster: Cluster, request: Request[Any], model_id: str) -> TaskStarted:
    task: dict[str, Any] = {"function": FunctionName.REMOTE, "model_id": model_id}
    try:
        await _set_deploying(cluster, request, model_id)
    except Conflict as conflict:
        jobs.new_task(cluster, KIND, state=TaskState.FAILED, error=conflict.reason, **task)
        _lost(cluster, model_id)
        raise errors.update_conflict(conflict, model_id) from conflict
    put_on_node(cluster, model_id)
    task_id = jobs.new_task(cluster, KIND, state=TaskState.COMPLETED, **task)
    return TaskStarted(task_id=task_id, status="COMPLETED", task_type=KIND)


async def _begin(cluster: Cluster, request: Request[Any], model_id: str) -> str | None:
    """Mark a local model as DEPLOYING in its record; return why it cannot be deployed, as its task reports it."""
    try:
        await _set_deploying(cluster, request, model_id)
    except Conflict as conflict:
        return legacy.task_conflict(conflict) if cluster.is_old else conflict.reason
    problem = _no_room(cluster, model_id)
    cluster.loads += 1
    if problem is None:
        return None
    return legacy.node_error(cluster, problem) if cluster.is_old else jobs.node_error(cluster, problem)


def _no_room(cluster: Cluster, model_id: str) -> str | None:
    """Return why the node does not even start to load a model, or None."""
    # A node of 2.4 counts every load request, and never discounts a finished one.
    if cluster.is_old and cluster.loads >= cluster.settings.number("max_load_model_tasks_per_node"):
        return errors.TOO_MANY_TASKS
    if model_id in cluster.on_node:
        return None
    if is_deploying(cluster, model_id):
        return errors.DUPLICATE_DEPLOY
    if broken := cluster.machine.open_breaker(cluster.settings):
        return broken
    under_way = sum(is_deploying(cluster, other) for other in cluster.deploying)
    too_many = under_way >= cluster.settings.number("max_deploy_model_tasks_per_node")
    return errors.TOO_MANY_TASKS if too_many else None


async def _set_deploying(cluster: Cluster, request: Request[Any], model_id: str) -> None:
    planned = {**_planned(cluster), "last_updated_time": cluster.now()}
    changes: dict[str, Any] = {"model_state": ModelState.DEPLOYING, **planned}
    await cluster.rewrite(request, cluster.models, model_id, lambda _: changes)


def _planned(cluster: Cluster) -> dict[str, Any]:
    """Return the fields of a record that name the nodes to deploy to."""
    nodes = {"planning_worker_node_count": 1, "planning_worker_nodes": [cluster.node_id]}
    return {**nodes, "deploy_to_all_nodes": True}


def is_deploying(cluster: Cluster, model_id: str) -> bool:
    """Return whether a job deploys this model; one that only fails as a duplicate does not count."""
    return cluster.deploying.get(model_id) in cluster.jobs


async def _load(cluster: Cluster, model_id: str) -> None:
    model = cluster.models.get(model_id)
    if model_id in cluster.on_node:
        return
    if model is None:
        raise JobFailed(jobs.node_error(cluster, errors.NO_MODEL))
    if problem := await _problem(cluster, model_id, model):
        raise JobFailed(jobs.node_error(cluster, problem))
    put_on_node(cluster, model_id)


def _lost(cluster: Cluster, model_id: str) -> None:
    """Set the record to DEPLOY_FAILED after a deployment that lost against a concurrent one.

    It stays so where the other deployment is complete, although the node has the model; otherwise that one sets it
    again.
    """
    change = cluster.models.change if model_id in cluster.on_node else cluster.models.overtake
    change(model_id, model_state=ModelState.DEPLOY_FAILED)


def _failed(cluster: Cluster, model_id: str) -> None:
    if model_id in cluster.models.documents:
        now, failed = cluster.now(), ModelState.DEPLOY_FAILED
        times = {"last_updated_time": now, "last_deployed_time": now}
        cluster.models.change_later(model_id, model_state=failed, current_worker_node_count=0, **times)


async def _problem(cluster: Cluster, model_id: str, model: Model) -> str | None:
    """Return why a local model cannot be loaded, or None."""
    there = {key: cluster.models.get(key) or Model() for key in cluster.on_node}
    local = [key for key, each in there.items() if each.algorithm != FunctionName.REMOTE]
    if len(local) >= cluster.settings.number("max_model_on_node"):
        return errors.TOO_MANY_MODELS
    if (model.name or "").endswith(".zip"):
        # The server unpacks the file into a directory of the model's name, and then fails to write a file of that name.
        return f"{cluster.node_id}/{model_id}/{model.name} (Is a directory)"
    if model.model_content_hash_value is None:
        return None  # a pretrained model has no file here: the emulator needs only its name
    chunks = cluster.chunks.get(model_id, {})
    if len(chunks) < (model.total_chunks or 0):
        return errors.FAILED_DEPLOY
    same = await anyio.to_thread.run_sync(sha256, chunks) == model.model_content_hash_value
    return None if same else errors.CONTENT_CHANGED


def sha256(chunks: dict[int, bytes]) -> str:
    """Return the SHA-256 of a file by its chunks, in hex."""
    digest = hashlib.sha256()
    for number in sorted(chunks):
        digest.update(chunks[number])
    return digest.hexdigest()


def deploy_by_prediction(cluster: Cluster, model_id: str) -> None:
    """Deploy a remote model at its first prediction (auto-deploy)."""
    cluster.models.change(model_id, model_state=ModelState.DEPLOYING, **_planned(cluster))
    put_on_node(cluster, model_id)


def put_on_node(cluster: Cluster, model_id: str) -> None:
    """Make a model ready to predict; its record is updated a moment later."""
    now = cluster.now()
    cluster.on_node.add(model_id)
    changes: dict[str, Any] = {
        "model_state": ModelState.DEPLOYED,
        "last_updated_time": now,
        "last_deployed_time": now,
        "auto_redeploy_retry_times": 0,
        "current_worker_node_count": 1,
    }
    cluster.models.change_later(model_id, **changes)


# ---- undeploy ------------------------------------------------------------------------------------------------------


@handles(UndeployModel)
async def undeploy(cluster: Cluster, request: UndeployModel) -> dict[str, NodeUndeployed]:
    """Undeploy a model; one that is not loaded, or still loading, is ``not_found``."""
    if request.node_ids and not cluster.settings.flag("allow_custom_deployment_plan"):
        raise illegal("Don't allow custom deployment plan")
    if not cluster.is_old:
        find(cluster, request.model_id)
    return _undeploy_all(cluster, [request.model_id])


@handles(UndeployModels)
async def undeploy_many(cluster: Cluster, request: UndeployModels) -> dict[str, NodeUndeployed]:
    """Undeploy several models, or all."""
    if request.node_ids and not cluster.settings.flag("allow_custom_deployment_plan"):
        raise illegal("Don't allow custom deployment plan")
    return _undeploy_all(cluster, request.model_ids or sorted(cluster.on_node))


def _undeploy_all(cluster: Cluster, model_ids: Sequence[str]) -> dict[str, NodeUndeployed]:
    # A node of 2.4 that has loaded none of them is left out of the response.
    is_silent = cluster.is_old and not cluster.on_node & set(model_ids)
    stats = {key: _undeploy(cluster, key) for key in model_ids}
    return {} if is_silent else {cluster.node_id: NodeUndeployed(stats=stats)}


def _undeploy(cluster: Cluster, model_id: str) -> str:
    was_there = model_id in cluster.on_node
    cluster.on_node.discard(model_id)
    cluster.counts.watched.pop(model_id, None)
    # The record is updated even if the model is not loaded, or still loading.
    if model_id in cluster.models.documents:
        none = {"planning_worker_node_count": 0, "planning_worker_nodes": None, "current_worker_node_count": 0}
        state = ModelState.UNDEPLOYED
        cluster.models.change(model_id, model_state=state, last_updated_time=cluster.now(), **none)
    return "undeployed" if was_there else "not_found"
