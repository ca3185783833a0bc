"""Registration of local models by URL or by a pretrained name."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import anyio.to_thread
import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import Model, ModelFormat, ModelState
from aiomlcommons.api.model_registration import CHUNK_SIZE, RegisterModel
from aiomlcommons.api.tasks import TaskStarted, TaskType
from aiomlcommons.emulator import errors, jobs
from aiomlcommons.emulator.bounded import answer_of
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.errors import Conflict, Refused, illegal
from aiomlcommons.emulator.jobs import JobFailed
from aiomlcommons.emulator.models import _custom_ids, deployment, groups, model_store, new_models
from aiomlcommons.lifecycle import catalogue

NEED_NO_CONFIG = {FunctionName.SPARSE_ENCODING, FunctionName.SPARSE_TOKENIZE}


async def register(cluster: Cluster, request: RegisterModel, function: FunctionName) -> TaskStarted:
    """Start a task; the model exists before it ends, REGISTERING and without a hash."""
    if cluster.is_old and request.model_config is None:
        raise illegal(errors.NO_CONFIG)
    place = await groups.place(cluster, request)
    if broken := cluster.machine.open_breaker(cluster.settings):
        failing = jobs.failing(broken)
        return TaskStarted(
            task_id=jobs.start(cluster, request, TaskType.REGISTER_MODEL, function, failing), status="CREATED"
        )
    work: jobs.Work
    undo: jobs.Undo | None = None
    makes: str | None = None
    try:
        place = await groups.take(cluster, request, place)
        new = _begin(cluster, request, function, place)
        work, undo, makes = new.work, new.undo, new.model_id
    except Conflict as conflict:
        work = jobs.failing(conflict.reason)
    except Refused as refusal:
        work = jobs.failing(refusal.body["error"]["reason"])
    except JobFailed as failure:
        work = jobs.failing(str(failure))
    task_id = jobs.start(cluster, request, TaskType.REGISTER_MODEL, function, work, undo=undo, makes=makes)
    return TaskStarted(task_id=task_id, status="CREATED")


Fields = dict[str, Any]
Finish = Callable[[Cluster, RegisterModel, str], Awaitable[Fields]]
"""Completes a model that is REGISTERING: returns the fields to set in its record."""


@attrs.frozen
class New:
    """A model that is being registered."""

    cluster: Cluster
    request: RegisterModel
    place: groups.Place
    model_id: str
    finish: Finish

    async def work(self) -> str:
        """Complete the registration and return the id of the model; raise JobFailed where that fails."""
        index, now = self.cluster.models, self.cluster.now()
        index.settle(self.model_id)
        fields = await self.finish(self.cluster, self.request, self.model_id)
        if index.get(self.model_id) is None:
            raise JobFailed(f"[{self.model_id}]: document missing")
        state = ModelState.REGISTERED
        index.change(self.model_id, model_state=state, last_updated_time=now, last_registered_time=now, **fields)
        if self.request.deploy:
            # The result of the deployment is not reported.
            with suppress(Refused):
                await deployment.start_deploying(self.cluster, self.request, self.model_id)
        return self.model_id

    def undo(self) -> None:
        """Delete the model and roll back its group."""
        model_store.forget(self.cluster, self.model_id)
        groups.give_back(self.cluster, self.place)


def _begin(cluster: Cluster, request: RegisterModel, function: FunctionName, place: groups.Place) -> New:
    model = Model()
    if request.url is None:
        model, function = _pretrained(cluster, request)
    finish = _complete_pretrained if request.url is None else _download_chunks
    common = {"model_state": ModelState.REGISTERING, "description": request.description}
    model = alter(model, model_format=(request.model_format or ModelFormat.TORCH_SCRIPT).upper(), **common)
    model_id = _custom_ids.check(cluster, cluster.models, request.model_id, new_models.WHAT) or cluster.new_id()
    cluster.models.put_later(model_id, new_models.described(cluster, request, model, function, place))
    return New(cluster, request, place, model_id, finish)


# ---- pretrained ----------------------------------------------------------------------------------------------------


def _pretrained(cluster: Cluster, request: RegisterModel) -> tuple[Model, FunctionName]:
    if not cluster.faults.has_internet:
        raise JobFailed(errors.NO_INTERNET)
    known = catalogue.find(request.name)
    wanted = request.model_format.upper() if request.model_format else None
    if known is None or known.name != request.name or not known.offers(request.version, wanted):
        raise JobFailed(errors.NOT_PRETRAINED)
    kind = "sentence_highlighting" if known.function_name == FunctionName.QUESTION_ANSWERING else "bert"
    config = ModelConfig(
        model_type=kind,
        embedding_dimension=known.dimension,
        framework_type="SENTENCE_TRANSFORMERS" if known.dimension else "HUGGINGFACE_TRANSFORMERS",
    )
    return Model(model_config=None if known.function_name in NEED_NO_CONFIG else config), known.function_name


async def _complete_pretrained(_cluster: Cluster, _request: RegisterModel, _model_id: str) -> Fields:
    return {"total_chunks": 1}


# ---- by URL --------------------------------------------------------------------------------------------------------


async def _download_chunks(cluster: Cluster, request: RegisterModel, model_id: str) -> Fields:
    content = await _download(cluster, request.url or "")
    digest = await anyio.to_thread.run_sync(lambda: hashlib.sha256(content).hexdigest())
    if request.model_content_hash_value is None and not cluster.is_before("2.8"):
        raise JobFailed(errors.NO_HASH)
    if request.model_content_hash_value not in {None, digest}:
        raise JobFailed(errors.CONTENT_CHANGED)
    pieces = [content[start : start + CHUNK_SIZE] for start in range(0, len(content), CHUNK_SIZE)]
    # The chunks of a model from a URL have its name, but not its group.
    model = alter(cluster.models.get(model_id) or Model(), model_group_id=None, total_chunks=len(pieces))
    for number, piece in enumerate(pieces):
        model_store.keep_chunk(cluster, model_id, model, number, piece, name=model.name)
    size = {"model_content_size_in_bytes": len(content), "total_chunks": len(pieces)}
    return {"model_content_hash_value": digest, **size}


async def _download(cluster: Cluster, url: str) -> bytes:
    try:
        async with cluster.client.get(url) as response:
            if response.status == 404:
                raise JobFailed(f"java.io.FileNotFoundException: {url}")
            if response.status >= 400:
                raise JobFailed(f"Server returned HTTP response code: {response.status} for URL: {url}")
            return await answer_of(response)
    except aiohttp.ClientConnectorError as error:
        raise JobFailed(error.os_error.strerror or "Connection refused") from error
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise JobFailed(f"{type(error).__name__}: {error}") from error
