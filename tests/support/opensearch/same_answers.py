"""What ``tests.opensearch.same_ids`` makes on two servers, and asks them: pipelines, indices and queries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import attrs

from aiomlcommons import NotFound, Session
from tests.support.paths import CORPUS

SIZE = 100
DOCUMENTS = [json.loads(line) for line in CORPUS.read_text().splitlines()[:SIZE]]
TEXTS = ("wisdom", "the fear of the LORD", "my son, hear thy father", "silver and hid treasures", "a strange woman")
K = 7
KNN: Mapping[str, Any] = {"type": "knn_vector", "dimension": 16}
METHOD: Mapping[str, Any] = {"name": "hnsw", "engine": "lucene"}


@attrs.frozen
class Models:
    """The ids of the models on one server."""

    dense: str
    sparse: str
    tokenizer: str
    cross_encoder: str


@attrs.frozen
class Side:
    """A server with its models; all that is made there has names with this prefix."""

    ml: Session
    models: Models
    prefix: str = "same-ids-"

    def name(self, name: str) -> str:
        """Return the name of an index or a pipeline."""
        return f"{self.prefix}{name}"

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request; ``{}`` in its path stands for the prefix."""
        return (await self.ml.request(method, path.replace("{}", self.prefix), body=body)).json()

    async def set_up(self) -> None:
        """Make pipelines and indices, and write the corpus into them."""
        for kind, pipelines in (("_ingest", self._pipelines()), ("_search", self._search_pipelines())):
            for name, body in pipelines.items():
                await self.call("PUT", f"/{kind}/pipeline/{{}}{name}", body)
        for name, index in self._indices().items():
            await self.call("PUT", f"/{{}}{name}", index)
            await self._write(name)

    async def tear_down(self) -> None:
        """Remove what ``set_up`` has made, as far as it is there."""
        await self.call("DELETE", "/{}*")
        for kind in ("_ingest", "_search"):
            with suppress(NotFound):
                await self.call("DELETE", f"/{kind}/pipeline/{{}}*")

    async def _write(self, name: str) -> None:
        lines: list[Any] = []
        for row in DOCUMENTS:
            source = {key: value for key, value in row.items() if key != "id"}
            lines += [{"index": {"_id": row["id"]}}, source]
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        answer = await self.call("POST", f"/{{}}{name}/_bulk?refresh=true", body)
        if refused := [item["index"] for item in answer["items"] if "error" in item["index"]]:
            raise AssertionError(f"{self.ml}: {refused[0]}")

    def _pipelines(self) -> dict[str, Any]:
        models, texts = self.models, {"text": "embedding"}
        dense = {"text_embedding": {"model_id": models.dense, "field_map": texts, "batch_size": 16}}
        sparse = {"sparse_encoding": {"model_id": models.sparse, "field_map": {"text": "weights"}, "batch_size": 7}}
        pruned = {"prune_type": "max_ratio", "prune_ratio": 0.3, "field_map": {"text": "pruned"}}
        cut = {"algorithm": {"fixed_token_length": {"token_limit": 6, "overlap_rate": 0.3}}}
        return {
            # Sparse ones are the last, as no other may follow them: it would take a token that is a dot for a bad name.
            "all": {"processors": [dense, sparse]},
            "pruned": {"processors": [{"sparse_encoding": {"model_id": models.sparse, **pruned}}]},
            "chunks": {
                "processors": [
                    {"text_chunking": {**cut, "field_map": {"text": "chunks"}}},
                    {"text_embedding": {"model_id": models.dense, "field_map": {"chunks": "parts"}}},
                ]
            },
        }

    def _search_pipelines(self) -> dict[str, Any]:
        def hybrid(technique: str, mean: str, **more: Any) -> Any:
            parts = {"normalization": {"technique": technique}, "combination": {"technique": mean, **more}}
            return {"phase_results_processors": [{"normalization-processor": parts}]}

        context = {"document_fields": ["text"]}
        rerank = {"rerank": {"ml_opensearch": {"model_id": self.models.cross_encoder}, "context": context}}
        return {
            "min-max": hybrid("min_max", "arithmetic_mean", parameters={"weights": [0.3, 0.7]}),
            "l2": hybrid("l2", "geometric_mean"),
            "harmonic": hybrid("min_max", "harmonic_mean"),
            "z-score": hybrid("z_score", "arithmetic_mean"),
            "rrf": {"phase_results_processors": [{"score-ranker-processor": {"combination": {"technique": "rrf"}}}]},
            "enrich": {"request_processors": [{"neural_query_enricher": {"default_model_id": self.models.dense}}]},
            "two-phase": {"request_processors": [{"neural_sparse_two_phase_processor": {"enabled": True}}]},
            "rerank": {"response_processors": [rerank]},
        }

    def _indices(self) -> dict[str, Any]:
        knn = {"index.knn": True, "number_of_shards": 1, "number_of_replicas": 0}
        vector = {**KNN, "method": {**METHOD, "space_type": "cosinesimil"}}
        features = {"type": "rank_features"}
        fields = {"text": {"type": "text"}, "embedding": vector, "weights": features}
        parts = {"type": "nested", "properties": {"knn": {**KNN, "method": {**METHOD, "space_type": "l2"}}}}
        dense = {"type": "semantic", "model_id": self.models.dense, "dense_embedding_config": {"method": METHOD}}
        sparse = {"type": "semantic", "model_id": self.models.sparse}

        def index(properties: Any, **settings: Any) -> Any:
            return {"settings": {**knn, **settings}, "mappings": {"properties": properties}}

        return {
            "all": index(fields, default_pipeline=self.name("all")),
            "pruned": index({"pruned": features}, default_pipeline=self.name("pruned")),
            "chunks": index({"text": {"type": "text"}, "parts": parts}, default_pipeline=self.name("chunks")),
            "dense": index({"text": dense}),
            "sparse": index({"text": sparse}),
            "cut": index({"text": {**dense, "chunking": True}}),
        }


