"""The alias that is switched, and what it is switched to: where it leads, and the one request that moves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiomlcommons.api.aliases import AddAlias, RemoveAlias
from aiomlcommons.api.index_records import Alias
from aiomlcommons.errors import NotFound
from aiomlcommons.reembedding.errors import CannotReembed, WrongRun
from aiomlcommons.reembedding.facts import index_facts, where_leads
from aiomlcommons.reembedding.state import state_in

if TYPE_CHECKING:
    from aiomlcommons.client import Client


async def check_alias(ml: Client, alias: str, source: str, target: str) -> str:
    """Return which of the two indices an alias leads to. Raises CannotReembed if it is neither or more, ApiError."""
    return leads_to(alias, await where_leads(ml, alias), source, target) or await _missing(ml, alias, source)


def leads_to(alias: str, found: Mapping[str, Alias], source: str, target: str) -> str | None:
    """Return which of the two indices an alias leads to; None if there is no such alias. Raises CannotReembed."""
    if len(found) > 1:
        names = " and ".join(sorted(found))
        raise CannotReembed(
            f"the alias {alias} leads to {len(found)} indices, {names}, and only one of them can be replaced: name an "
            "alias of that one alone, which programs use, or take the other from it (ml.indices.update_aliases)"
        )
    if found and not {source, target} & found.keys():
        raise CannotReembed(
            f"the alias {alias} leads to {next(iter(found))}, not to {source}: name the index that programs use by it "
            "as index=, or another alias"
        )
    return next(iter(found), None)


async def _missing(ml: Client, alias: str, source: str) -> str:
    try:
        found = await ml.indices.get(alias)
    except NotFound:
        found = {}
    if alias in found:
        raise CannotReembed(
            f"{alias} is an index itself, and no alias: programs have to use a name that can be led elsewhere; add an "
            f'alias (ml.indices.update_aliases([AddAlias("{source}", "NAME")])), let them use it, and name it as alias='
        )
    raise CannotReembed(
        f'there is no alias {alias}: add it (ml.indices.update_aliases([AddAlias("{source}", "{alias}")])), and let '
        "programs search and write by this name"
    )


async def check_target(ml: Client, target: str) -> None:
    """Raise CannotReembed or WrongRun if the new index exists already."""
    if leading := await where_leads(ml, target):
        raise CannotReembed(
            f"{target} is an alias, of {' and '.join(sorted(leading))}: name another index with target= (--target)"
        )
    found = await index_facts(ml, target)
    if found is None:
        return
    state = state_in(found.mappings)
    if state is None:
        raise CannotReembed(
            f"index {target} exists already, with {found.documents:,} documents that are of no re-embedding: name "
            "another one with target= (--target), or delete it"
        )
    task = state.made_of
    raise WrongRun(
        f"index {target} was made by a re-embedding of index {task.source} by {state.model_name}, in the field "
        f"{task.field!r} ({state.phase}): name another one with target= (--target), or delete it"
    )


async def move(ml: Client, alias: str, of: str, to: str) -> None:
    """Let an alias lead to another index, in one request, with the filter and routing that it has. Idempotent.

    Raises CannotReembed if it leads elsewhere meanwhile, ApiError, ConnectError.
    """
    found = await where_leads(ml, alias)
    if leads_to(alias, found, of, to) != of:
        return
    had = found[of]
    added = AddAlias(
        index=to,
        alias=alias,
        filter=had.filter,
        index_routing=had.index_routing,
        search_routing=had.search_routing,
        is_write_index=had.is_write_index,
        is_hidden=had.is_hidden,
    )
    try:
        await ml.indices.update_aliases([RemoveAlias(index=of, alias=alias, must_exist=True), added])
    except NotFound:
        # The response to a first try was lost, or somebody else moved it at this moment.
        if leads_to(alias, await where_leads(ml, alias), of, to) != to:
            raise
