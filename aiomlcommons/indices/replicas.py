"""The replicas of an index: what its settings say, switching them off, and putting them back.

https://docs.opensearch.org/latest/install-and-configure/configuring-opensearch/index-settings/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.errors import NotFound

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@attrs.frozen
class Replicas:
    """The settings of an index that say how many copies it has, as the server shows them; None is one that is not set.

    ``index`` is its own name, not that of an alias, and ``uuid`` tells it from a later one of this name.
    """

    index: str
    uuid: str | None
    number_of_replicas: str | None
    auto_expand_replicas: str | None

    @classmethod
    def shown(cls, index: str, settings: Mapping[str, Any]) -> Replicas:
        """Return what the settings of an index say."""
        names = ("uuid", "number_of_replicas", "auto_expand_replicas")
        return cls(index, *(None if settings.get(name) is None else str(settings[name]) for name in names))

    @property
    def follow_nodes(self) -> bool:
        """Whether there are as many as the number of nodes allows, so that a number alone has no effect."""
        return self.auto_expand_replicas not in {None, "false"}

    @property
    def are_off(self) -> bool:
        """Whether there are none, on any number of nodes."""
        return self.number_of_replicas == "0" and not self.follow_nodes

    def __str__(self) -> str:
        return (
            f"auto_expand_replicas {self.auto_expand_replicas}" if self.follow_nodes else f"{self.number_of_replicas}"
        )

    async def switch_off(self, ml: Client) -> None:
        """Have no replicas from now on. Raises ApiError."""
        off = {"number_of_replicas": 0} | ({"auto_expand_replicas": "false"} if self.follow_nodes else {})
        await _put(ml, self.index, off)

    async def put_back(self, ml: Client) -> bool:
        """Set both settings to what they were; return False if the index is gone meanwhile. Raises ApiError."""
        try:
            found = await ml.indices.settings(self.index)
        except NotFound:
            return False
        if self.index not in found:  # the name is an alias now
            return False
        now = Replicas.shown(self.index, found[self.index].settings["index"])
        if now.uuid != self.uuid:
            return False
        if now != self:
            fields = ("number_of_replicas", "auto_expand_replicas")
            await _put(ml, self.index, {name: value for name in fields if (value := getattr(self, name)) is not None})
        return True


async def _put(ml: Client, index: str, settings: Mapping[str, Any]) -> None:
    await ml.indices.put_settings(index, {"index": settings})