def queries(models: Models) -> Iterator[tuple[str, str, Any]]:
    """Yield the name, the path and the body of each search. Its path has ``{}`` for the prefix."""
    for text in TEXTS:
        for name, path, body in _queries(models, text):
            yield f"{name}: {text}", path, {"size": K, "_source": ["text"], **body}


def _queries(models: Models, text: str) -> Iterator[tuple[str, str, Any]]:
    near = {"neural": {"embedding": {"query_text": text, "model_id": models.dense, "k": K}}}
    tokens = {"neural_sparse": {"weights": {"query_text": text, "model_id": models.sparse}}}
    match = {"match": {"text": text}}
    everything = "/{}all/_search"
    yield "neural", everything, {"query": near}
    above = {"neural": {"embedding": {"query_text": text, "model_id": models.dense, "min_score": 0.6}}}
    yield "neural, min_score", everything, {"query": above}
    chapter = {"term": {"chapter": 2}}
    filtered = {"neural": {"embedding": {**near["neural"]["embedding"], "filter": chapter}}}
    yield "neural, filter", everything, {"query": filtered}
    unnamed = {"neural": {"embedding": {"query_text": text, "k": K}}}
    yield "neural, enriched", f"{everything}?search_pipeline={{}}enrich", {"query": unnamed}
    yield "neural_sparse", everything, {"query": tokens}
    bag = {"neural_sparse": {"weights": {"query_text": text, "model_id": models.tokenizer}}}
    yield "neural_sparse, tokenizer", everything, {"query": bag}
    pruned = {"neural_sparse": {"pruned": {"query_text": text, "model_id": models.sparse}}}
    yield "neural_sparse, pruned", "/{}pruned/_search", {"query": pruned}
    yield "neural_sparse, two phases", f"{everything}?search_pipeline={{}}two-phase", {"query": tokens}
    for name in ("min-max", "l2", "harmonic", "z-score", "rrf"):
        path = f"{everything}?search_pipeline={{}}{name}"
        yield f"hybrid, {name}", path, {"query": {"hybrid": {"queries": [match, near]}}}
        yield (
            f"hybrid, {name}, page 2",
            path,
            {
                "query": {"hybrid": {"queries": [match, tokens], "pagination_depth": 20}},
                "from": 3,
                "size": 3,
            },
        )
    yield (
        "rerank",
        f"{everything}?search_pipeline={{}}rerank",
        {
            "query": match,
            "ext": {"rerank": {"query_context": {"query_text": text}}},
        },
    )
    inner = {"neural": {"parts.knn": {"query_text": text, "model_id": models.dense, "k": K}}}
    nested = {"nested": {"path": "parts", "query": inner, "score_mode": "max"}}
    yield "neural, nested chunks", "/{}chunks/_search", {"query": nested}
    for name in ("dense", "sparse", "cut"):
        yield f"semantic, {name}", f"/{{}}{name}/_search", {"query": {"neural": {"text": {"query_text": text}}}}
