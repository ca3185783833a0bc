"""A model into the cluster, once: found where it is there already, whoever registered it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.tasks import TaskStarted, TaskState, TaskType
from aiomlcommons.backoff import Backoff
from aiomlcommons.errors import ApiError, ConnectError, NotFound, TaskFailed, TaskStalled
from aiomlcommons.models.groups import ensure_group
from aiomlcommons.models.progress import Phase, Progress, Report
from aiomlcommons.models.sending import NamedFile, New, NotRegistered, check_content, check_server, send
from aiomlcommons.models.spec import PretrainedModel, RemoteModel
from aiomlcommons.models.upload import FileChanged, upload_chunks, uploaded_chunks

if TYPE_CHECKING:
    from aiomlcommons.session import Session

UNFINISHED = {ModelState.REGISTERING, ModelState.UPLOADING}
_UNDER_WAY = [TaskState.CREATED, TaskState.RUNNING]
_TRIES = 3


@attrs.frozen(kw_only=True)
class Registering:
    """Registers one model, or finds it registered. ``no_progress`` is in seconds."""

    ml: Session
    spec: New
    report: Report
    backoff: Backoff = Backoff()
    no_progress: float = 600.0
    keep: bool = False

    @property
    def name(self) -> str:
        return self.spec.known.name if isinstance(self.spec, PretrainedModel) else self.spec.name

    def tell(self, phase: Phase, words: str = "", model_id: str | None = None) -> None:
        self.report(Progress(phase=phase, name=self.name, words=words, model_id=model_id))

    async def __call__(self) -> str:
        """The id of the model, which is registered now.

        A registration that somebody else has under way is waited for, one that nobody goes on with is gone on with or
        made anew. An answer that is lost makes it look again before it registers again.
        """
        await check_server(self.ml, self.spec, self.name)
        group_id = await ensure_group(self.ml, self.spec.group) if self.spec.group else None
        lost: ConnectError | None = None
        for _ in range(_TRIES):
            found = await self.find(group_id)
            if found is None and await self._others():
                found = await self.find(group_id)
            if found is not None:
                self.tell(Phase.FOUND, model_id=found)
                if await self._is_whole(found):
                    return found
                continue
            self.tell(Phase.REGISTERING)
            try:
                made = await self._register(group_id)
            except ConnectError as error:
                self.tell(Phase.HEALING, f"the answer was lost, looking whether it was registered ({error.message})")
                lost = error
            except NotFound as error:
                if error.request.method == "POST":
                    raise  # the registration itself misses something, such as its connector; no task is forgotten
                self.tell(Phase.HEALING, f"the server forgot the task ({error.reason})")
            else:
                winner = await self._settle(made, group_id)
                if await self._is_whole(winner):
                    self.tell(Phase.REGISTERED, model_id=winner)
                    return winner
        raise lost or NotRegistered(f"{self.name}: the cluster forgot {_TRIES} registrations, see its log")

    # ---- what is there ---------------------------------------------------------------------------------------------

    async def _candidates(self, group_id: str | None) -> AsyncIterator[tuple[str, Model]]:
        """The models that are what is wanted, oldest first: all who look see them in the same order."""
        clauses: list[dict[str, Any]] = [{"term": {"name.keyword": self.name}}]
        if group_id is not None:
            clauses.append({"term": {"model_group_id": group_id}})
        body = {"query": {"bool": {"filter": clauses}}, "sort": [{"created_time": "asc"}]}
        async for hit in self.ml.models.search(body):
            if hit.source is not None and self.spec.same(hit.source):
                yield hit.id, hit.source

    async def find(self, group_id: str | None) -> str | None:
        """The id of a model that is what is wanted: one that is deployed before others, an old one before a new one."""
        found = [(key, model.is_deployed) async for key, model in self._candidates(group_id)]
        return next((key for key, is_deployed in found if is_deployed), found[0][0] if found else None)

    async def _settle(self, mine: str, group_id: str | None) -> str:
        """Of several that registered it at once the oldest stays; who made another one takes it back."""
        async for oldest, _ in self._candidates(group_id):
            if oldest != mine:
                self.tell(Phase.HEALING, f"{oldest} was registered at the same time, and stays", model_id=mine)
                await self._take_back(mine)
            return oldest
        return mine

    async def _take_back(self, model_id: str) -> None:
        try:
            await self.ml.models.delete(model_id)
        except ApiError as error:
            self.tell(Phase.HEALING, f"could not be deleted: {error}", model_id=model_id)

    async def _others(self) -> bool:
        """Wait for registrations of the same kind that are under way: one of them may be this very model's."""
        if isinstance(self.spec, RemoteModel | NamedFile):
            return False  # these are there as soon as their registration is answered
        waited = False
        for task_id in await self._tasks():
            self.tell(Phase.WAITING, f"for the registration under way in task {task_id}")
            waited = True
            with suppress(TaskFailed, TaskStalled, NotFound):  # somebody else's trouble; ours is to look again
                await self._follow(task_id)
        return waited

    async def _tasks(self) -> list[str]:
        function = FunctionName.TEXT_EMBEDDING if isinstance(self.spec, PretrainedModel) else self.spec_function
        # Until the artifact's configuration has come, the server takes any pretrained model for an embedding one.
        recent = int((time.time() - self.no_progress) * 1000)
        clauses: list[dict[str, Any]] = [
            {"terms": {"task_type": [TaskType.REGISTER_MODEL, TaskType.UPLOAD_MODEL]}},
            {"terms": {"state": _UNDER_WAY}},
            {"term": {"function_name": str(function).upper()}},
            {"range": {"last_update_time": {"gte": recent}}},
        ]
        found = await self.ml.tasks.search({"query": {"bool": {"filter": clauses}}, "size": 20})
        return [hit.id for hit in found.hits.hits]

    @property
    def spec_function(self) -> str:
        return str(getattr(self.spec, "function_name", FunctionName.REMOTE))

    async def _follow(self, task: str | TaskStarted) -> str | None:
        info = await self.ml.task(task, backoff=self.backoff, no_progress=self.no_progress)
        return info.model_id

    # ---- what is to be there ---------------------------------------------------------------------------------------

    async def _is_whole(self, model_id: str) -> bool:
        """Whether a model is registered to the end, after what can be done for it. False where it had to go."""
        model = await self.ml.models.get(model_id)
        if model.model_state not in UNFINISHED:
            return True
        if isinstance(self.spec, NamedFile):
            return await self._upload(model_id, self.spec)
        self.tell(Phase.WAITING, "for whoever registers it", model_id=model_id)
        if await self._is_ending(model_id):
            return True
        self.tell(Phase.HEALING, "nobody goes on registering it, so it is registered anew", model_id=model_id)
        await self._take_back(model_id)
        return False

    async def _is_ending(self, model_id: str) -> bool:
        """Look at a model until it is registered; False once it has not changed for ``no_progress`` seconds."""
        changed, last, delays = anyio.current_time(), None, iter(self.backoff)
        while True:
            try:
                model = await self.ml.models.get(model_id)
            except NotFound:
                return False
            if model.model_state not in UNFINISHED:
                return True
            if model != last:
                last, changed = model, anyio.current_time()
            elif anyio.current_time() - changed >= self.no_progress:
                return False
            await anyio.sleep(next(delays))

    async def _upload(self, model_id: str, spec: NamedFile) -> bool:
        """Upload what is missing of the file. What cannot become a model is deleted, unless it is to be kept."""
        there = await uploaded_chunks(self.ml, model_id, spec.file.total_chunks)
        try:
            await upload_chunks(
                self.ml, model_id, spec.file, present=there, in_flight=spec.in_flight, report=self.report
            )
        except NotFound:
            return False  # it lost against an older one, whose owner took it back
        except (FileChanged, ApiError):
            if not self.keep:
                await self._take_back(model_id)
            raise
        except ConnectError as error:
            error.add_note(f"{len(there)} chunks of model {model_id} are there; the same call again sends the others")
            raise
        return True

    async def _register(self, group_id: str | None) -> str:
        """Register it, and follow that to its end; return the new model's id."""
        model_id = await send(self.ml, self.spec, self.name, group_id, self._follow)
        try:
            await check_content(self.ml, self.spec, model_id)
        except NotRegistered:
            if not self.keep:
                await self._take_back(model_id)
            raise
        return model_id
