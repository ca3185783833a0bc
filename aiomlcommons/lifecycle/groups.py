"""A model group by its name: one in the end, whoever registers it at the same time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import attrs

from aiomlcommons.api.common import Hit
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.models import SearchModels
from aiomlcommons.errors import ApiError, Conflict, ConnectError, MLCommonsError, NotFound
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle.remedies import is_worth_a_look
from aiomlcommons.lifecycle.spec import GroupSpec
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.trouble.table import Kind
from aiomlcommons.wire.version import Version

if TYPE_CHECKING:
    from aiomlcommons.client import Client

OWN_IDS = Version(3, 9)
"""The first server that takes ids of the caller's own: of two who register one id, the second is refused."""
_TAKEN = re.compile(r"already being used by a model group with ID: ([\w-]+)")
_IN_USE = "associated model versions"
_TRIES = 8
_LOOKS = 12
_PAGE = 500


async def find_groups(ml: Client, name: str) -> list[str]:
    """The ids of the model groups of this name that the user may see, oldest first; that is the one to use.

    There may be several: a server lets two through that are registered at once.
    """
    body = {"query": {"term": {"name.keyword": name}}, "sort": [{"created_time": "asc"}]}
    return [hit.id async for hit in ml.model_groups.search(body)]


def taken_by(error: MLCommonsError) -> str | None:
    """The id of the group that has the name already, where that is what an error says."""
    found = _TAKEN.search(error.reason) if isinstance(error, ApiError) else None
    return found[1] if found else None


def own_id(*what: str) -> str:
    """An id that all who register the same thing come to by themselves."""
    return "aio-" + hashlib.sha256("\0".join(what).encode()).hexdigest()[:32]


@attrs.frozen
class Grouping:
    """Finds or registers one model group; all who do that at once come to the same one."""

    ml: Client
    spec: GroupSpec
    backoff: Backoff = Backoff()
    made: list[str] = attrs.field(factory=list)

    async def __call__(self) -> str:
        """The id of the group; what this call registered itself is in ``made``.

        A group that is there already keeps its access as it is. Raises Forbidden where the user may not register one.
        """
        pauses = self.backoff.tries(_TRIES)
        group_id = await self._own_id()
        while True:
            if found := await find_groups(self.ml, self.spec.name):
                return found[0]
            pause = next(pauses)
            try:
                return await self._settled(await self._register(group_id))
            except (ConnectError, ApiError) as error:
                # Somebody else registered it meanwhile, or it is one that this user cannot see.
                if taken := taken_by(error):
                    return await self._usable(taken)
                if pause is None or not is_worth_a_look(error):
                    raise
                if isinstance(error, Conflict):
                    group_id = None  # where an id is taken by a group of another name, the server chooses one
            await anyio.sleep(pause)

    async def _own_id(self) -> str | None:
        version = await self.ml.version()
        return own_id("group", self.spec.name) if version and version >= OWN_IDS else None

    async def _register(self, group_id: str | None) -> str:
        made = await self.ml.model_groups.register(
            self.spec.name,
            description=self.spec.description,
            access_mode=self.spec.access_mode,  # type: ignore[arg-type]  # open to words that a later server knows
            backend_roles=self.spec.backend_roles,
            add_all_backend_roles=self.spec.add_all_backend_roles,
            model_group_id=group_id,
        )
        return made.model_group_id

    async def _settled(self, mine: str) -> str:
        """Of several that were registered at once the oldest stays; who made another one takes it back.

        The second look, a pause later, sees what was begun before ours and written after it.
        """
        self.made.append(mine)
        for _, pause in zip(range(2), self.backoff, strict=False):
            found = await find_groups(self.ml, self.spec.name)
            if found and found[0] != mine:
                with suppress(ApiError):  # somebody may have put a model in already, which settles with the others
                    await delete_if_empty(self.ml, mine, self.backoff)
                return found[0]
            await anyio.sleep(pause)
        return mine

    async def _usable(self, group_id: str) -> str:
        try:
            await self.ml.model_groups.get(group_id)
        except ApiError as error:
            name = self.spec.name
            error.add_note(
                f"the model group {name!r} is taken by one you may not use: choose another name, or be let in"
            )
            raise
        return group_id


# ---- away with it --------------------------------------------------------------------------------------------------


async def delete_if_empty(ml: Client, group_id: str, backoff: Backoff = Backoff()) -> bool:
    """Delete a model group that holds no model; return whether it was. One that is gone already counts.

    A server counts the chunks of models that were deleted a moment ago, so it may take some tries.
    """
    pauses = backoff.tries(_LOOKS)
    while True:
        found = await ml.models.search({"query": {"term": {"model_group_id": group_id}}, "size": 1})
        if len(found) and await find_model(ml, found.hits.hits[0].id):
            return False
        pause = next(pauses)
        try:
            await ml.model_groups.delete(group_id)
        except NotFound:
            return True
        except Conflict as error:
            if pause is None or not (_IN_USE in error.reason or error.trouble.kind is Kind.RACE):
                raise
        else:
            return True
        await _sweep(ml, group_id)
        await anyio.sleep(pause)


async def group_left_by(ml: Client, model_id: str) -> str | None:
    """The group of a model that is gone, by its chunks, which may stay for a moment or for ever."""
    sources = [hit.source for hit in await chunks(ml, "model_id", model_id)]
    return next((source.model_group_id for source in sources if source and source.model_group_id), None)


async def chunks(ml: Client, field: str, value: str) -> Sequence[Hit[Model]]:
    """The chunk documents with a value, without their content; ``ml.models.search`` leaves them out."""
    query = {"bool": {"filter": [{"term": {field: value}}, {"exists": {"field": "chunk_number"}}]}}
    fields = ["model_id", "model_group_id", "chunk_number"]
    page = await ml.send(SearchModels({"query": query, "size": _PAGE, "_source": fields}))
    return page.hits.hits


async def _sweep(ml: Client, group_id: str) -> None:
    """Have the server delete chunks whose model is gone: a registration that was killed leaves them for ever."""
    owners = {hit.id.rpartition("_")[0] for hit in await chunks(ml, "model_group_id", group_id)}
    for model_id in owners:
        if await find_model(ml, model_id) is None:
            with suppress(ApiError):
                await ml.models.delete(model_id)
