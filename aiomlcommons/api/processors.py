"""Processors of ingest pipelines that ask models, as classes; any other processor is a dict of its type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from aiomlcommons.api import checks
from aiomlcommons.record import Record, Tagged, mixin, record, renamed
from aiomlcommons.wire import convert

FieldMap: TypeAlias = Mapping[str, Any]
"""Fields to read, and those to write: ``{"text": "embedding"}``; an object within an object maps its own fields."""
ALGORITHMS = ("fixed_token_length", "delimiter", "fixed_char_length")
PruneType: TypeAlias = Literal["none", "top_k", "alpha_mass", "max_ratio", "abs_value"]


@mixin
class AnyProcessor(Tagged):
    """What the processors of all pipelines have. ``since`` is the first release of OpenSearch with the type."""

    since: ClassVar[str]
    newer: ClassVar[Mapping[str, str]] = {}

    tag: str | None = None
    description: str | None = None
    ignore_failure: bool | None = None

    def problems(self) -> Iterator[str]:
        """Yield what the server would refuse, naming the field and the remedy."""
        return iter(())


@mixin
class AnyIngestProcessor(AnyProcessor):
    """What the processors of ingest pipelines have: a condition, and what to do when they fail."""

    if_: str | None = renamed("if", default=None)
    on_failure: Sequence[Mapping[str, Any]] | None = None


@record
class TextEmbedding(AnyIngestProcessor):
    """Make dense vectors of texts. A document whose text is missing, null, empty or blank gets none, without an error.

    ``batch_size`` is the number of documents of a bulk request that the model is asked for at once; the server's
    default is 1. ``skip_existing`` keeps the vector of a text that did not change.

    https://docs.opensearch.org/latest/ingest-pipelines/processors/text-embedding/
    """

    type: ClassVar[str] = "text_embedding"
    since: ClassVar[str] = "2.4"
    newer: ClassVar[Mapping[str, str]] = {"batch_size": "2.16", "skip_existing": "3.0"}

    model_id: str
    field_map: FieldMap
    batch_size: int | None = None
    skip_existing: bool | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.not_empty(self, "field_map")


@record
class SparseEncoding(AnyIngestProcessor):
    """Make sparse vectors of texts, as tokens and weights; ``prune_type`` and ``prune_ratio`` leave light tokens out.

    https://docs.opensearch.org/latest/ingest-pipelines/processors/sparse-encoding/
    """

    type: ClassVar[str] = "sparse_encoding"
    since: ClassVar[str] = "2.11"
    newer: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("prune_type", "prune_ratio"), "2.19"),
        **TextEmbedding.newer,
    }

    model_id: str
    field_map: FieldMap
    batch_size: int | None = None
    skip_existing: bool | None = None
    prune_type: PruneType | None = None
    prune_ratio: float | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.not_empty(self, "field_map")
        prunes = self.prune_type not in (None, "none")
        if prunes and self.prune_ratio is None:
            yield f"prune_type {self.prune_type!r} needs a prune_ratio"
        if self.prune_ratio is not None and not prunes:
            yield "prune_ratio needs a prune_type, such as 'max_ratio'"


@record
class TextImageEmbedding(AnyIngestProcessor):
    """Make one vector of a text, an image (base64) or both: ``field_map={"text": "title", "image": "picture"}``.

    https://docs.opensearch.org/latest/ingest-pipelines/processors/text-image-embedding/
    """

    type: ClassVar[str] = "text_image_embedding"
    since: ClassVar[str] = "2.11"
    newer: ClassVar[Mapping[str, str]] = {"skip_existing": "3.0"}

    model_id: str
    embedding: str
    field_map: Mapping[str, str]
    skip_existing: bool | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.not_empty(self, "field_map")


@record
class FixedTokenLength(Record):
    """Chunks of a number of tokens, as ``tokenizer`` (an analyzer of the server) finds them; they may overlap."""

    token_limit: int | None = None
    overlap_rate: float | None = None
    tokenizer: str | None = None
    max_token_count: int | None = None
    max_chunk_limit: int | None = None


@record
class FixedCharLength(Record):
    """Chunks of a number of characters; they may overlap."""

    char_limit: int | None = None
    overlap_rate: float | None = None
    max_chunk_limit: int | None = None


@record
class Delimiter(Record):
    """Chunks that end with a text, by default a blank line."""

    delimiter: str | None = None
    max_chunk_limit: int | None = None


@record
class Chunking(Record):
    """How a text is cut: by one of three algorithms, the first of them by default."""

    fixed_token_length: FixedTokenLength | None = None
    delimiter: Delimiter | None = None
    fixed_char_length: FixedCharLength | None = None


@record
class TextChunking(AnyIngestProcessor):
    """Cut texts into chunks, for a processor after it that makes a vector of each.

    https://docs.opensearch.org/latest/ingest-pipelines/processors/text-chunking/
    """

    type: ClassVar[str] = "text_chunking"
    since: ClassVar[str] = "2.13"

    field_map: FieldMap
    algorithm: Chunking
    ignore_missing: bool | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.not_empty(self, "field_map")
        given = [name for name in ALGORITHMS if getattr(self.algorithm, name) is not None]
        if len(given) > 1:
            yield f"algorithm must be one of {', '.join(ALGORITHMS)}, not {' and '.join(given)}"


@record
class MLInference(AnyIngestProcessor):
    """Ask any model for each document.

    ``input_map`` maps the model's fields to those of the document, ``output_map`` the document's new fields to those of
    the answer. A local model needs a ``function_name`` and a ``model_input``.

    https://docs.opensearch.org/latest/ingest-pipelines/processors/ml-inference/
    """

    type: ClassVar[str] = "ml_inference"
    since: ClassVar[str] = "2.14"

    model_id: str
    input_map: Sequence[Mapping[str, str]] | None = None
    output_map: Sequence[Mapping[str, str]] | None = None
    function_name: str | None = None
    full_response_path: bool | None = None
    model_config: Mapping[str, Any] | None = None
    model_input: str | None = None
    max_prediction_tasks: int | None = None
    ignore_missing: bool | None = None
    override: bool | None = None


IngestProcessor: TypeAlias = (
    TextEmbedding | SparseEncoding | TextImageEmbedding | TextChunking | MLInference | Mapping[str, Any]
)
"""A processor of an ingest pipeline; those that ask no model are dicts, such as ``{"set": {...}}``."""


def misfits(name: str, given: Sequence[Any] | None, known: Any) -> Iterator[str]:
    """Yield what is wrong with the processors of a request, after it was read back.

    One of a known type that is still a dict has values that are not of that type.
    """
    classes = {cls.type: cls for cls in get_args(known) if isinstance(cls, type) and issubclass(cls, AnyProcessor)}
    for number, one in enumerate(given or ()):
        if isinstance(one, AnyProcessor):
            yield from (f"{name}[{number}].{one.type}: {problem}" for problem in one.problems())
        elif len(one) == 1 and (cls := classes.get(next(iter(one)))):
            try:
                convert.structure(one, cls)
            except convert.Unreadable as error:
                yield f"{name}[{number}].{cls.type}: {error}"


def newer_processors(*given: Sequence[Any] | None) -> Iterator[tuple[str, str]]:
    """Yield the types of processors, and their options, that came with a release of OpenSearch, with that release."""
    for one in (one for processors in given for one in processors or () if isinstance(one, AnyProcessor)):
        yield one.type, one.since
        yield from ((f"{one.type}.{key}", new) for key, new in one.newer.items() if getattr(one, key) is not None)
