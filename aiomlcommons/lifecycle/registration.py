"""A model into the cluster, once: found where it is there already, whoever registered it."""

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
from aiomlcommons.lifecycle.groups import OWN_IDS, Grouping, delete_if_empty, taken_by
from aiomlcommons.lifecycle.progress import Phase, Progress, Report
from aiomlcommons.lifecycle.remedies import is_worth_a_look
from aiomlcommons.lifecycle.removal import withdraw
from aiomlcommons.lifecycle.spec import GroupSpec, RemoteModel
from aiomlcommons.lifecycle.upload import UNFINISHED, Upload, uploaded_chunks
from aiomlcommons.net.backoff import Backoff

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_TRIES = 10


@attrs.frozen(kw_only=True)
class Registration:
    """Registers one model, or finds it registered. ``mine`` are the models that this call has made."""

    ml: Client
    spec: New
    report: Report
    backoff: Backoff
    stall_timeout: float
    keep: bool
    mine: set[str] = attrs.field(factory=set)

    @property
    def there(self) -> Candidates:
        return Candidates(self.ml, self.spec)

    @property
    def under_way(self) -> OtherClients:
        return OtherClients(ml=self.ml, backoff=self.backoff, stall_timeout=self.stall_timeout)

    @property
    def name(self) -> str:
        return self.there.name

    def tell(self, phase: Phase, words: str = "", model_id: str | None = None) -> None:
        self.report(Progress(phase=phase, name=self.name, words=words, model_id=model_id))

    async def __call__(self) -> str:
        """The id of the model, which is registered now. What was made for it and came to nothing is deleted."""
        await check_server(self.ml, self.spec, self.name)
        groups: list[str] = []
        try:
            return await self._registered(groups)
        except MLCommonsError as error:
            for group_id in () if error.transient else groups:
                with suppress(MLCommonsError):
                    await delete_if_empty(self.ml, group_id, self.backoff)
            raise

    async def _registered(self, groups: list[str]) -> str:
        """The id of the model, and in ``groups`` those that were made for it.

        A registration that somebody else has under way is waited for, one that nobody goes on with is gone on with or
        made anew. After a lost answer, and after a race that is lost, it looks again before it registers again.
        """
        pauses = self.backoff.tries(_TRIES)
        group_id, own_id = None, await self._own_id()
        while True:
            if found := await self._found():
                return found
            pause = next(pauses)
            self.tell(Phase.REGISTERING)
            try:
                made = await self._register(group_id or await self._group(groups), own_id)
            except MLCommonsError as error:
                if pause is None or not is_worth_a_look(error):
                    raise
                self.tell(Phase.HEALING, f"looking whether it is there ({error})")
                group_id = taken_by(error)
                own_id = None if isinstance(error, Conflict) else own_id
            else:
                if settled := await self._settled(made):
                    self.tell(Phase.REGISTERED, model_id=settled)
                    return settled
                if pause is None:
                    raise NotRegistered(f"{self.name}: the cluster lost {_TRIES} registrations, see its log")
            await anyio.sleep(pause)

    # ---- what is there ---------------------------------------------------------------------------------------------

    async def _found(self) -> str | None:
        """The id of a model that is there, whole; None where there is none, or what was there had to go."""
        seen: set[str] = set()
        while (model_id := await self._first()) and model_id not in seen:
            self.tell(Phase.FOUND, model_id=model_id)
            if await self._is_whole(model_id):
                await self._lay_ghosts(model_id)
                return model_id
            seen.add(model_id)
        return None

    async def _first(self) -> str | None:
        """The id of the first of what is there."""
        found = await self.there.find()
        if found is None and await self._others():
            found = await self.there.find()
        if found is None:
            return None
        model_id, model = found
        if model.is_deployed:
            return model_id
        # Whoever has just registered it may be about to take it back.
        await anyio.sleep(next(iter(self.backoff)))
        return next(iter(await self.there.older(model_id)), model_id)

    async def _lay_ghosts(self, winner: str) -> None:
        """Delete what registrations that died with their server left beside the model, for nobody will ask for it."""
        if isinstance(self.spec, RemoteModel | NamedFile):
            return  # what is missing of a file anybody may still send
        for key in [key async for key, model in self.there if key != winner and model.model_state in UNFINISHED]:
            if await self.under_way.is_ghost(key):
                self.tell(Phase.HEALING, "nobody goes on registering it, and another one is there", model_id=key)
                await self._take_back(key, winner=winner)

    async def _settled(self, mine: str) -> str | None:
        """Of several that were registered at once the oldest stays; who made another one takes it back.

        The second look sees what was begun before ours and written after it, the last one what came while it was sent.
        """
        for pause in itertools.islice(self.backoff, 2):
            if winner := await self._lost_against(mine):
                return winner
            await anyio.sleep(pause)
        if not await self._is_whole(mine):
            return None
        return await self._lost_against(mine) or mine

    async def _lost_against(self, mine: str) -> str | None:
        """The model that comes before mine, which is taken back then; None where there is none."""
        for older in await self.there.older(mine):
            if await self._is_whole(older):
                self.tell(Phase.HEALING, f"{older} was registered at the same time, and stays", model_id=mine)
                await self._take_back(mine, winner=older)
                return older
        return None

    async def _take_back(self, model_id: str, winner: str | None = None) -> None:
        try:
            await withdraw(self.ml, model_id, winner, self.backoff)
        except MLCommonsError as error:  # why it was to be taken back says more than this
            self.tell(Phase.HEALING, f"could not be deleted: {error}", model_id=model_id)

    async def _others(self) -> bool:
        """Wait a little for registrations of the same kind that name no model yet; return whether there were any."""
        if isinstance(self.spec, RemoteModel | NamedFile):
            return False  # these are there as soon as their registration is answered
        # Until the artifact's configuration has come, the server takes any pretrained model for an embedding one.
        function = getattr(self.spec, "function_name", FunctionName.TEXT_EMBEDDING)
        return await self.under_way.nameless(function, functools.partial(self.tell, Phase.WAITING))

    # ---- what is to be there ---------------------------------------------------------------------------------------

    async def _own_id(self) -> str | None:
        """The id that all who register this model come to by themselves, where the server takes ids of one's own."""
        version = await self.ml.version()
        return self.there.own_id if version and version >= OWN_IDS else None

    async def _group(self, made: list[str]) -> str | None:
        """The id of the model's group. Where none is wished, that of its own name, as the server would make it.

        The server makes one for each registration, so that two at once would leave two.
        """
        group = self.spec.group
        spec = group if isinstance(group, GroupSpec) else GroupSpec(name=group or self.name)
        try:
            return await Grouping(self.ml, spec, self.backoff, made)()
        except (NotSupported, Forbidden):
            if group:
                raise
            return None

    async def _register(self, group_id: str | None, own_id: str | None) -> str:
        """Register it, and follow that to its end; return the new model's id."""
        model_id = await send(self.ml, self.spec, self.name, group_id, self._follow, own_id)
        self.mine.add(model_id)
        try:
            await check_content(self.ml, self.spec, model_id)
        except NotRegistered:
            if not self.keep:
                await self._take_back(model_id)
            raise
        return model_id

    async def _follow(self, task: TaskStarted) -> str | None:
        info = await self.ml.task(task, backoff=self.backoff, stall_timeout=self.stall_timeout)
        return info.model_id

    async def _is_whole(self, model_id: str) -> bool:
        """Whether a model is registered to the end, after what can be done for it. False where it had to go."""
        model = await find_model(self.ml, model_id)
        if model is None:
            return False
        if model.model_state not in UNFINISHED:
            return True
        if isinstance(self.spec, NamedFile):
            return await self._upload(model_id, self.spec)
        self.tell(Phase.WAITING, "for whoever registers it", model_id=model_id)
        if await self.under_way.is_ending(model_id, on_node=True):
            return self.there.may_be(await self.ml.models.get(model_id))
        self.tell(Phase.HEALING, "nobody goes on registering it, so it is registered anew", model_id=model_id)
        await self._take_back(model_id)
        return False

    async def _upload(self, model_id: str, spec: NamedFile) -> bool:
        """Upload what is missing of the file. What cannot become a model is deleted, unless it is to be kept."""
        there = await uploaded_chunks(self.ml, model_id, spec.file.total_chunks)
        if len(there) == spec.file.total_chunks and await self.under_way.is_ending(model_id, on_node=False):
            return True  # the state lags behind the last chunk
        upload = Upload(self.ml, model_id, spec.file, there, self.report)
        try:
            await upload(spec.in_flight)
        except NotFound:
            return False  # it lost against an older one, whose owner took it back
        except (FileChanged, ApiError, ConnectError) as error:
            if error.transient:
                kept = f"{len(upload.there)} chunks of model {model_id} are there"
                error.add_note(f"{kept}; the same call again sends the others")
            elif not self.keep and (model_id in self.mine or isinstance(error, FileChanged)):
                await self._take_back(model_id)  # but nobody else's, unless we may have sent chunks of another file
            raise
        return await self.under_way.is_ending(model_id, on_node=False)
