"""Idempotent registration of a model, safe between clients.

The server does not deduplicate: a register request is not idempotent, and searches lag behind writes (eventual
consistency). So this looks before it registers, again after a lost response, and again after it has registered. If
several clients registered the same model at once, the oldest is kept, and each other client withdraws its own (a
compensating action). Since 3.9 a deterministic id makes the second registration fail with a version conflict.
"""

from __future__ import annotations

import functools
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.tasks import TaskStarted
from aiomlcommons.errors import ApiError, Conflict, ConnectError, Forbidden, MLCommonsError, NotFound, NotSupported
from aiomlcommons.lifecycle._candidates import Candidates
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle._other_clients import OtherClients
from aiomlcommons.lifecycle._register_requests import NamedFile, New, check_content, check_server, send
from aiomlcommons.lifecycle.errors import FileChanged, NotRegistered
from aiomlcommons.lifecycle.groups import OWN_IDS, EnsureGroup, delete_if_empty, taken_by
from aiomlcommons.lifecycle.remedies import should_look_again
from aiomlcommons.lifecycle.removal import withdraw
from aiomlcommons.lifecycle.spec import GroupSpec, RemoteModel
from aiomlcommons.lifecycle.upload import UNFINISHED, Upload, uploaded_chunks
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.progress.event import Phase, Progress, Tell

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_TRIES = 10


