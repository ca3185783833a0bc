"""From a name or an id to a deployed model: what a command line has to begin with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiomlcommons.api.models import Model
from aiomlcommons.errors import MLCommonsError, NotFound
from aiomlcommons.models import catalogue

if TYPE_CHECKING:
    from aiomlcommons.session import Session

Report = Callable[[str], Any]


class NoSuchModel(MLCommonsError):
    """No model of that id or name, and no pretrained one either."""


async def find_deployed(ml: Session, name_or_id: str, *, report: Report = lambda _: None) -> str:
    """The id of a deployed model, by its id, by its name, or by the name of a pretrained one.

    Of several models of one name the newest is taken; one that is not deployed is deployed; a pretrained model that
    the cluster does not have is registered first. ``report`` is told each step. Raises NoSuchModel, TaskFailed.
    """
    model_id, model = await _find(ml, name_or_id)
    if model_id is None:
        model_id = await _register_pretrained(ml, name_or_id, report)
    if model is None or not model.is_deployed:
        report(f"deploying {model_id}")
        await ml.task(await ml.models.deploy(model_id))
    return model_id


async def _find(ml: Session, name_or_id: str) -> tuple[str | None, Model | None]:
    try:
        return name_or_id, await ml.models.get(name_or_id)
    except NotFound:
        pass
    full = catalogue.find(name_or_id)
    names = [name_or_id, full.name] if full else [name_or_id]
    body = {"query": {"terms": {"name.keyword": names}}, "sort": [{"created_time": "desc"}], "size": 1}
    found = await ml.models.search(body)
    for hit in found.hits.hits:
        return hit.id, hit.source
    return None, None


async def _register_pretrained(ml: Session, name: str, report: Report) -> str:
    pretrained = catalogue.find(name)
    if pretrained is None:
        known = "a pretrained one such as all-MiniLM-L6-v2"
        raise NoSuchModel(
            f"no model has the id or the name {name!r}; give an id, a registered model's name, or {known}"
        )
    report(f"registering {pretrained.name}")
    started = await ml.models.register(
        name=pretrained.name, version=pretrained.version, model_format=pretrained.model_format
    )
    info = await ml.task(started)
    if info.model_id is None:
        raise MLCommonsError(f"task {started.task_id} registered {pretrained.name} and names no model: {info}")
    return info.model_id
