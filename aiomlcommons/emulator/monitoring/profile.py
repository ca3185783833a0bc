"""Profiles: the models and running tasks of the node, with percentiles of prediction times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.stats import (
    Durations,
    GetModelProfiles,
    GetProfile,
    GetTaskProfiles,
    ModelProfile,
    ModelView,
    NodeProfile,
    Profile,
    ProfileInput,
)
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.jobs import Job
from aiomlcommons.emulator.registry import handles


@handles(GetProfile)
async def get(cluster: Cluster, request: GetProfile) -> Profile:
    """Return the requested profiles, or all."""
    named = request.model_ids or request.task_ids or request.return_all_models or request.return_all_tasks
    return _profile(cluster, request, every_model=not named, every_task=not named)


@handles(GetModelProfiles)
async def models(cluster: Cluster, request: GetModelProfiles) -> Profile:
    """Return the profiles of models, with the tasks running on those that are named."""
    ids = [one for one in (request.model_id or "").split(",") if one]
    return _profile(cluster, request, models=ids, every_model=not ids and not request.model_ids)


@handles(GetTaskProfiles)
async def tasks(cluster: Cluster, request: GetTaskProfiles) -> Profile:
    """Return the profiles of running tasks, which advance one step; a finished task is not on a node."""
    ids = [one for one in (request.task_id or "").split(",") if one]
    seen = _profile(cluster, request, tasks=ids, every_task=not ids and not request.task_ids)
    for node in (seen.nodes or {}).values():
        for task_id in node.tasks or ():
            await cluster.jobs[task_id].advance(cluster)
    return seen


def _profile(
    cluster: Cluster,
    request: ProfileInput,
    *,
    models: Sequence[str] = (),
    tasks: Sequence[str] = (),
    every_model: bool = False,
    every_task: bool = False,
) -> Profile:
    if request.node_ids and cluster.node_id not in request.node_ids:
        return Profile()
    model_ids, task_ids = {*models, *(request.model_ids or ())}, {*tasks, *(request.task_ids or ())}
    every_model, every_task = (
        every_model or bool(request.return_all_models),
        every_task or bool(request.return_all_tasks),
    )
    known = {
        key: model
        for key in {**cluster.counts.watched, **dict.fromkeys(cluster.on_node)}
        if (model := cluster.models.get(key)) is not None
    }
    at_work = {key: _task(cluster, task, job) for key, job in cluster.jobs.items() if (task := cluster.tasks.get(key))}
    shown = {key: _model(cluster, key, model) for key, model in known.items() if every_model or key in model_ids}
    running = {k: task for k, task in at_work.items() if every_task or k in task_ids or task.model_id in model_ids}
    if request.view == "model":
        return _by_model(cluster, shown, running)
    if not shown and not running:
        return Profile()
    return Profile(nodes={cluster.node_id: NodeProfile(tasks=running or None, models=shown or None)})


def _task(cluster: Cluster, task: TaskInfo, job: Job) -> TaskInfo:
    """Return a task as the node knows it: with the id of the model that it is making."""
    is_noted = job.makes is not None and cluster.models.get(job.makes) is not None
    return alter(task, model_id=job.makes) if is_noted else task


def _by_model(cluster: Cluster, shown: Mapping[str, ModelProfile], running: Mapping[str, TaskInfo]) -> Profile:
    views: dict[str, ModelView] = {}
    for key in dict.fromkeys([*shown, *(task.model_id for task in running.values() if task.model_id)]):
        profile = shown.get(key, ModelProfile())
        without_nodes = alter(profile, target_worker_nodes=None, worker_nodes=None)
        own = {task_id: task for task_id, task in running.items() if task.model_id == key}
        views[key] = ModelView(
            target_worker_nodes=profile.target_worker_nodes,
            worker_nodes=profile.worker_nodes,
            nodes={cluster.node_id: without_nodes} if key in shown else None,
            tasks=own or None,
        )
    return Profile(models=views or None)


def _model(cluster: Cluster, model_id: str, model: Model) -> ModelProfile:
    watched = cluster.counts.watched.get(model_id)
    profile = ModelProfile(
        predict_request_stats=_durations(cluster, watched.requests if watched else ()),
        model_inference_stats=_durations(cluster, watched.inferences if watched else ()),
    )
    if model_id not in cluster.on_node:
        return profile
    # The size of the file, which is all that the emulator keeps in memory.
    size = sum(map(len, cluster.chunks[model_id].values())) if model_id in cluster.chunks else None
    return alter(
        profile,
        model_state=ModelState.DEPLOYED,
        predictor=f"aiomlcommons.emulator.{model.algorithm}",
        target_worker_nodes=[cluster.node_id],
        worker_nodes=[cluster.node_id],
        memory_size_estimation_cpu=size,
        memory_size_estimation_gpu=size,
    )


def _durations(cluster: Cluster, times: Sequence[float]) -> Durations | None:
    """Return percentiles of the last requests, as many as the setting says; None where there were none."""
    count = cluster.settings.number("monitoring_request_count")
    last = times[-count:] if count else []
    if not last:
        return None
    p50, p90, p99 = (float(each) for each in np.percentile(last, [50, 90, 99]))
    return Durations(
        count=len(last), max=max(last), min=min(last), average=sum(last) / len(last), p50=p50, p90=p90, p99=p99
    )
