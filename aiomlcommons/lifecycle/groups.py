"""Idempotent get-or-create of a model group by name, safe between clients, and deletion of empty groups.

The server does not enforce unique names under concurrency, and searches lag (eventual consistency). Clients therefore
agree on the oldest group after the fact, and each client deletes a younger one that it created (a compensating action).
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import attrs

from aiomlcommons.api.common import Hits
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.models import SearchModels
from aiomlcommons.errors import ApiError, Conflict, ConnectError, MLCommonsError, NotFound
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle.remedies import should_look_again
from aiomlcommons.lifecycle.spec import GroupSpec
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.trouble.kinds import Kind
from aiomlcommons.wire.version import Version

if TYPE_CHECKING:
    from aiomlcommons.client import Client

OWN_IDS = Version(3, 9)
"""The first version that accepts ids of the caller: the second registration of one id fails with a conflict."""
_TAKEN = re.compile(r"already being used by a model group with ID: ([\w-]+)")
_IN_USE = "associated model versions"
_TRIES = 8
_POLLS = 12
_PAGE = 500


async def find_groups(ml: Client, name: str) -> list[str]:
    """Return the ids of the visible model groups of a name, oldest first; use the first one.

    There may be several, because a server accepts concurrent registrations of one name.
    """
    body = {"query": {"term": {"name.keyword": name}}, "sort": [{"created_time": "asc"}]}
    return [hit.id async for hit in ml.model_groups.search(body)]


def taken_by(error: MLCommonsError) -> str | None:
    """Return the id of the group that already has the name, if the error says so."""
    found = _TAKEN.search(error.reason) if isinstance(error, ApiError) else None
    return found[1] if found else None


def own_id(*parts: str) -> str:
    """Return a deterministic id: concurrent clients that register the same thing conflict on it, none duplicates it."""
    return "aio-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@attrs.frozen
class EnsureGroup:
    """Finds or registers one model group; concurrent clients end with the same one."""

    ml: Client
    spec: GroupSpec
    backoff: Backoff = Backoff()
    created: list[str] = attrs.field(factory=list)

    async def __call__(self) -> str:
        """Return the id of the group; groups that this call registered are in ``created``.

        The access of an existing group is not changed. Raises Forbidden if the user may not register one.
        """
        pauses = self.backoff.tries(_TRIES)
        group_id = await self._own_id()
        while True:
            if found := await find_groups(self.ml, self.spec.name):
                return found[0]
            pause = next(pauses)
            try:
                return await self._resolve_race(await self._register(group_id))
            except (ConnectError, ApiError) as error:
                # Another client registered it meanwhile, or it is invisible to this user.
                if taken := taken_by(error):
                    return await self._usable(taken)
                if pause is None or not should_look_again(error):
                    raise
                if isinstance(error, Conflict):
                    group_id = None  # the id belongs to a group of another name by now: let the server choose one
            await anyio.sleep(pause)

    async def _own_id(self) -> str | None:
        version = await self.ml.version()
        return own_id("group", self.spec.name) if version and version >= OWN_IDS else None

    async def _register(self, group_id: str | None) -> str:
        made = await self.ml.model_groups.register(
            self.spec.name,
            description=self.spec.description,
            access_mode=self.spec.access_mode,  # type: ignore[arg-type]  # a str too: later servers may add modes
            backend_roles=self.spec.backend_roles,
            add_all_backend_roles=self.spec.add_all_backend_roles,
            model_group_id=group_id,
        )
        return made.model_group_id

    async def _resolve_race(self, group_id: str) -> str:
        """Return the oldest group of the name, and delete ours (the compensating action) if that is another one.

        The second search, after a delay, finds groups that were begun before ours and written after it.
        """
        self.created.append(group_id)
        for _, pause in zip(range(2), self.backoff, strict=False):
            found = await find_groups(self.ml, self.spec.name)
            if found and found[0] != group_id:
                with suppress(ApiError):  # another client may have registered a model in it, and cleans up itself
                    await delete_if_empty(self.ml, group_id, self.backoff)
                return found[0]
            await anyio.sleep(pause)
        return group_id

    async def _usable(self, group_id: str) -> str:
        try:
            await self.ml.model_groups.get(group_id)
        except ApiError as error:
            name = self.spec.name
            error.add_note(
                f"a model group {name!r} exists and you have no access to it: choose another name, or ask for access"
            )
            raise
        return group_id


# ---- deletion ------------------------------------------------------------------------------------------------------


async def delete_if_empty(ml: Client, group_id: str, backoff: Backoff = Backoff()) -> bool:
    """Delete a model group that holds no model; return whether it is deleted. Idempotent.

    The server still counts the chunks of models that were just deleted, so this may take some retries.
    """
    pauses = backoff.tries(_POLLS)
    while True:
        found = await ml.models.search({"query": {"term": {"model_group_id": group_id}}, "size": 1})
        if len(found) and await find_model(ml, found[0].id):
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
    """Return the group of a deleted model, known from its leftover chunks, which may stay for a moment or forever."""
    sources = [hit.source for hit in await chunks(ml, "model_id", model_id) if hit.has_source]
    return next((source.model_group_id for source in sources if source.model_group_id), None)


async def chunks(ml: Client, field: str, value: str) -> Hits[Model]:
    """Return the chunk documents that match, without their content; ``ml.models.search`` excludes chunks."""
    query = {"bool": {"filter": [{"term": {field: value}}, {"exists": {"field": "chunk_number"}}]}}
    fields = ["model_id", "model_group_id", "chunk_number"]
    return await ml.send(SearchModels({"query": query, "size": _PAGE, "_source": fields}))


async def _sweep(ml: Client, group_id: str) -> None:
    """Delete orphaned chunks, those without a model: a registration that was killed leaves them forever."""
    owners = {hit.id.rpartition("_")[0] for hit in await chunks(ml, "model_group_id", group_id)}
    for model_id in owners:
        if await find_model(ml, model_id) is None:
            with suppress(ApiError):
                await ml.models.delete(model_id)
