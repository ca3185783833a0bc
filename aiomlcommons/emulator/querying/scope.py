"""What a query is asked of: the rows of an index, and what is known of its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import attrs

from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.index import Document
from aiomlcommons.emulator.querying.errors import cause, shards_failed
from aiomlcommons.emulator.querying.texts import Texts, tokens

Source = Mapping[str, Any]
OWN: Mapping[str, Callable[[Document[Any]], Any]] = {
    "_id": attrgetter("id"),
    "_seq_no": attrgetter("seq_no"),
    "_version": attrgetter("version"),
}
"""What an index knows of each document itself, as fields whose type is their name."""


@attrs.frozen
class Row:
    """A document that a search looks at; ``source`` is its wire data, ``index`` the name of its index."""

    document: Document[Any]
    source: Source
    index: str

    @property
    def id(self) -> str:
        return self.document.id

    def values(self, path: str) -> list[Any]:
        """Return the values at a path of the source, or what the index itself knows of the document."""
        own = OWN.get(path)
        return values(self.source, path) if own is None else [own(self.document)]


Scorer = Callable[[Row], "float | None"]
"""A query: it returns the score of a row, or None if the row does not match."""


def no_row(_: Row) -> None:
    """Match nothing."""


@attrs.frozen
class Field:
    """A field: its type in the mapping, and the path of its values in the source. Type "" is any: see ``Scope``."""

    path: str
    type: str = ""
    spec: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.define
class Scope:
    """The rows of one index. Without ``fields`` it is an index of ML Commons, whose values are taken as they come."""

    index: str
    uuid: str
    node_id: str
    rows: Sequence[Row]
    body: Mapping[str, Any]
    fields: Mapping[str, Field] | None = None
    now: int = 0
    # Whether the index has vectors built so that k-NN can search them.
    is_knn: bool = True
    # Of rows that are objects within documents: the ids of these by their own.
    parents: Mapping[str, str] = attrs.field(factory=dict)
    # Then the documents themselves.
    documents: Sequence[Row] = ()
    _texts: dict[str, Texts] = attrs.field(factory=dict)

    def field(self, name: str) -> Field | None:
        """Return a field by its name, or None if the mapping has none of that name, or it is one of nested objects."""
        if name in OWN:
            return Field(name, name)
        if self.fields is None:
            return Field(name.removesuffix(".keyword"))
        return self.fields.get(name) if self.parents or not self.is_nested(name) else None

    def is_nested(self, name: str) -> bool:
        """Return whether a field is one of nested objects, which only queries of these find."""
        return any(name.startswith(f"{path}.") for path in self.nested_paths)

    @property
    def nested_paths(self) -> list[str]:
        """The paths of nested objects."""
        return [path for path, field in (self.fields or {}).items() if field.type == "nested"]

    def texts(self, path: str) -> Texts:
        """Return the words of a field in all rows."""
        if path not in self._texts:
            found = {row.id: values(row.source, path) for row in self.rows}
            every = {key: words_of(texts) for key, texts in found.items()}
            self._texts[path] = Texts.of({key: words for key, words in every.items() if words})
        return self._texts[path]

    def refuse(self, kind: str, reason: str) -> Refused:
        """Return the error of a query that does not suit the mapping."""
        return self.misfit(f"failed to create query: {reason}", caused_by=cause(kind, reason))

    def misfit(self, reason: str, **more: Any) -> Refused:
        """Return the error of a part of a search that does not suit the mapping; ``more`` are further keys."""
        where = {"index": self.index, "index_uuid": self.uuid}
        return self.fail({**cause("query_shard_exception", reason), **where, **more})

    def fail(self, why: Mapping[str, Any], status: int = 400) -> Refused:
        """Return the error of a search that failed on its shard."""
        return shards_failed(self.index, self.node_id, why, status)


def words_of(texts: Sequence[Any]) -> list[str]:
    """Return the words of all values of a field."""
    return [word for text in texts for word in tokens(str(text))]


def values(node: Any, path: str) -> list[Any]:
    """Return the values at a path of a source, those of lists one by one, without null."""
    if isinstance(node, list):
        return [value for item in node for value in values(item, path)]
    if not path:
        return [] if node is None else [node]
    if not isinstance(node, Mapping):
        return []
    if path in node:
        return values(node[path], "")
    head, _, rest = path.partition(".")
    return values(node[head], rest) if rest and head in node else []
