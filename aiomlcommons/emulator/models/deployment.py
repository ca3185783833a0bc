"""Models onto the node, and off it."""

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
from aiomlcommons.emulator import errors, jobs, old_words
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Conflict, illegal
from aiomlcommons.emulator.jobs import JobFailed
from aiomlcommons.emulator.models.model_store import find
from aiomlcommons.emulator.registry import handles
from aiomlcommons.endpoint import Request

KIND = TaskType.DEPLOY_MODEL

# ---- onto the node -------------------------------------------------------------------------------------------------


@handles(DeployModel)
async def deploy(cluster: Cluster, request: DeployModel) -> TaskStarted:
    """A remote model is on the node at once; a local one when its task has been followed to the end."""
    find(cluster, request.model_id)
    if request.node_ids and not cluster.settings.flag("allow_custom_deployment_plan"):
        raise illegal("Don't allow custom deployment plan")
    return await start_deploying(cluster, request, request.model_id)


async def start_deploying(cluster: Cluster, asked: Request[Any], model_id: str) -> TaskStarted:
    """Begin to put a model on the node. Raises Conflict where others write the record of a remote model too."""
    function = find(cluster, model_id).algorithm or FunctionName.TEXT_EMBEDDING
    if function == FunctionName.REMOTE:
        return await _deploy_remote(cluster, asked, model_id)
    if cluster.settings.flag("only_run_on_ml_node"):
        raise illegal(errors.NO_NODE)
    cluster.counts.watch(model_id)
    if problem := await _begin(cluster, asked, model_id):
        _lost(cluster, model_id)
        task_id = jobs.start(cluster, asked, KIND, function, jobs.failing(problem), model_id=model_id)
    else:
        if model_id in cluster.on_node:
            put_on_node(cluster, model_id)  # there is nothing to be loaded, so its record says so without delay
        work, undo = partial(_load, cluster, model_id), partial(_failed, cluster, model_id)
        task_id = jobs.start(cluster, asked, KIND, function, work, undo=undo, model_id=model_id)
        cluster.deploying[model_id] = task_id
    return TaskStarted(task_id=task_id, status="CREATED", task_type=KIND)


async def _deploy_remote(cluster: Cluster, asked: Request[Any], model_id: str) -> TaskStarted:
    task: dict[str, Any] = {"function": FunctionName.REMOTE, "model_id": model_id}
    try:
        await _note(cluster, asked, model_id)
    except Conflict as conflict:
        jobs.new_task(cluster, KIND, state=TaskState.FAILED, error=conflict.reason, **task)
        _lost(cluster, model_id)
        raise errors.update_conflict(conflict, model_id) from conflict
    put_on_node(cluster, model_id)
    task_id = jobs.new_task(cluster, KIND, state=TaskState.COMPLETED, **task)
    return TaskStarted(task_id=task_id, status="COMPLETED", task_type=KIND)


async def _begin(cluster: Cluster, asked: Request[Any], model_id: str) -> str | None:
    """Note down that a local model is on its way; return why it is not, in the words of its task."""
    try:
        await _note(cluster, asked, model_id)
    except Conflict as conflict:
        return old_words.conflict(conflict) if cluster.is_old else conflict.reason
    problem = _no_room(cluster, model_id)
    cluster.loads += 1
    if problem is None:
        return None
    return old_words.of_node(cluster, problem) if cluster.is_old else jobs.node_error(cluster, problem)


def _no_room(cluster: Cluster, model_id: str) -> str | None:
    """Why the node does not even begin to load a model."""
    # A node of 2.4 counts what it was asked to load, and never what it has loaded.
    if cluster.is_old and cluster.loads >= cluster.settings.number("max_load_model_tasks_per_node"):
        return errors.TOO_MANY_TASKS
    if model_id in cluster.on_node:
        return None
    if is_deploying(cluster, model_id):
        return errors.DUPLICATE_DEPLOY
    under_way = sum(is_deploying(cluster, other) for other in cluster.deploying)
    too_many = under_way >= cluster.settings.number("max_deploy_model_tasks_per_node")
    return errors.TOO_MANY_TASKS if too_many else None


