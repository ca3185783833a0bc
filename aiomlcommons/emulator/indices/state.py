"""An index of a user: its documents, its mapping, its settings and its aliases."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

import attrs

from aiomlcommons.emulator.cluster import Document, Index
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.indices.shards import shard_of
from aiomlcommons.emulator.querying.scope import Field
from aiomlcommons.emulator.querying.sources import kept

Source = dict[str, Any]
Documents = Mapping[str, Document[Source]]
MOST_FIELDS = 1_000


@attrs.define
class UserIndex(Index[Source]):
    """An index with a mapping. ``settings`` are flat and texts, as the server keeps them: ``number_of_replicas``."""

    mappings: dict[str, Any] = attrs.field(factory=dict)
    settings: dict[str, str] = attrs.field(factory=dict)
    aliases: dict[str, Any] = attrs.field(factory=dict)
    created: int = 0

    @property
    def shard_count(self) -> int:
        """How many shards it has."""
        return int(self.settings.get("number_of_shards", "1"))

    def shard_of(self, key: str, routing: str | None) -> int:
        """Return the shard of a document."""
        return shard_of(key if routing is None else routing, self.shard_count)

    def of_shards(self, documents: Documents, shards: Container[int] | None) -> Documents:
        """Return those of its documents that are in some shards; None is all of them."""
        if shards is None:
            return documents
        return {key: one for key, one in documents.items() if self.shard_of(key, one.routing) in shards}

    @property
    def copies(self) -> int:
        """The shards that a write goes to: the primary, and the replicas that no node has."""
        return 1 + int(self.settings["number_of_replicas"])

    @property
    def is_knn(self) -> bool:
        """Whether its vectors are searched by k-NN."""
        return self.settings.get("knn") == "true"

    def limit(self, name: str, default: int) -> int:
        """Return a limit of the mapping: ``total_fields`` or ``depth``."""
        return int(self.settings.get(f"mapping.{name}.limit", default))

    def remap(self, mappings: dict[str, Any]) -> None:
        """Replace the mapping by one with more fields. Raises Refused where it would have too many."""
        most = self.limit("total_fields", MOST_FIELDS)
        if mappings != self.mappings and sum(1 for _ in _fields(mappings.get("properties", {}), "")) > most:
            raise illegal(f"Limit of total fields [{most}] has been exceeded")
        self.mappings = mappings

    @property
    def shards(self) -> dict[str, int]:
        """The shards of a response to a write."""
        return {"total": self.copies, "successful": 1, "failed": 0}

    def _lag(self) -> None:
        if self.settings.get("refresh_interval") != "-1":
            super()._lag()
        elif self._searched is None:
            self._searched = dict(self.documents)  # until somebody refreshes the index

    def write(self, key: str, source: Source, *, version: int | None = None, routing: str | None = None) -> None:
        """Add or replace a document; searches see it after a refresh, behind all others."""
        self.put(key, source, version=version, routing=routing, refreshed=False)
        document = self.documents[key] = self.documents.pop(key)
        if "_source" in self.mappings:
            left = kept(source, self.mappings["_source"])
            document.kept = None if left is None else dict(left)

    def fields(self) -> Mapping[str, Field]:
        """Return the fields of the mapping by name, those of objects and those within others too."""
        return dict(_fields(self.mappings.get("properties", {}), ""))


def _fields(properties: Mapping[str, Any], above: str) -> Iterator[tuple[str, Field]]:
    for name, spec in properties.items():
        path, kind = f"{above}{name}", spec.get("type", "object")
        # A semantic field is searched as one of the type that its texts have.
        yield path, Field(path, spec.get("raw_field_type", "text") if kind == "semantic" else kind, spec)
        yield from _fields(spec.get("properties", {}), f"{path}.")
        for inner, other in spec.get("fields", {}).items():
            yield f"{path}.{inner}", Field(path, other["type"], other)
