"""Handlers that get, search, update and delete models, and upload their chunks."""

from __future__ import annotations

from typing import Any

from aiomlcommons.api.common import FunctionName, Hits, WriteResult
from aiomlcommons.api.model_records import ChunkUploaded, Model, ModelState
from aiomlcommons.api.model_registration import CHUNK_SIZE, UploadModelChunk
from aiomlcommons.api.models import DeleteModel, GetModel, SearchModels, UpdateModel
from aiomlcommons.emulator import errors
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.connectors.connector_store import as_connector, as_text, check_endpoints, check_exists
from aiomlcommons.emulator.errors import illegal, missing, refused, status_error
from aiomlcommons.emulator.models import groups
from aiomlcommons.emulator.querying import records
from aiomlcommons.emulator.registry import handles
from aiomlcommons.wire import convert

ON_NODE = {ModelState.DEPLOYED, ModelState.PARTIALLY_DEPLOYED}

CHANGEABLE = {FunctionName.TEXT_EMBEDDING, FunctionName.REMOTE}


def find(cluster: Cluster, model_id: str, reason: str = errors.NO_MODEL) -> Model:
    """Return a model; raise Refused where there is none."""
    model = cluster.models.get(model_id)
    if model is None or model.chunk_number is not None:
        raise missing(reason)
    return model


# ---- look up, change, delete ---------------------------------------------------------------------------------------


@handles(GetModel)
async def get(cluster: Cluster, request: GetModel) -> Model:
    """Return a model after its jobs have advanced one step. The record may lag behind the jobs."""
    cluster.models.look()
    for task_id, job in list(cluster.jobs.items()):
        task = cluster.tasks.get(task_id)
        if task is not None and request.model_id in {task.model_id, job.makes}:
            await job.advance(cluster)
    model = find(cluster, request.model_id, f"Failed to find model with the provided model id: {request.model_id}")
    return alter(model, is_hidden=False)


@handles(SearchModels)
async def find_all(cluster: Cluster, request: SearchModels) -> Hits[Model]:
    """Search models. Chunks are found too, as on the server."""
    return records.search(cluster.models, request.body, cluster.node_id)


@handles(UpdateModel)
async def update(cluster: Cluster, request: UpdateModel) -> WriteResult:
    """Change the fields that are given."""
    key = request.model_id
    model = find(cluster, key, f"Failed to find model to update with the provided model id: {key}")
    if model.algorithm not in CHANGEABLE:
        raise status_error(403, f"The function category {model.algorithm} is not supported at this time.")
    fields: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(request, name)) is not None}
    if request.model_group_id and request.model_group_id != model.model_group_id:
        place = await groups.take(cluster, request, groups.Place(request.model_group_id))
        fields |= {"model_group_id": place.group_id, "model_version": place.version}
    if request.connector_id:
        check_exists(cluster, request.connector_id)
        fields |= {"connector_id": request.connector_id, "connector": None}
    if request.connector:
        check_endpoints(cluster, request.connector.actions or (), request.connector.parameters)
        fields |= {"connector": as_connector(cluster, request.connector), "connector_id": None}
        cluster.credentials[key] = convert.unstructure(request.connector.credential) or {}
    if request.interface:
        fields["interface"] = as_text(request.interface)
    if request.rate_limiter:
        fields["rate_limiter"] = alter(request.rate_limiter, limit=str(request.rate_limiter.limit))
        cluster.calls.pop(key, None)
    # The server adds the id to the record at the first update, not before.
    cluster.models.change(key, model_id=key, last_updated_time=cluster.now(), **fields)
    return cluster.models.updated(key)


_PLAIN = {"name", "description", "is_enabled", "model_config", "deploy_setting", "guardrails"}


@handles(DeleteModel)
async def delete(cluster: Cluster, request: DeleteModel) -> WriteResult:
    """Delete a model; refuse if it is deployed or deploying. The chunks of a missing model are deleted anyway."""
    key = request.model_id
    model = cluster.models.get(key)
    if model is None:
        return _delete_missing(cluster, key)
    if not cluster.is_old and model.model_state in ON_NODE | {ModelState.DEPLOYING}:
        raise status_error(400, errors.DELETE_DEPLOYED)
    return forget(cluster, key)


def _delete_missing(cluster: Cluster, key: str) -> WriteResult:
    """Delete the chunks of a missing model; fail on deleted chunks that searches still find."""
    gone = [name for name, document in cluster.models.seen().items() if document.source.model_id == key]
    stale = [name for name in gone if name not in cluster.models.documents]
    _forget_chunks(cluster, key)
    left = errors.CHUNKS_LEFT.format(id=key)
    if cluster.is_old:
        if stale:
            raise status_error(500, left)
        return cluster.models.delete(key)
    if stale:
        why = {"type": "status_exception", "reason": left}
        raise refused(500, "illegal_state_exception", errors.NOT_CLEANED.format(id=key), why)
    raise missing(errors.NO_MODEL)


def forget(cluster: Cluster, model_id: str) -> WriteResult:
    """Delete the record of a model and its chunks."""
    result = cluster.models.delete(model_id)
    _forget_chunks(cluster, model_id)
    for kept in (cluster.trained, cluster.counts.watched):
        kept.pop(model_id, None)
    return result


def _forget_chunks(cluster: Cluster, model_id: str) -> None:
    """Delete chunks by query, without a refresh: searches still find them for a while."""
    for key in [key for key, document in cluster.models.documents.items() if document.source.model_id == model_id]:
        cluster.models.delete(key, refreshed=False)
    cluster.chunks.pop(model_id, None)


# ---- files ---------------------------------------------------------------------------------------------------------


@handles(UploadModelChunk)
async def upload_chunk(cluster: Cluster, request: UploadModelChunk) -> ChunkUploaded:
    """Store a chunk. The last one sets the model to REGISTERED, a moment after the response.

    Whether the chunks are complete and match the hash is checked by the deployment.
    """
    if not cluster.settings.flag("allow_registering_model_via_local_file"):
        raise illegal(errors.NO_LOCAL_FILE)
    model = cluster.models.get(request.model_id)
    if model is None:
        raise refused(500, "m_l_resource_not_found_exception", errors.NO_MODEL)
    if request.chunk_number >= (model.total_chunks or 0):
        raise refused(500, "exception", "Chunk number exceeds total chunks")
    if not request.content:
        raise refused(500, "exception", "Chunk size either 0 or null")
    if len(request.content) > CHUNK_SIZE:
        raise refused(500, "exception", "Chunk size exceeds 10MB")
    keep_chunk(cluster, request.model_id, model, request.chunk_number, request.content)
    if request.chunk_number + 1 == model.total_chunks:
        # What 3.8 stores of the registration is lost here.
        lost = {"description": None, "last_updated_time": None}
        cluster.models.change_later(request.model_id, model_state=ModelState.REGISTERED, **lost)
    return ChunkUploaded(status="Uploaded")


def keep_chunk(cluster: Cluster, model_id: str, model: Model, number: int, content: bytes, **fields: Any) -> None:
    """Store a chunk of a model file, as a document of the model index."""
    cluster.chunks.setdefault(model_id, {})[number] = content
    chunk = Model(
        algorithm=model.algorithm,
        model_group_id=model.model_group_id,
        model_version=model.model_version,
        model_format=model.model_format,
        model_id=model_id,
        chunk_number=number,
        total_chunks=model.total_chunks,
    )
    cluster.models.put(f"{model_id}_{number}", alter(chunk, **fields))
