"""Records that several resources share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar, overload

import attrs

from aiomlcommons.display.brief import Part
from aiomlcommons.display.shown import Shown
from aiomlcommons.record import Record, record, renamed

T = TypeVar("T")
# Not T, by which the converter would take the hits of a page for its documents.
Item = TypeVar("Item")


class FunctionName(StrEnum):
    """Function of a model or task: the algorithm, or the kind of model."""

    LINEAR_REGRESSION = "LINEAR_REGRESSION"
    KMEANS = "KMEANS"
    AD_LIBSVM = "AD_LIBSVM"
    SAMPLE_ALGO = "SAMPLE_ALGO"
    LOCAL_SAMPLE_CALCULATOR = "LOCAL_SAMPLE_CALCULATOR"
    FIT_RCF = "FIT_RCF"
    BATCH_RCF = "BATCH_RCF"
    ANOMALY_LOCALIZATION = "ANOMALY_LOCALIZATION"
    RCF_SUMMARIZE = "RCF_SUMMARIZE"
    LOGISTIC_REGRESSION = "LOGISTIC_REGRESSION"
    TEXT_EMBEDDING = "TEXT_EMBEDDING"
    METRICS_CORRELATION = "METRICS_CORRELATION"
    REMOTE = "REMOTE"
    SPARSE_ENCODING = "SPARSE_ENCODING"
    SPARSE_TOKENIZE = "SPARSE_TOKENIZE"
    TEXT_SIMILARITY = "TEXT_SIMILARITY"
    QUESTION_ANSWERING = "QUESTION_ANSWERING"
    AGENT = "AGENT"
    CONNECTOR = "CONNECTOR"
    TOOL = "TOOL"


FUNCTIONS_SINCE: Mapping[str, str] = {
    FunctionName.METRICS_CORRELATION: "2.7",
    FunctionName.REMOTE: "2.9",
    FunctionName.SPARSE_ENCODING: "2.11",
    FunctionName.SPARSE_TOKENIZE: "2.11",
    FunctionName.TEXT_SIMILARITY: "2.12",
    FunctionName.QUESTION_ANSWERING: "2.13",
}
"""The versions that brought what a model can be; the other kinds were there in 2.4. An older server refuses them."""


class AccessMode(StrEnum):
    """Access level of a model group or connector."""

    PUBLIC = "public"
    PRIVATE = "private"
    RESTRICTED = "restricted"


# In requests the set is closed: the server treats an unknown value as missing, without an error.
Access: TypeAlias = AccessMode | Literal["public", "private", "restricted"]


@record
class User(Record):
    """The creator of a resource, as the security plugin identifies them."""

    name: str | None = None
    backend_roles: list[str] | None = None
    roles: list[str] | None = None
    custom_attribute_names: list[str] | None = None
    custom_attributes: dict[str, str] | None = None
    user_requested_tenant: str | None = None
    user_requested_tenant_access: str | None = None


@record
class Shards(Record):
    """Counts of the shards that a search or a write ran on."""

    total: int
    successful: int
    failed: int
    skipped: int | None = None
    failures: Sequence[Mapping[str, Any]] | None = None


@record
class Acknowledged(Record):
    """The server's acknowledgement."""

    acknowledged: bool


@record
class WriteResult(Record):
    """The result of a write: ``result`` is ``created``, ``updated``, ``deleted``, ``not_found`` or ``noop``."""

    index: str = renamed("_index")
    id: str = renamed("_id")
    version: int = renamed("_version")
    result: str
    shards: Shards = renamed("_shards")
    seq_no: int = renamed("_seq_no")
    primary_term: int = renamed("_primary_term")
    forced_refresh: bool | None = None


class Listed(Generic[Item]):
    """Mixin of a response that holds a list: iterate it, index it, take its ``len``; an empty one is falsy."""

    __slots__ = ()

    @property
    def _items(self) -> Sequence[Item]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self._items[index]


@record
class Hit(Record, Generic[T]):
    """A document that a search found: ``id``, ``score``, and ``source``, which is the document itself."""

    _first: ClassVar = ("id", "score", "source")

    index: str = renamed("_index")
    id: str = renamed("_id")
    score: float | None = renamed("_score")
    _source: T | None = attrs.field(default=None, alias="source")
    version: int | None = renamed("_version", default=None)
    seq_no: int | None = renamed("_seq_no", default=None)
    primary_term: int | None = renamed("_primary_term", default=None)
    sort: list[Any] | None = None
    fields: Mapping[str, Any] | None = None
    highlight: Mapping[str, list[str]] | None = None
    inner_hits: Mapping[str, Any] | None = None
    matched_queries: Any = None
    explanation: Mapping[str, Any] | None = renamed("_explanation", default=None)
    ignored: list[str] | None = renamed("_ignored", default=None)
    nested: Mapping[str, Any] | None = renamed("_nested", default=None)
    routing: str | None = renamed("_routing", default=None)
    shard: str | None = renamed("_shard", default=None)
    node: str | None = renamed("_node", default=None)

    @property
    def source(self) -> T:
        """The document. Raises LookupError if the search left it out, by ``"_source": False``; see ``has_source``."""
        if self._source is None:
            raise LookupError(
                f"the hit {self.id!r} has no source (see has_source): ask for it by _source in the search, unless "
                "into made None of it"
            )
        return self._source

    @property
    def has_source(self) -> bool:
        """Whether the document came with the hit."""
        return self._source is not None

    def _parts(self) -> Iterable[Part]:
        parts = super()._parts()
        named = {part.name.removeprefix("_"): part.value for part in parts}
        first = [Part(name, named.pop(name), is_key=name != "score") for name in self._first if name in named]
        return [*first, *(part for part in parts if part.name in named)]

    def _row(self) -> Iterable[Part]:
        yield from (part for part in self._parts() if part.name in {"id", "score"})
        yield from self._source._row() if isinstance(self._source, Shown) else ()


@record
class Total(Record):
    """The number of matching documents; ``relation`` is ``eq``, or ``gte`` where counting stopped."""

    value: int
    relation: str


@record
class Found(Record, Generic[T]):
    """The part of a search response that holds the documents."""

    max_score: float | None
    hits: list[Hit[T]]
    total: Total | None = None


@record
class Hits(Record, Listed[Hit[T]], Generic[T]):
    """The response to a search: a page of hits. Iterate it, index it, take its ``len``; an empty one is falsy."""

    took: int
    timed_out: bool
    shards: Shards = renamed("_shards")
    hits: Found[T]
    aggregations: Mapping[str, Any] | None = None
    suggest: Mapping[str, Any] | None = None
    profile: Mapping[str, Any] | None = None
    ext: Mapping[str, Any] | None = None
    processor_results: list[Mapping[str, Any]] | None = None
    pit_id: str | None = None
    terminated_early: bool | None = None
    num_reduce_phases: int | None = None

    @property
    def _items(self) -> Sequence[Hit[T]]:
        return self.hits.hits

    def _parts(self) -> Iterable[Part]:
        return [Part("total", self.total, is_key=True), Part("", self._items)]

    @property
    def total(self) -> int:
        """Number of matching documents, not only of this page; a lower bound unless ``total_is_exact``.

        A server stops counting at 10,000, unless the search body has ``"track_total_hits": True``.
        """
        return self.hits.total.value if self.hits.total else len(self)

    @property
    def total_is_exact(self) -> bool:
        """Whether ``total`` is exact, not a lower bound."""
        return self.hits.total is None or self.hits.total.relation == "eq"
