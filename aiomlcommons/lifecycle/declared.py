"""Models declared as classes: what a model is stands in the class, what is done with it are its methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

import anyio

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import DeploySetting, Model, ModelFormat, ModelState
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle.deployment import is_on_nodes
from aiomlcommons.lifecycle.ensure import EnsuredModel, ensure, find_registered
from aiomlcommons.lifecycle.errors import NotComplete
from aiomlcommons.lifecycle.groups import delete_if_empty, find_groups
from aiomlcommons.lifecycle.removal import remove_model
from aiomlcommons.lifecycle.spec import FileModel, GroupSpec, PretrainedModel, RemoteModel, Spec, UrlModel
from aiomlcommons.lifecycle.upload import UNFINISHED
from aiomlcommons.net.backoff import Backoff

if TYPE_CHECKING:
    from aiomlcommons.client import Client


class DeclaredModel:
    """A model by what its class says of it. Each method takes the session of the cluster to do it on.

        class Encoder(DeclaredModel):
            model = "neural_sparse_encoding"
            version = "1.0.1"
            description = "Sparse embeddings of the onboarding docs"

        await Encoder.deploy(ml)

    ``model`` names a pretrained model, unless the class has a ``path`` (a local zip file), a ``url`` or a connector:
    then it is the new model's own name. ``group`` is a model group's name. The rest are fields of the register API.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/register-model/
    """

    model: ClassVar[str]
    version: ClassVar[str | None] = None
    model_format: ClassVar[ModelFormat | str | None] = None
    description: ClassVar[str | None] = None
    group: ClassVar[GroupSpec | str | None] = None
    function_name: ClassVar[FunctionName | str] = FunctionName.TEXT_EMBEDDING
    model_config: ClassVar[ModelConfig | None] = None
    model_content_hash_value: ClassVar[str | None] = None
    deploy_setting: ClassVar[DeploySetting | None] = None
    path: ClassVar[str | PathLike[str] | None] = None
    url: ClassVar[str | None] = None
    connector: ClassVar[CreateConnector | None] = None
    connector_id: ClassVar[str | None] = None

    @classmethod
    def spec(cls) -> Spec:
        """What ``ml.models.ensure`` is asked for. Raises InvalidRequest for a class that says too little."""
        if not getattr(cls, "model", None):
            raise InvalidRequest(f"{cls.__name__} says no model; give it one: model = 'all-MiniLM-L6-v2'")
        common = _given(cls, "group", "description", "deploy_setting")
        if cls.connector is not None or cls.connector_id is not None:
            return RemoteModel(name=cls.model, connector=cls.connector, connector_id=cls.connector_id, **common)
        common |= _given(cls, "version", "model_format")
        custom = _given(cls, "function_name", "model_config", "model_content_hash_value")
        if cls.path is not None:
            return FileModel(name=cls.model, path=cls.path, **common, **custom)
        if cls.url is not None:
            if cls.model_content_hash_value is None:
                raise InvalidRequest(
                    f"{cls.__name__} has a url and needs the file's model_content_hash_value (SHA-256)"
                )
            return UrlModel(name=cls.model, url=cls.url, **common, **custom)
        return PretrainedModel(name=cls.model, **common)

    # ---- what is done ----------------------------------------------------------------------------------------------

    @classmethod
    async def register(cls, ml: Client, **options: Any) -> EnsuredModel:
        """Register it where it is not, and wait for the end. Options and errors are those of ``ml.models.ensure``."""
        return await ensure(ml, cls.spec(), **{**options, "deploy": False})

    @classmethod
    async def deploy(cls, ml: Client, **options: Any) -> EnsuredModel:
        """Deploy it, registered first where it is not, and wait for the end. Options are those of ``ensure``."""
        return await ensure(ml, cls.spec(), **options)

    @classmethod
    async def undeploy(cls, ml: Client) -> bool:
        """Take it off the nodes; return whether the cluster has it."""
        if found := await cls._find(ml):
            await ml.models.undeploy(found[0])
        return found is not None

    @classmethod
    async def delete(cls, ml: Client, *, empty_group: bool = False) -> bool:
        """Undeploy and delete it, with its group if nothing else is in it; return whether the cluster had it."""
        found = await cls._find(ml)
        if found is not None:
            return await remove_model(ml, found[0], empty_group=empty_group)
        group = cls.group.name if isinstance(cls.group, GroupSpec) else cls.group
        emptied = [
            await delete_if_empty(ml, one) for one in (await find_groups(ml, group) if empty_group and group else ())
        ]
        return any(emptied)

    # ---- how it is -------------------------------------------------------------------------------------------------

    @classmethod
    async def status(cls, ml: Client) -> ModelState | str | None:
        """Its state, such as REGISTERED or DEPLOYED; None where the cluster does not have it."""
        found = await cls._find(ml)
        return found[1].model_state if found else None

    @classmethod
    async def registered(cls, ml: Client) -> bool:
        """Whether it is registered to the end, deployed or not."""
        return await cls.status(ml) not in {None, *UNFINISHED}

    @classmethod
    async def deployed(cls, ml: Client) -> bool:
        """Whether it is on every node that should have it."""
        found = await cls._find(ml)
        return found is not None and await is_on_nodes(ml, *found)

    @classmethod
    async def all(cls, ml: Client) -> list[Model]:
        """Every model of its name that the cluster has, whatever its version, oldest first."""
        spec = cls.spec()
        name = spec.known.name if isinstance(spec, PretrainedModel) else cls.model
        body = {"query": {"term": {"name.keyword": name}}, "sort": [{"created_time": "asc"}]}
        found = [await find_model(ml, hit.id) async for hit in ml.models.search(body)]
        return [model for model in found if model]

    @classmethod
    async def wait_until_complete(
        cls,
        ml: Client,
        done: Callable[[Client], Awaitable[bool]],
        *,
        max_attempts: int | None = None,
        within: float | None = None,
        backoff: Backoff = Backoff(),
    ) -> None:
        """Wait until something is so: ``await Encoder.wait_until_complete(ml, Encoder.deployed, within=60)``.

        For what somebody else began; ``register`` and ``deploy`` wait by themselves. ``within`` is in seconds; there is
        no limit where none is given. Raises NotComplete.
        """
        attempts = 0
        with anyio.move_on_after(within):
            for attempts, delay in enumerate(backoff, 1):
                if await done(ml):
                    return
                if attempts == max_attempts:
                    break
                await anyio.sleep(delay)
        what = getattr(done, "__name__", "complete")
        raise NotComplete(f"{cls.__name__} is not {what} after {attempts} attempts; it is {await cls.status(ml)}")

    @classmethod
    async def _find(cls, ml: Client) -> tuple[str, Model] | None:
        return await find_registered(ml, cls.spec())


def _given(cls: type[DeclaredModel], *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(cls, name)) is not None}