async def _note(cluster: Cluster, asked: Request[Any], model_id: str) -> None:
    planned = {**_planned(cluster), "last_updated_time": cluster.now()}
    changes: dict[str, Any] = {"model_state": ModelState.DEPLOYING, **planned}
    await cluster.rewrite(asked, cluster.models, model_id, lambda _: changes)


def _planned(cluster: Cluster) -> dict[str, Any]:
    """The nodes that are to have a model, in its record."""
    nodes = {"planning_worker_node_count": 1, "planning_worker_nodes": [cluster.node_id]}
    return {**nodes, "deploy_to_all_nodes": True}


def is_deploying(cluster: Cluster, model_id: str) -> bool:
    """Whether a job is under way that puts this model on the node; one that only fails as a duplicate does not."""
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
    """Let the record say that a deployment failed that lost against another.

    Where the other is done already that stays so, although the node has the model; else it will say otherwise.
    """
    change = cluster.models.change if model_id in cluster.on_node else cluster.models.overtake
    change(model_id, model_state=ModelState.DEPLOY_FAILED)


def _failed(cluster: Cluster, model_id: str) -> None:
    if model_id in cluster.models.documents:
        now, failed = cluster.now(), ModelState.DEPLOY_FAILED
        times = {"last_updated_time": now, "last_deployed_time": now}
        cluster.models.change_later(model_id, model_state=failed, current_worker_node_count=0, **times)


async def _problem(cluster: Cluster, model_id: str, model: Model) -> str | None:
    """Why a local model cannot be deployed."""
    there = {key: cluster.models.get(key) or Model() for key in cluster.on_node}
    local = [key for key, each in there.items() if each.algorithm != FunctionName.REMOTE]
    if len(local) >= cluster.settings.number("max_model_on_node"):
        return errors.TOO_MANY_MODELS
    if (model.name or "").endswith(".zip"):
        # The server unpacks the file into a directory of the model's name, and then writes the file there.
        return f"{cluster.node_id}/{model_id}/{model.name} (Is a directory)"
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


def deploy_by_prediction(cluster: Cluster, model_id: str) -> None:
    """Put a remote model on the node that is asked for before anybody deployed it."""
    cluster.models.change(model_id, model_state=ModelState.DEPLOYING, **_planned(cluster))
    put_on_node(cluster, model_id)


def put_on_node(cluster: Cluster, model_id: str) -> None:
    """Make a model ready to predict; its record says so a moment later."""
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


# ---- off the node --------------------------------------------------------------------------------------------------


@handles(UndeployModel)
async def undeploy(cluster: Cluster, request: UndeployModel) -> dict[str, NodeUndeployed]:
    """What is not on the node is ``not_found``, also what is on its way."""
    if request.node_ids and not cluster.settings.flag("allow_custom_deployment_plan"):
        raise illegal("Don't allow custom deployment plan")
    if not cluster.is_old:
        find(cluster, request.model_id)
    return _take_all_off(cluster, [request.model_id])


@handles(UndeployModels)
async def undeploy_many(cluster: Cluster, request: UndeployModels) -> dict[str, NodeUndeployed]:
    """Several models, or all."""
    if request.node_ids and not cluster.settings.flag("allow_custom_deployment_plan"):
        raise illegal("Don't allow custom deployment plan")
    return _take_all_off(cluster, request.model_ids or sorted(cluster.on_node))


def _take_all_off(cluster: Cluster, model_ids: Sequence[str]) -> dict[str, NodeUndeployed]:
    # A node of 2.4 that has none of them says nothing.
    is_silent = cluster.is_old and not cluster.on_node & set(model_ids)
    stats = {key: _take_off(cluster, key) for key in model_ids}
    return {} if is_silent else {cluster.node_id: NodeUndeployed(stats=stats)}


def _take_off(cluster: Cluster, model_id: str) -> str:
    was_there = model_id in cluster.on_node
    cluster.on_node.discard(model_id)
    cluster.counts.watched.pop(model_id, None)
    # The record is corrected also where the node has no such model, or has it not yet.
    if model_id in cluster.models.documents:
        none = {"planning_worker_node_count": 0, "planning_worker_nodes": None, "current_worker_node_count": 0}
        state = ModelState.UNDEPLOYED
        cluster.models.change(model_id, model_state=state, last_updated_time=cluster.now(), **none)
    return "undeployed" if was_there else "not_found"
