"""``ml.models``: the endpoints of models, and the lifecycle methods ``ensure``, ``deployed`` and ``remove``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

import anyio
import attrs

from aiomlcommons.api.models import Models
from aiomlcommons.lifecycle import catalogue
from aiomlcommons.lifecycle.catalogue import Pretrained
from aiomlcommons.lifecycle.ensure import WAIT, ensure
from aiomlcommons.lifecycle.ensured import EnsuredModel
from aiomlcommons.lifecycle.removal import remove_model
from aiomlcommons.lifecycle.spec import Spec
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.progress.event import Callback
from aiomlcommons.typed import typed
from aiomlcommons.usage import context

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@attrs.frozen
class ModelLife(Models):
    """``ml.models``: register, deploy, predict, undeploy and delete; ``ensure`` performs the steps that are missing."""

    _session: Client

    @typed
    def pretrained(self, name: str) -> Pretrained:
        """Look up a pretrained model by full or short name: ``ml.models.pretrained("all-MiniLM-L6-v2").dimension``.

        No request is sent. Raises InvalidRequest for a name that the catalogue does not have.

        https://docs.opensearch.org/latest/ml-commons-plugin/pretrained-models/
        """
        return catalogue.pretrained(name)

    @typed(own="spec progress")
    async def ensure(
        self,
        spec: Spec | str,
        *,
        deploy: bool = True,
        node_ids: Sequence[str] | None = None,
        allow_partial: bool = False,
        change_settings: bool = False,
        keep: bool = False,
        backoff: Backoff = Backoff(),
        stall_timeout: float = 600.0,
        wait: float = WAIT,
        progress: bool | Callback = False,
    ) -> EnsuredModel:
        """Register and deploy a model where that is missing, and return it. Idempotent: a second call does nothing.

        A model that the cluster already has is found by name and content. Two clients that ensure the same model
        concurrently end with one.

        Args:
            spec: A PretrainedModel, UrlModel, FileModel, RemoteModel or ExistingModel, or a string: the id or name of a
                registered model, or the name of a pretrained one, in any case, as a short name, or as the id or address
                on Hugging Face. What ``ensure`` returned is the model that it was.
            deploy: False stops after registering.
            node_ids: The nodes to deploy to. Default: the cluster chooses.
            allow_partial: Accept a model that only some of the nodes have.
            change_settings: Change cluster settings that prevent registering or deploying the model.
            keep: Keep the registered model if its content is wrong or the upload fails for good. Default: delete it.
            backoff: The delays between polls.
            stall_timeout: Seconds without progress after which a task is considered lost.
            wait: Seconds to wait for a cluster that restarts, recovers or lacks memory.
            progress: True shows each step in the terminal or the notebook; a function is called with a Progress, and
                awaited if it is async. What it raises ends the call. Default: the log.

        Raises:
            BlockedBySetting: A cluster setting prevents it; the error names the setting.
            BadPackage, FileChanged: The file is not a valid model, or was changed during the upload.
            NotRegistered, NotDeployed, TaskFailed, TaskStalled: Registering or deploying the model failed.
            NoSuchModel: No model has this id or name; the error suggests similar ones.
            InvalidRequest, NotSupported: The request is invalid, or the server is too old for it.
            ApiError, ConnectError: The cluster rejects a request, or is unreachable for longer than ``wait``.
        """
        self._session._exchange.check_open()  # before a file is read, which may take minutes
        return await ensure(
            self._session,
            spec,
            wait=wait,
            deploy=deploy,
            node_ids=node_ids,
            allow_partial=allow_partial,
            change_settings=change_settings,
            keep=keep,
            backoff=backoff,
            stall_timeout=stall_timeout,
            progress=progress,
        )

    @context("ml.models.deployed(...)", "`async with ml.models.deployed(...) as model:`")
    @typed(own="spec progress")
    async def deployed(
        self,
        spec: Spec | str,
        *,
        change_settings: bool = False,
        backoff: Backoff = Backoff(),
        progress: bool | Callback = False,
    ) -> AsyncGenerator[EnsuredModel]:
        """Keep a model deployed while the context is open; undeploy it afterwards if this call deployed it.

        Options and errors are those of ``ensure``.
        """
        model = await self.ensure(spec, change_settings=change_settings, backoff=backoff, progress=progress)
        try:
            yield model
        finally:
            if model.deployed:
                with anyio.CancelScope(shield=True):
                    await self.undeploy(model.model_id)

    @typed(own="model_id progress")
    async def remove(
        self,
        model_id: str,
        *,
        undeploy: bool = True,
        empty_group: bool = False,
        backoff: Backoff = Backoff(),
        wait: float = WAIT,
        progress: bool | Callback = False,
    ) -> bool:
        """Undeploy a model and delete it with its chunks; return whether there was one. Idempotent.

        Args:
            model_id: The model.
            undeploy: False only deletes, which fails while the model is deployed.
            empty_group: Delete its model group too, if no other model is in it. May take a second, because the server
                still counts the chunks that it has just deleted.
            backoff: The delays between attempts while the nodes still unload the model.
            wait: Seconds to wait for a cluster that restarts, recovers or lacks memory.
            progress: True shows each step in the terminal or the notebook; a function is called with a Progress, and
                awaited if it is async. What it raises ends the call. Default: the log.

        Raises:
            ApiError: The cluster still refuses after the last attempt.
        """
        return await remove_model(
            self._session,
            model_id,
            wait=wait,
            undeploy=undeploy,
            empty_group=empty_group,
            backoff=backoff,
            progress=progress,
        )
