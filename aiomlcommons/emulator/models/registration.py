"""Handlers that register models: in chunks, by URL, by a pretrained name, with a connector."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import MetaRegistered, Model, ModelState
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta
from aiomlcommons.api.tasks import TaskStarted, TaskState, TaskType
from aiomlcommons.emulator import errors, jobs
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.connectors.connector_store import as_connector, check_endpoints, check_exists
from aiomlcommons.emulator.errors import Conflict, illegal
from aiomlcommons.emulator.models import deployment, groups, local_registration, new_models
from aiomlcommons.emulator.registry import handles
from aiomlcommons.wire import convert


@handles(RegisterModelMeta)
async def register_meta(cluster: Cluster, request: RegisterModelMeta) -> MetaRegistered:
    """Register the metadata of a model whose chunks are uploaded next."""
    if not cluster.settings.flag("allow_registering_model_via_local_file"):
        raise illegal(errors.NO_LOCAL_FILE)
    function = _function(request.function_name)
    _check_config(function, request.model_config)
    place = await groups.take(cluster, request, await groups.place(cluster, request))
    model = Model(
        model_format=request.model_format,
        model_state=ModelState.REGISTERING,
        model_content_size_in_bytes=request.model_content_size_in_bytes,
        model_content_hash_value=request.model_content_hash_value,
        total_chunks=request.total_chunks,
    )
    cluster.counts.begun(function, "register")
    # 3.4 drops these fields of a model uploaded in chunks, 3.8 stores them.
    if not cluster.is_before("3.8"):
        model = alter(model, description=request.description, last_updated_time=cluster.now())
    return MetaRegistered(model_id=new_models.add(cluster, request, model, function, place), status="CREATED")


@handles(RegisterModel)
async def register(cluster: Cluster, request: RegisterModel) -> TaskStarted:
    """Register a model: a remote one at once, any other as a task that completes when it is polled."""
    function = _function(request.function_name)
    if function == FunctionName.REMOTE:
        return await _register_remote(cluster, request)
    if not cluster.settings.flag("local_model.enabled"):
        raise illegal(errors.NO_LOCAL)
    if request.url is not None:
        if not cluster.settings.flag("allow_registering_model_via_url"):
            raise illegal(errors.NO_URL)
        _check_config(function, request.model_config)
        if not re.search(cluster.settings.value("trusted_url_regex"), request.url):
            raise illegal(errors.UNTRUSTED_URL)
    return await local_registration.register(cluster, request, function)


def _function(name: FunctionName | str | None) -> FunctionName:
    try:
        return FunctionName((name or FunctionName.TEXT_EMBEDDING).upper())
    except ValueError:
        raise illegal("Wrong function name") from None


def _check_config(function: FunctionName, config: ModelConfig | None) -> None:
    if config is None and function not in local_registration.NEED_NO_CONFIG:
        raise illegal(errors.NO_CONFIG)


# ---- remote --------------------------------------------------------------------------------------------------------


async def _register_remote(cluster: Cluster, request: RegisterModel) -> TaskStarted:
    if not cluster.settings.flag("remote_inference.enabled"):
        raise illegal(errors.NO_REMOTE)
    now = cluster.now()
    model = Model(model_state=ModelState.REGISTERED, last_updated_time=now, connector_id=request.connector_id)
    model = alter(model, guardrails=request.guardrails, description=request.description)
    if not cluster.is_before("3.8"):
        model = alter(model, is_hidden=False)
    if request.connector_id:
        check_exists(cluster, request.connector_id, reason="Failed to find connector")
    elif request.connector:
        check_endpoints(cluster, request.connector.actions or (), request.connector.parameters)
        model = alter(model, connector=as_connector(cluster, request.connector))
    else:
        raise illegal("You must provide connector content when creating a remote model without providing connector id!")
    place = await _place(cluster, request)
    model_id = new_models.add(cluster, request, model, FunctionName.REMOTE, place)
    if request.connector:
        cluster.credentials[model_id] = convert.unstructure(request.connector.credential) or {}
    done: dict[str, Any] = {"state": TaskState.COMPLETED, "is_async": False}
    task_id = jobs.new_task(cluster, TaskType.REGISTER_MODEL, FunctionName.REMOTE, model_id=model_id, **done)
    if request.deploy:
        # The result of the deployment is not part of the response.
        with suppress(Conflict):
            await deployment.start_deploying(cluster, request, model_id)
    return TaskStarted(task_id=task_id, status="CREATED", model_id=model_id)


async def _place(cluster: Cluster, request: RegisterModel) -> groups.Place:
    place = await groups.place(cluster, request)
    try:
        return await groups.take(cluster, request, place)
    except Conflict as conflict:
        failed: dict[str, Any] = {"state": TaskState.FAILED, "is_async": False, "error": conflict.reason}
        jobs.new_task(cluster, TaskType.REGISTER_MODEL, FunctionName.REMOTE, **failed)
        raise errors.update_conflict(conflict, place.group_id or "") from conflict
