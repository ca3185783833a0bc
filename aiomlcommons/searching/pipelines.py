"""What the pipelines of an index tell of its fields: which model made the vectors, of which text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.api.pipelines import IngestPipeline
from aiomlcommons.api.processors import SparseEncoding, TextEmbedding, TextImageEmbedding
from aiomlcommons.api.search_pipelines import SearchPipeline
from aiomlcommons.api.search_processors import NeuralQueryEnricher, Normalization, ScoreRanker
from aiomlcommons.errors import Forbidden, NotFound, NotSupported

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_OF_INGEST = ("default_pipeline", "final_pipeline")
_NONE = "_none"
# What the server puts vectors under where a field holds a list of texts.
_IN_LISTS = ("knn", "sparse_encoding")


@attrs.frozen
class Embedder:
    """A processor of an ingest pipeline that makes the vectors of a field from a text."""

    pipeline: str
    model_id: str
    source: str
    target: str

    def fills(self, field: str) -> bool:
        """Return whether it makes the vectors of a field."""
        within = f"{self.source.rpartition('.')[0]}.{self.target}".removeprefix(".")
        return any(field in {target, *(f"{target}.{name}" for name in _IN_LISTS)} for target in (self.target, within))


@attrs.frozen
class OwnPipelines:
    """The pipelines that are the defaults of an index.

    Attributes:
        embedders: What makes vectors of new documents.
        search_pipeline: The name of the search pipeline.
        enrichers: What gives neural queries their models.
        combines: Whether the search pipeline combines the scores of hybrid queries.
    """

    embedders: tuple[Embedder, ...] = ()
    search_pipeline: str | None = None
    enrichers: tuple[NeuralQueryEnricher, ...] = ()
    combines: bool = False

    def query_model(self, field: str) -> str | None:
        """Return the model that the search pipeline gives to queries of a field."""
        for one in self.enrichers:
            if found := (one.neural_field_default_id or {}).get(field) or one.default_model_id:
                return found
        return None


async def pipelines_of(ml: Client, settings: Sequence[Mapping[str, Any]]) -> OwnPipelines:
    """Return the default pipelines of indices by their settings, as far as the user may see them.

    Raises ConnectError, ApiError.
    """
    ingest = {one[name] for one in settings for name in _OF_INGEST if one.get(name, _NONE) != _NONE}
    search = {one.get("search", {}).get("default_pipeline") or _NONE for one in settings}
    embedders = [one for name in sorted(ingest) for one in await _embedders(ml, name)]
    # The server takes the default one only where all indices have the same.
    name = search.pop() if len(search) == 1 else _NONE
    if name == _NONE or (pipeline := await _search_pipeline(ml, name)) is None:
        return OwnPipelines(tuple(embedders))
    enrichers = tuple(one for one in pipeline.request_processors or () if isinstance(one, NeuralQueryEnricher))
    combines = any(isinstance(one, Normalization | ScoreRanker) for one in pipeline.phase_results_processors or ())
    return OwnPipelines(tuple(embedders), name, enrichers, combines)


async def _embedders(ml: Client, name: str) -> list[Embedder]:
    try:
        found = (await ml.pipelines.get(name)).get(name)
    except (Forbidden, NotFound, NotSupported):
        return []
    return list(embedders_in(name, found)) if found else []


async def _search_pipeline(ml: Client, name: str) -> SearchPipeline | None:
    try:
        return (await ml.pipelines.get_search(name)).get(name)
    except (Forbidden, NotFound, NotSupported):
        return None


def embedders_in(name: str, pipeline: IngestPipeline) -> Iterator[Embedder]:
    """Yield what the processors of an ingest pipeline make vectors of, and of which fields."""
    for one in pipeline.processors:
        if isinstance(one, TextEmbedding | SparseEncoding):
            for source, target in _pairs(one.field_map):
                yield Embedder(name, one.model_id, source, target)
        elif isinstance(one, TextImageEmbedding) and "text" in one.field_map:
            yield Embedder(name, one.model_id, one.field_map["text"], one.embedding)


def _pairs(field_map: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield the whole names of the fields that are read and written."""
    for source, target in field_map.items():
        if isinstance(target, Mapping):
            yield from _pairs(target, f"{above}{source}.")
        else:
            yield f"{above}{source}", f"{above}{target}"
