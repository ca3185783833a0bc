"""Declarative models: a class declares the spec of a model, its class methods perform the lifecycle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import anyio

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import DeploySetting, Model, ModelFormat, ModelState
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle.deployment import is_on_nodes
from aiomlcommons.lifecycle.ensure import WAIT, ensure, find_registered
from aiomlcommons.lifecycle.ensured import EnsuredModel
from aiomlcommons.lifecycle.errors import NotComplete
from aiomlcommons.lifecycle.groups import delete_if_empty, find_groups
from aiomlcommons.lifecycle.removal import remove_model
from aiomlcommons.lifecycle.spec import FileModel, GroupSpec, PretrainedModel, RemoteModel, Spec, UrlModel
from aiomlcommons.lifecycle.upload import UNFINISHED
from aiomlcommons.net.backoff import Backoff

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Of the caller's own type, so that a condition may ask for a Session.
C = TypeVar("C", bound="Client")


class DeclaredModel:
    """Base of declarative models. Each class method takes the session of the cluster to act on.

        class Encoder(DeclaredModel):
            model = "neural_sparse_encoding"
            version = "1.0.1"
            description = "Sparse embeddings of the onboarding docs"

        await Encoder.deploy(ml)

    ``model`` names a pretrained model, unless the class has a ``path`` (a local zip file), a ``url`` or a connector:
    then it is the new model's own name. ``group`` is the name of a model group, or a GroupSpec. The others are fields
    of the register API.

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
        """Return the spec for ``ml.models.ensure``. Raises InvalidRequest if the class lacks a required attribute."""
        if not getattr(cls, "model", None):
            raise InvalidRequest(f"{cls.__name__} declares no model; set it: model = 'all-MiniLM-L6-v2'")
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

    # ---- actions ---------------------------------------------------------------------------------------------------

    @classmethod
    async def register(cls, ml: Client, **options: Any) -> EnsuredModel:
        """Register the model if necessary, and wait for it. Options and errors are those of ``ml.models.ensure``."""
        return await ensure(ml, cls.spec(), **{"wait": WAIT, **options, "deploy": False})

    @classmethod
    async def deploy(cls, ml: Client, **options: Any) -> EnsuredModel:
        """Register and deploy the model if necessary, and wait for it. Options are those of ``ml.models.ensure``."""
        return await ensure(ml, cls.spec(), **{"wait": WAIT, **options})

    @classmethod
    async def undeploy(cls, ml: Client) -> bool:
        """Undeploy the model from all nodes; return whether the cluster has it."""
        if found := await cls._find(ml):
            await ml.models.undeploy(found[0])
        return found is not None

    @classmethod
    async def delete(cls, ml: Client, *, empty_group: bool = False) -> bool:
        """Undeploy and delete the model; return whether there was anything to delete.

        ``empty_group`` deletes its model group too, if no other model is in it.
        """
        found = await cls._find(ml)
        if found is not None:
            return await remove_model(ml, found[0], empty_group=empty_group, wait=WAIT)
        group = cls.group.name if isinstance(cls.group, GroupSpec) else cls.group
        emptied = [
            await delete_if_empty(ml, one) for one in (await find_groups(ml, group) if empty_group and group else ())
        ]
        return any(emptied)

    # ---- queries ---------------------------------------------------------------------------------------------------

    @classmethod
    async def status(cls, ml: Client) -> ModelState | str | None:
        """Return the model's state, such as REGISTERED or DEPLOYED; None if the cluster does not have it."""
        found = await cls._find(ml)
        return found[1].model_state if found else None

    @classmethod
    async def registered(cls, ml: Client) -> bool:
        """Return whether the model's registration is complete, deployed or not."""
        return await cls.status(ml) not in {None, *UNFINISHED}

    @classmethod
    async def deployed(cls, ml: Client) -> bool:
        """Return whether the model is deployed on every node that should have it."""
        found = await cls._find(ml)
        return found is not None and await is_on_nodes(ml, *found)

    @classmethod
    async def all(cls, ml: Client) -> list[Model]:
        """Return every registered model of this name, of any version, oldest first."""
        spec = cls.spec()
        name = spec.known.name if isinstance(spec, PretrainedModel) else cls.model
        body = {"query": {"term": {"name.keyword": name}}, "sort": [{"created_time": "asc"}]}
        found = [await find_model(ml, hit.id) async for hit in ml.models.search(body)]
        return [model for model in found if model]

    @classmethod
    async def wait_until_complete(
        cls,
        ml: C,
        done: Callable[[C], Awaitable[bool]],
        *,
        max_attempts: int | None = None,
        within: float | None = None,
        backoff: Backoff = Backoff(),
    ) -> None:
        """Poll a condition until it holds: ``await Encoder.wait_until_complete(ml, Encoder.deployed, within=60)``.

        For work that another client started; ``register`` and ``deploy`` wait by themselves.

        Args:
            ml: The session.
            done: The condition, such as ``Encoder.deployed``.
            max_attempts: How often to poll at most. Default: no limit.
            within: Seconds to wait at most. Default: no limit.
            backoff: The delays between two polls.

        Raises:
            NotComplete: The condition does not hold within the limits.
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
