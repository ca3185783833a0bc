"""Registering models: by chunks, by URL, by a pretrained name, by a connector."""

from __future__ import annotations

import hashlib
from typing import Any

import aiohttp
import anyio.to_thread

from aiomlcommons import convert
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import MetaRegistered, Model, ModelFormat, ModelState, RateLimiter
from aiomlcommons.api.model_registration import CHUNK_SIZE, RegisterModel, RegisterModelMeta
from aiomlcommons.api.tasks import TaskStarted, TaskState, TaskType
from aiomlcommons.emulator import deploying, errors, groups, jobs, models
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.connectors import as_connector, as_text, check_endpoints, check_exists
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.jobs import JobFailed
from aiomlcommons.emulator.registry import handles
from aiomlcommons.models import catalogue

LOCAL = {
    FunctionName.TEXT_EMBEDDING,
    FunctionName.SPARSE_ENCODING,
    FunctionName.SPARSE_TOKENIZE,
    FunctionName.TEXT_SIMILARITY,
    FunctionName.QUESTION_ANSWERING,
}
NEED_NO_CONFIG = {FunctionName.SPARSE_ENCODING, FunctionName.SPARSE_TOKENIZE}


@handles(RegisterModelMeta)
async def register_meta(cluster: Cluster, request: RegisterModelMeta) -> MetaRegistered:
    """Notes the model down; its chunks are still to come."""
    if not cluster.settings.flag("allow_registering_model_via_local_file"):
        raise illegal(errors.NO_LOCAL_FILE)
    function = _function(request.function_name)
    _check_config(function, request.model_config)
    model = Model(
        model_format=request.model_format,
        model_state=ModelState.REGISTERING,
        model_content_size_in_bytes=request.model_content_size_in_bytes,
        model_content_hash_value=request.model_content_hash_value,
        total_chunks=request.total_chunks,
    )
    cluster.counts.begun(function, "register")
    # The description of a model that comes in chunks is lost on a 3.4 server.
    return MetaRegistered(model_id=_add(cluster, request, model, function, description=None), status="CREATED")


@handles(RegisterModel)
async def register(cluster: Cluster, request: RegisterModel) -> TaskStarted:
    """A remote model is there at once; any other when its task has been followed to the end."""
    function = _function(request.function_name)
    if function == FunctionName.REMOTE:
        return _register_remote(cluster, request)
    if not cluster.settings.flag("local_model.enabled"):
        raise illegal(errors.NO_LOCAL)
    if request.model_group_id:
        groups.find(cluster, request.model_group_id)
    if request.url is not None:
        if not cluster.settings.flag("allow_registering_model_via_url"):
            raise illegal(errors.NO_URL)
        _check_config(function, request.model_config)

    async def work() -> str:
        model_id = await (_fetch(cluster, request, function) if request.url else _pretrained(cluster, request))
        if request.deploy:
            deploying.start_deploying(cluster, request, model_id)
        return model_id

    task_id = jobs.start(cluster, request, TaskType.REGISTER_MODEL, function, work)
    return TaskStarted(task_id=task_id, status="CREATED")


def _function(name: FunctionName | str | None) -> FunctionName:
    try:
        return FunctionName((name or FunctionName.TEXT_EMBEDDING).upper())
    except ValueError:
        raise illegal("Wrong function name") from None


def _check_config(function: FunctionName, config: ModelConfig | None) -> None:
    if config is None and function not in NEED_NO_CONFIG:
        raise illegal("model config is null")


def _add(
    cluster: Cluster,
    request: RegisterModel | RegisterModelMeta,
    model: Model,
    function: FunctionName,
    *,
    description: str | None,
) -> str:
    """Keep a new model; return its id."""
    group_id, version = groups.next_version(cluster, request.model_group_id, request.name)
    model_id = cluster.new_id()
    common = alter(
        model,
        name=request.name,
        model_group_id=group_id,
        model_version=version,
        algorithm=function,
        description=description,
        created_time=cluster.now(),
        is_enabled=request.is_enabled,
        rate_limiter=_limiter(request.rate_limiter),
        deploy_setting=request.deploy_setting,
        interface=as_text(request.interface),
        model_config=_config(model.model_config or request.model_config),
    )
    cluster.models.put(model_id, common)
    return model_id


def _limiter(limiter: RateLimiter | None) -> RateLimiter | None:
    return None if limiter is None else alter(limiter, limit=str(limiter.limit))


