"""What is asked of a cluster before a text is searched for: the mapping of the index, its pipelines, the plugins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.errors import Forbidden, MLCommonsError
from aiomlcommons.indices.creation import mappings_of
from aiomlcommons.searching.errors import NotSearchable
from aiomlcommons.searching.fields import Field, common_fields, fields_of
from aiomlcommons.searching.pipelines import OwnPipelines, pipelines_of
from aiomlcommons.searching.plugins import Plugins, plugins_of
from aiomlcommons.spelling import did_you_mean

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@attrs.frozen
class Facts:
    """What is known of an index, or of all indices that a name stands for.

    Attributes:
        index: The name.
        fields: The fields that all of them have alike.
        pipelines: Their default pipelines.
        plugins: The plugins of the cluster.
        knn: Whether their dense vectors can be searched (``index.knn``); None if that is hidden.
        others: The fields of vectors that not all of them have alike, each with its index, in words.
    """

    index: str
    fields: Mapping[str, Field]
    pipelines: OwnPipelines
    plugins: Plugins
    knn: bool | None = None
    others: tuple[str, ...] = ()

    @property
    def vectors(self) -> dict[str, Field]:
        """The fields of vectors by name."""
        return {name: field for name, field in self.fields.items() if field.holds_vectors}


async def facts_of(ml: Client, index: str) -> Facts:
    """Ask what is to be known of an index. Raises NotSearchable if there is none, ConnectError, ApiError."""
    mappings = await mappings_of(ml, index)
    if not mappings:
        raise NotSearchable(f"there is no index {index!r}; {await _names_like(ml, index)}")
    settings = await _settings(ml, index)
    fields = common_fields(mappings)
    return Facts(
        index,
        fields,
        await pipelines_of(ml, settings),
        await plugins_of(ml),
        all(str(one.get("knn")).lower() == "true" for one in settings) if settings else None,
        tuple(other_fields(mappings, fields)),
    )


async def _settings(ml: Client, index: str) -> list[Mapping[str, Any]]:
    try:
        return [one.settings.get("index", {}) for one in (await ml.indices.settings(index)).values()]
    except Forbidden:
        return []


def other_fields(mappings: Mapping[str, Mapping[str, Any]], common: Mapping[str, Field]) -> Iterator[str]:
    """Yield the fields of vectors that are not common to all indices, each with its index, in words."""
    for index, mapping in mappings.items():
        for name, field in fields_of(mapping).items():
            if field.holds_vectors and name not in common:
                yield f"{field} in {index}"


async def _names_like(ml: Client, index: str) -> str:
    """Return names of indices and aliases that are near to one, or how to make one."""
    known: list[str] = []
    with suppress(MLCommonsError):  # the suggestion must not hide what it is about
        found = await ml.indices.aliases()
        known = [name for own, one in found.items() for name in (own, *one.aliases) if not name.startswith(".")]
    return did_you_mean(index, known, "ml.indices.create_for makes one for the vectors of a model")