@attrs.frozen(kw_only=True)
class Registration:
    """Finds or registers one model. ``created`` are the ids of models that this call registered."""

    ml: Client
    spec: New
    teller: Tell
    backoff: Backoff
    stall_timeout: float
    keep: bool
    created: set[str] = attrs.field(factory=set)

    @property
    def candidates(self) -> Candidates:
        return Candidates(self.ml, self.spec)

    @property
    def other_clients(self) -> OtherClients:
        return OtherClients(ml=self.ml, backoff=self.backoff, stall_timeout=self.stall_timeout)

    @property
    def name(self) -> str:
        return self.candidates.name

    def tell(self, phase: Phase, words: str = "", model_id: str | None = None) -> None:
        self.teller(Progress(phase=phase, name=self.name, words=words, model_id=model_id))

    async def __call__(self) -> str:
        """Return the id of the registered model. If that fails for good, groups created for it are deleted."""
        await check_server(self.ml, self.spec, self.name)
        groups: list[str] = []
        try:
            return await self._register_or_find(groups)
        except MLCommonsError as error:
            for group_id in () if error.transient else groups:
                with suppress(MLCommonsError):
                    await delete_if_empty(self.ml, group_id, self.backoff)
            raise

    async def _register_or_find(self, groups: list[str]) -> str:
        """Return the id of the model; append the ids of groups created for it to ``groups``.

        Waits for a concurrent registration by another client; resumes or replaces an abandoned one. After a lost
        response or a lost race it searches again before it registers again.
        """
        pauses = self.backoff.tries(_TRIES)
        group_id, own_id = None, await self._own_id()
        while True:
            if found := await self._find_existing():
                return found
            pause = next(pauses)
            self.tell(Phase.REGISTERING)
            try:
                made = await self._register(group_id or await self._group(groups), own_id)
            except MLCommonsError as error:
                if pause is None or not should_look_again(error):
                    raise
                self.tell(Phase.HEALING, f"checking whether it was registered ({error})")
                group_id = taken_by(error)
                own_id = None if isinstance(error, Conflict) else own_id
            else:
                if model_id := await self._resolve_race(made):
                    self.tell(Phase.REGISTERED, model_id=model_id)
                    return model_id
                if pause is None:
                    raise NotRegistered(f"{self.name}: the cluster lost {_TRIES} registrations, see its log")
            await anyio.sleep(pause)

    # ---- finding what exists ---------------------------------------------------------------------------------------

    async def _find_existing(self) -> str | None:
        """Return the id of an existing model whose registration is complete, or None; delete abandoned ones."""
        seen: set[str] = set()
        while (model_id := await self._first()) and model_id not in seen:
            self.tell(Phase.FOUND, model_id=model_id)
            if await self._is_complete(model_id):
                await self._delete_orphans(model_id)
                return model_id
            seen.add(model_id)
        return None

    async def _first(self) -> str | None:
        """Return the id of the best existing match."""
        found = await self.candidates.find()
        if found is None and await self._wait_for_others():
            found = await self.candidates.find()
        if found is None:
            return None
        model_id, model = found
        if model.is_deployed:
            return model_id
        # The client that has just registered it may be about to withdraw it in favour of an older one.
        await anyio.sleep(next(iter(self.backoff)))
        return next(iter(await self.candidates.older(model_id)), model_id)

    async def _delete_orphans(self, winner: str) -> None:
        """Delete models of abandoned registrations beside the complete one, which would otherwise stay forever."""
        if isinstance(self.spec, RemoteModel | NamedFile):
            return  # any client may still resume the upload of a file
        for key in [key async for key, model in self.candidates if key != winner and model.model_state in UNFINISHED]:
            if await self.other_clients.is_abandoned(key):
                self.tell(Phase.HEALING, "its registration was abandoned, and another model is complete", model_id=key)
                await self._withdraw(key, winner=winner)

    async def _resolve_race(self, model_id: str) -> str | None:
        """Return the oldest of the models registered concurrently, and withdraw ours if that is another one.

        The second search finds registrations that were begun before ours and written after it; the last one finds
        those that were written while our chunks were uploaded. None if our model was lost.
        """
        for pause in itertools.islice(self.backoff, 2):
            if winner := await self._yield_to_older(model_id):
                return winner
            await anyio.sleep(pause)
        if not await self._is_complete(model_id):
            return None
        return await self._yield_to_older(model_id) or model_id

    async def _yield_to_older(self, model_id: str) -> str | None:
        """Return an older complete model, after withdrawing ours; None if ours is the oldest."""
        for older in await self.candidates.older(model_id):
            if await self._is_complete(older):
                self.tell(Phase.HEALING, f"{older} was registered at the same time, and is kept", model_id=model_id)
                await self._withdraw(model_id, winner=older)
                return older
        return None

    async def _withdraw(self, model_id: str, winner: str | None = None) -> None:
        try:
            await withdraw(self.ml, model_id, winner, self.backoff)
        except MLCommonsError as error:  # reported only: the reason for the withdrawal is the more useful error
            self.tell(Phase.HEALING, f"could not be deleted: {error}", model_id=model_id)

    async def _wait_for_others(self) -> bool:
        """Wait for registrations of the same kind that have no model id yet; return whether there were any."""
        if isinstance(self.spec, RemoteModel | NamedFile):
            return False  # the records of these are written before the response
        # Until its configuration is downloaded, the server records any pretrained model as TEXT_EMBEDDING.
        function = getattr(self.spec, "function_name", FunctionName.TEXT_EMBEDDING)
        return await self.other_clients.wait_for_unnamed(function, functools.partial(self.tell, Phase.WAITING))

    # ---- registering -----------------------------------------------------------------------------------------------

    async def _own_id(self) -> str | None:
        """Return the deterministic id of the spec, if the server accepts ids of the caller."""
        version = await self.ml.version()
        return self.candidates.own_id if version and version >= OWN_IDS else None

    async def _group(self, made: list[str]) -> str | None:
        """Return the id of the model's group. Default: one with the model's name, as the server would create it.

        The server creates a group for each registration, so two concurrent ones would leave two groups.
        """
        group = self.spec.group
        spec = group if isinstance(group, GroupSpec) else GroupSpec(name=group or self.name)
        try:
            return await EnsureGroup(self.ml, spec, self.backoff, made)()
        except (NotSupported, Forbidden):
            if group:
                raise
            return None

    async def _register(self, group_id: str | None, own_id: str | None) -> str:
        """Register the model, wait for the task, and verify the content; return the new model's id."""
        model_id = await send(self.ml, self.spec, self.name, group_id, self._follow, own_id)
        self.created.add(model_id)
        try:
            await check_content(self.ml, self.spec, model_id)
        except NotRegistered:
            if not self.keep:
                await self._withdraw(model_id)
            raise
        return model_id

    async def _follow(self, task: TaskStarted) -> str | None:
        info = await self.ml.task(task, backoff=self.backoff, stall_timeout=self.stall_timeout)
        return info.model_id

    async def _is_complete(self, model_id: str) -> bool:
        """Complete a registration by uploading or waiting; return False if it is gone, or was abandoned and deleted."""
        model = await find_model(self.ml, model_id)
        if model is None:
            return False
        if model.model_state not in UNFINISHED:
            return True
        if isinstance(self.spec, NamedFile):
            return await self._upload(model_id, self.spec)
        self.tell(Phase.WAITING, "for its registration by another client", model_id=model_id)
        if await self.other_clients.wait_until_registered(model_id, on_node=True):
            return self.candidates.may_be(await self.ml.models.get(model_id))
        self.tell(Phase.HEALING, "its registration was abandoned: registering again", model_id=model_id)
        await self._withdraw(model_id)
        return False

    async def _upload(self, model_id: str, spec: NamedFile) -> bool:
        """Upload the missing chunks of the file. On a permanent failure the model is deleted, unless ``keep``."""
        uploaded = await uploaded_chunks(self.ml, model_id, spec.file.total_chunks)
        if len(uploaded) == spec.file.total_chunks and await self._is_ready(model_id):
            return True  # the record lags behind the last chunk
        upload = Upload(self.ml, model_id, spec.file, uploaded, self.teller)
        try:
            await upload(spec.concurrency)
        except NotFound:
            return False  # another client withdrew it in favour of an older one
        except (FileChanged, ApiError, ConnectError) as error:
            if error.transient:
                kept = f"{len(upload.uploaded)} chunks of model {model_id} are uploaded"
                error.add_note(f"{kept}; the same call again resumes with the others")
            elif not self.keep and (model_id in self.created or isinstance(error, FileChanged)):
                # Never that of another client, unless we may have sent it chunks of a changed file.
                await self._withdraw(model_id)
            raise
        return await self._is_ready(model_id)

    async def _is_ready(self, model_id: str) -> bool:
        """Wait until the record of an uploaded model catches up with its last chunk; return whether it does."""
        return await self.other_clients.wait_until_registered(model_id, on_node=False)
