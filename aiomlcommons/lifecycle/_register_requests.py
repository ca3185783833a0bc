"""The register request of each kind of spec, and the checks before and after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.api.common import FUNCTIONS_SINCE
from aiomlcommons.api.model_records import Model, ModelFormat
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta
from aiomlcommons.api.tasks import TaskStarted
from aiomlcommons.errors import NotSupported
from aiomlcommons.lifecycle.errors import NotRegistered
from aiomlcommons.lifecycle.spec import FileModel, PretrainedModel, RemoteModel, UrlModel
from aiomlcommons.lifecycle.upload import ModelFile
from aiomlcommons.waiting.errors import TaskFailed
from aiomlcommons.wire.version import OLDEST, Version, route_at

if TYPE_CHECKING:
    from aiomlcommons.client import Client

HASHED = Version(2, 8)
"""The first version that verifies the hash of a file fetched by URL; later ones require the hash."""
_CHANGED = "model content changed"


@attrs.frozen(kw_only=True)
class NamedFile(FileModel):
    """A FileModel whose file has been read: name, format and hash are known."""

    file: ModelFile
    name: str = ""

    def same(self, model: Model) -> bool:
        """Return whether a registered model of this name has the same content."""
        return (model.model_content_hash_value or "").lower() == self.file.sha256


New = PretrainedModel | UrlModel | NamedFile | RemoteModel


async def send(
    ml: Client,
    spec: New,
    name: str,
    group_id: str | None,
    follow: Callable[[TaskStarted], Awaitable[str | None]],
    own_id: str | None = None,
) -> str:
    """Send the register request, wait for its task by ``follow``, and return the model's id.

    For a file only the metadata is registered; its chunks are uploaded afterwards.

    Args:
        ml: The client.
        spec: The model.
        name: Its name.
        group_id: The model group to register it in.
        follow: Waits for the task, and returns the model's id.
        own_id: The id to register the model with. Default: the server chooses.

    Raises NotRegistered, TaskFailed, ApiError, NotSupported.
    """
    request = _request(spec, name, await ml.version(), model_group_id=group_id, model_id=own_id)
    if isinstance(request, RegisterModelMeta):
        return (await ml.send(request)).model_id
    started = await ml.send(request)
    return started.model_id or await _followed(spec, name, started, follow)


async def check_server(ml: Client, spec: New, name: str) -> None:
    """Raise NotSupported if the server is too old for a model or lacks its kind, before anything is created for it."""
    version = await ml.version()
    if isinstance(spec, PretrainedModel) and version is not None:
        function = spec.known.function_name
        since = Version.parse(FUNCTIONS_SINCE.get(function, str(OLDEST)))
        if version < since:
            raise NotSupported(f"{name}: a {function} model needs OpenSearch {since}; this server is {version}")
    request = _request(spec, name, version)
    ml.flavor.check(request)
    route_at(request, version)


def _request(spec: New, name: str, version: Version | None, **ids: str | None) -> RegisterModel | RegisterModelMeta:
    common = {**spec.given_fields(), **{name: given for name, given in ids.items() if given}}
    if isinstance(spec, NamedFile):
        return RegisterModelMeta(name, **common, **_file(spec))
    fields = {**common, **_way(spec)}
    if version and version < HASHED:
        fields.pop("model_content_hash_value", None)
    return RegisterModel(name, **fields)


async def check_content(ml: Client, spec: New, model_id: str) -> None:
    """Raise NotRegistered if the cluster downloaded a file with another hash, which old servers accept and record."""
    if not isinstance(spec, UrlModel):
        return
    fetched = (await ml.models.get(model_id)).model_content_hash_value
    if fetched and fetched.lower() != spec.model_content_hash_value:
        raise _another_file(spec)


async def _followed(
    spec: New, name: str, started: TaskStarted, follow: Callable[[TaskStarted], Awaitable[str | None]]
) -> str:
    try:
        model_id = await follow(started)
    except TaskFailed as error:
        if isinstance(spec, UrlModel) and _CHANGED in (error.info.error or ""):
            raise _another_file(spec) from error
        raise
    if model_id is None:
        raise NotRegistered(f"task {started.task_id}, which registered {name}, completed without a model id")
    return model_id


def _file(spec: NamedFile) -> dict[str, Any]:
    return {
        "version": spec.version,
        "function_name": str(spec.function_name),
        "model_format": ModelFormat(spec.model_format or ModelFormat.TORCH_SCRIPT),
        "model_config": spec.model_config,
        "model_content_hash_value": spec.file.sha256,
        "model_content_size_in_bytes": spec.file.size,
        "total_chunks": spec.file.total_chunks,
    }


def _another_file(spec: UrlModel) -> NotRegistered:
    what = f"the file at {spec.url} does not have the SHA-256 {spec.model_content_hash_value}"
    return NotRegistered(f"{spec.name}: {what}: it is another file, or the hash is wrong")


def _way(spec: PretrainedModel | UrlModel | RemoteModel) -> dict[str, Any]:
    match spec:
        case PretrainedModel():
            return {
                "version": spec.register_version,
                "model_format": spec.register_format,
                "description": spec.register_description,
            }
        case UrlModel():
            return {
                "version": spec.version,
                "url": spec.url,
                "function_name": str(spec.function_name),
                "model_format": spec.model_format,
                "model_config": spec.model_config,
                "model_content_hash_value": spec.model_content_hash_value,
            }
    fields = {"connector_id": spec.connector_id, "connector": spec.connector, "guardrails": spec.guardrails}
    return {"function_name": "remote", **fields}
