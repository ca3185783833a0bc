"""What a server tells of its indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.record import Record, record


@record
class Alias(Record):
    """What an alias of an index has besides its name."""

    filter: Mapping[str, Any] | None = None
    index_routing: str | None = None
    search_routing: str | None = None
    is_write_index: bool | None = None
    is_hidden: bool | None = None


@record
class IndexAliases(Record):
    """The aliases of an index, by name."""

    aliases: Mapping[str, Alias]


@record
class IndexMapping(Record):
    """The mapping of an index: ``mappings["properties"]`` are its fields, if it has any."""

    mappings: Mapping[str, Any]


@record
class IndexSettings(Record):
    """The settings of an index; values are text. ``defaults`` are those that it does not have itself."""

    settings: Mapping[str, Any]
    defaults: Mapping[str, Any] | None = None


@record
class Index(Record):
    """An index: its aliases by name, its mapping and its settings."""

    aliases: Mapping[str, Alias]
    mappings: Mapping[str, Any]
    settings: Mapping[str, Any]
    defaults: Mapping[str, Any] | None = None
    data_stream: str | None = None