def _config(config: ModelConfig | None) -> ModelConfig | None:
    """As the server keeps it: some words in capitals."""
    if config is None:
        return None
    return alter(
        config,
        framework_type=config.framework_type.upper() if config.framework_type else None,
        pooling_mode=config.pooling_mode.upper() if config.pooling_mode else None,
    )


# ---- remote --------------------------------------------------------------------------------------------------------


def _register_remote(cluster: Cluster, request: RegisterModel) -> TaskStarted:
    if not cluster.settings.flag("remote_inference.enabled"):
        raise illegal(errors.NO_REMOTE)
    now = cluster.now()
    model = Model(model_state=ModelState.REGISTERED, last_updated_time=now, connector_id=request.connector_id)
    model = alter(model, guardrails=request.guardrails)
    if request.connector_id:
        check_exists(cluster, request.connector_id, words="Failed to find connector")
    elif request.connector:
        check_endpoints(cluster, request.connector.actions or (), request.connector.parameters)
        model = alter(model, connector=as_connector(cluster, request.connector))
    else:
        raise illegal("You must provide connector content when creating a remote model without providing connector id!")
    model_id = _add(cluster, request, model, FunctionName.REMOTE, description=request.description)
    if request.connector:
        cluster.credentials[model_id] = convert.unstructure(request.connector.credential) or {}
    done: dict[str, Any] = {"state": TaskState.COMPLETED, "is_async": False}
    task_id = jobs.new_task(cluster, TaskType.REGISTER_MODEL, FunctionName.REMOTE, model_id=model_id, **done)
    if request.deploy:
        deploying.start_deploying(cluster, request, model_id)
    return TaskStarted(task_id=task_id, status="CREATED", model_id=model_id)


# ---- local ---------------------------------------------------------------------------------------------------------


async def _pretrained(cluster: Cluster, request: RegisterModel) -> str:
    known = catalogue.find(request.name)
    wanted = request.model_format.upper() if request.model_format else None
    if known is None or known.name != request.name or not known.offers(request.version, wanted):
        raise JobFailed(errors.NOT_PRETRAINED)
    now = cluster.now()
    config = ModelConfig(
        model_type="bert",
        embedding_dimension=known.dimension,
        framework_type="SENTENCE_TRANSFORMERS" if known.dimension else "HUGGINGFACE_TRANSFORMERS",
    )
    if known.function_name == FunctionName.QUESTION_ANSWERING:
        config = alter(config, model_type="sentence_highlighting")
    model = Model(
        model_format=wanted,
        model_state=ModelState.REGISTERED,
        model_config=None if known.function_name in NEED_NO_CONFIG else config,
        last_updated_time=now,
        last_registered_time=now,
        total_chunks=1,
    )
    return _add(cluster, request, model, known.function_name, description=request.description)


async def _fetch(cluster: Cluster, request: RegisterModel, function: FunctionName) -> str:
    content = await _download(cluster, request.url or "")
    digest = await anyio.to_thread.run_sync(lambda: hashlib.sha256(content).hexdigest())
    if request.model_content_hash_value not in {None, digest}:
        raise JobFailed("model content changed")
    now = cluster.now()
    pieces = [content[start : start + CHUNK_SIZE] for start in range(0, len(content), CHUNK_SIZE)]
    model = Model(
        model_format=(request.model_format or ModelFormat.TORCH_SCRIPT).upper(),
        model_state=ModelState.REGISTERED,
        model_content_size_in_bytes=len(content),
        model_content_hash_value=digest,
        last_updated_time=now,
        last_registered_time=now,
        total_chunks=len(pieces),
    )
    model_id = _add(cluster, request, model, function, description=request.description)
    for number, piece in enumerate(pieces):
        models.keep_chunk(cluster, model_id, models.find(cluster, model_id), number, piece)
    return model_id


async def _download(cluster: Cluster, url: str) -> bytes:
    try:
        async with cluster.client.get(url) as answer:
            if answer.status == 404:
                raise JobFailed(f"java.io.FileNotFoundException: {url}")
            if answer.status >= 400:
                raise JobFailed(f"Server returned HTTP response code: {answer.status} for URL: {url}")
            return await answer.read()
    except aiohttp.ClientConnectorError as error:
        raise JobFailed(error.os_error.strerror or "Connection refused") from error
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise JobFailed(f"{type(error).__name__}: {error}") from error
