"""The model that a text stands for: an id, the name of a registered model, or that of a pretrained one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiomlcommons.errors import InvalidRequest, MLCommonsError, NotFound
from aiomlcommons.lifecycle import catalogue
from aiomlcommons.lifecycle._lookup import find_model
from aiomlcommons.lifecycle.ensured import EnsuredModel
from aiomlcommons.lifecycle.errors import NoSuchModel
from aiomlcommons.lifecycle.pasted_names import is_hub_id, plain_name
from aiomlcommons.lifecycle.spec import ExistingModel, PretrainedModel
from aiomlcommons.lifecycle.upload import UNFINISHED
from aiomlcommons.spelling import did_you_mean

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# How many registered models are looked at for a suggestion, newest first.
_LOOKED_AT = 1_000
_NEWEST_FIRST = [{"created_time": "desc"}]


async def named(ml: Client, name_or_id: str) -> PretrainedModel | ExistingModel:
    """Resolve an id, the name of a registered model, that of a pretrained one, or a registered one in another case.

    They are tried in this order. Of several registered models of one name, the newest whose registration is complete
    is taken. What ``ensure`` returned is that model. Raises NoSuchModel, which suggests similar names.
    """
    if isinstance(name_or_id, EnsuredModel):
        return ExistingModel(model_id=name_or_id.model_id)
    name = plain_name(name_or_id)
    # A name may contain characters that are invalid in an id.
    with suppress(NotFound, InvalidRequest):
        await ml.models.get(name)
        return ExistingModel(model_id=name)
    if newest := await _newest(ml, name):
        return ExistingModel(model_id=newest)
    if known := catalogue.find(name):
        return PretrainedModel(name=known.name)
    spelled = await _in_any_case(ml, name)
    if len(spelled) > 1:
        raise NoSuchModel(
            f"no model has the name {name!r}, but {' and '.join(map(repr, spelled))} do; give one of them"
        )
    if spelled and (newest := await _newest(ml, spelled[0])):
        return ExistingModel(model_id=newest)
    raise NoSuchModel(f"no model has the id or the name {name_or_id!r}; {await _hint(ml, name)}")


async def _newest(ml: Client, name: str) -> str | None:
    """Return the id of the newest model of a name; one whose registration is incomplete only if there is no other."""
    unfinished = None
    async for hit in ml.models.search({"query": {"term": {"name.keyword": name}}, "sort": _NEWEST_FIRST}):
        model = await find_model(ml, hit.id)
        if model and model.model_state not in UNFINISHED:
            return hit.id
        if model:
            unfinished = unfinished or hit.id
    return unfinished


async def _in_any_case(ml: Client, name: str) -> list[str]:
    """Return the names of registered models that differ from a name in case only."""
    return await _names(ml, {"term": {"name.keyword": {"value": name, "case_insensitive": True}}})


async def _names(ml: Client, query: dict[str, Any]) -> list[str]:
    body = {"query": query, "sort": _NEWEST_FIRST, "_source": ["name"], "size": _LOOKED_AT}
    found = [hit.source.name for hit in await ml.models.search(body) if hit.has_source]
    return sorted({registered for registered in found if registered})


async def _hint(ml: Client, name: str) -> str:
    registered: list[str] = []
    with suppress(MLCommonsError):  # the suggestion must not hide what it is about
        registered = await _names(ml, {"match_all": {}})
    known = [*registered, *(short for short in catalogue.short_names() if not _has(registered, short))]
    remedy = "give an id, a registered model's name, or a pretrained one such as all-MiniLM-L6-v2"
    hint = did_you_mean(name, known, remedy)
    return f"{hint}; FileModel.from_hub({name!r}) uploads one from Hugging Face" if is_hub_id(name) else hint


def _has(registered: list[str], short: str) -> bool:
    return any(name.endswith(short) for name in registered)
