"""How long it takes, and how much room: measured on a sample, before anything is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.indices.mapping import field_of
from aiomlcommons.indices.vector_field import VectorField
from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.ingest.dry_run import Estimate, estimate
from aiomlcommons.ingest.sinks import open_sink
from aiomlcommons.ingest.sources import IndexSource
from aiomlcommons.ingest.sources.index import BY_ID
from aiomlcommons.reembedding.asking import count_of
from aiomlcommons.reembedding.errors import CannotReembed
from aiomlcommons.reembedding.facts import Disks, IndexFacts
from aiomlcommons.reembedding.task import Pace

if TYPE_CHECKING:
    from aiomlcommons.client import Client

SAMPLE = 100
"""Documents that are embedded to learn how long all of them take."""
_FOUND_BY_EXISTS = {"text", "keyword", "match_only_text", "wildcard", "search_as_you_type"}
# Bytes of a number of a vector: itself, as it is in the document, and as it is in what is searched.
_BYTES_OF_NUMBER = 12
# About how large the weights of a document's tokens are.
_BYTES_OF_WEIGHTS = 2_000


async def sampled(ml: Client, source: IndexFacts, text: str, model_id: str, pace: Pace) -> Estimate | None:
    """Embed a sample of an index, and write nothing; None of an empty index.

    Raises CannotReembed if the model can embed none of it, InvalidRequest if no document has the text, ApiError.
    """
    if not source.documents:
        return None
    options = attrs.evolve(pace, dead_letters=None, max_failures=math.inf).options(text)
    how = {name: getattr(options, name) for name in _fields(options) if name not in {"dead_letters", "clock"}}
    how["id"] = BY_ID
    names = TextFrom(text).names
    # Those without a text are copied as they are, and may be all of the first ones.
    having = [{"exists": {"field": name}} for name in names if _is_indexed(source.mappings, name)]
    query = {"bool": {"filter": having}} if having else None
    if query is not None and not await count_of(ml, source.name, query):
        raise CannotReembed(
            f"no document of index {source.name} has a text in {' and '.join(map(repr, names))}: name what is to be "
            "embedded with text= (--text)"
        )
    read = IndexSource(ml, source.name, query, fields=sorted({name.partition(".")[0] for name in names}))
    found = await estimate(ml, read, lambda _: open_sink(_nowhere), rows=SAMPLE, model=model_id, **how)
    if not found.written:
        why = next(iter(found.reasons), "they have no text")
        raise CannotReembed(
            f"none of the first {found.sampled:,} documents of index {source.name} can be embedded: {why}; name what "
            "is to be embedded with text= (--text), and the model with model= (--model)"
        )
    return found


def paced(rate: float | None, pace: Pace) -> float | None:
    """Return the documents per second that a limit of requests leaves of a measured rate, or of another run's."""
    if rate is None or pace.requests_per_minute is None:
        return rate
    return min(rate, pace.batch * pace.requests_per_minute / 60)


def _is_indexed(mappings: Mapping[str, Any], name: str) -> bool:
    found = field_of(mappings, name)
    return found.get("type") in _FOUND_BY_EXISTS and str(found.get("index", "true")).lower() == "true"


def _fields(options: Any) -> list[str]:
    return [field.name for field in attrs.fields(type(options))]


def _nowhere(_: Any) -> None:
    """Take documents, and keep none."""


def about_bytes(source: IndexFacts, vectors: VectorField, old: Mapping[str, Any] | None) -> int | None:
    """Return about how many bytes the new index takes, with its replicas; ``old`` is a field that is not copied."""
    if source.size is None:
        return None
    added = _bytes_of(vectors.dimension) - (0 if old is None else _bytes_of(old.get("dimension")))
    copy = max(source.size + source.documents * added, source.size // 5)
    return int(copy) * (1 + source.replicas)


def _bytes_of(dimension: Any) -> int:
    return _BYTES_OF_WEIGHTS if dimension is None else int(dimension) * _BYTES_OF_NUMBER


def check_room(source: IndexFacts, needed: int | None, found: Disks | None) -> None:
    """Raise CannotReembed if there is no room for a second copy."""
    if needed is None or found is None or needed <= found.free:
        return
    raise CannotReembed(
        f"a second copy of index {source.name} needs about {needed / 1e9:,.2f} GB with its {source.replicas} replicas, "
        f"and the data nodes have {found.free / 1e9:,.2f} GB free: add a node or a disk, delete what is not needed, "
        'begin without replicas (body={"settings": {"index.number_of_replicas": 0}}), or use a second field '
        "(field= without alias=)"
    )
