"""Components for LlamaIndex: embeddings, dense and sparse, and a postprocessor that reranks nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiomlcommons.inference.methods import BATCH, CONCURRENCY
from aiomlcommons.integrations._extras import needs
from aiomlcommons.integrations._llama_index import ModelComponent
from aiomlcommons.integrations._models import ModelCalls, embeddings, scores
from aiomlcommons.integrations._token_ids import weights_by_id
from aiomlcommons.session import Session

with needs("llama-index-core", "llama-index"):
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.base.embeddings.base_sparse import BaseSparseEmbedding
    from llama_index.core.bridge.pydantic import Field, PrivateAttr
    from llama_index.core.callbacks import CBEventType, EventPayload
    from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
    from llama_index_instrumentation import get_dispatcher

__all__ = ["MLCommonsEmbedding", "MLCommonsRerank", "MLCommonsSparseEmbedding"]

dispatcher = get_dispatcher(__name__)
# LlamaIndex makes the batches, of at most so many texts: each is one request.
_MOST_IN_BATCH = 2048
# Each class has an ``__init__`` of its own: where a model of pydantic has none, type checkers make one of its fields.


class MLCommonsEmbedding(ModelComponent, BaseEmbedding):
    """Dense embeddings by a model of ML Commons, for an index, a query engine or an ingestion pipeline.

    An asymmetric model is told whether a text is a query or a passage. The session is opened with the first call, on an
    event loop in a thread of its own, which serves the sync methods from any thread and the async ones on any event
    loop, where a cancelled await cancels the request. It is closed by ``close`` or ``await aclose()``, or when the
    object is collected. A copy by ``pickle`` opens a session of its own.

    Args:
        model_name: An id or a name, as ``ml.models.ensure`` takes it, which the first call ensures.
        url: The URL of the cluster. Default: that of the environment, as ``Session.from_env`` reads it.
        session: Further options of Session, such as ``auth`` and ``ca_certs``, which ``to_dict`` leaves out; or an open
            Session, which only the async methods can use, on its event loop.
        embed_batch_size: Texts in a request, at most 2048. Default: 64.
        num_workers: Batches that ``aget_text_embedding_batch`` sends at once; None sends all. Default: 4. The sync
            methods send one after the other.
        **options: Further fields of BaseEmbedding: ``callback_manager``, ``embeddings_cache``, ``rate_limiter``.

    Raises:
        TypeError, ValueError: An option is invalid; or OPENSEARCH_URL is not set, and ``url`` not given.
        MLCommonsError: In calls, as ``ml.models.ensure`` and ``ml.embed_many`` do.
    """

    def __init__(
        self,
        model_name: str,
        url: str | None = None,
        *,
        session: Session | Mapping[str, Any] | None = None,
        embed_batch_size: int = BATCH,
        num_workers: int | None = CONCURRENCY,
        **options: Any,
    ) -> None:
        super().__init__(
            asked=model_name,
            url=url,
            session=session,
            options=options,
            batch=_MOST_IN_BATCH,
            model_name=model_name,
            embed_batch_size=embed_batch_size,
            num_workers=num_workers,
        )

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._calls.run(embeddings([query], "query"))[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return (await self._calls.run_async(embeddings([query], "query")))[0]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._calls.run(embeddings(texts, "passage"))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await self._calls.run_async(embeddings(texts, "passage"))


class MLCommonsSparseEmbedding(ModelComponent, BaseSparseEmbedding):
    """Sparse embeddings by a model of ML Commons: the weight of each token, by the id of the token.

    Session and arguments are those of MLCommonsEmbedding.

    Args:
        query_model_name: The model for queries, such as the tokenizer that belongs to a document-only sparse encoder.
            Default: that for texts.

    Raises:
        TypeError, ValueError: An option is invalid; or OPENSEARCH_URL is not set, and ``url`` not given.
        NotSupported: In calls: the model names no ids of tokens.
        MLCommonsError: In calls, as ``ml.models.ensure`` and ``ml.sparse`` do.
    """

    query_model_name: str | None = Field(default=None, description="The model for queries, if it is another.")
    _query_calls: ModelCalls = PrivateAttr()

    def __init__(
        self,
        model_name: str,
        url: str | None = None,
        *,
        query_model_name: str | None = None,
        session: Session | Mapping[str, Any] | None = None,
        embed_batch_size: int = BATCH,
        num_workers: int | None = CONCURRENCY,
        **options: Any,
    ) -> None:
        super().__init__(
            asked=model_name,
            url=url,
            session=session,
            options=options,
            batch=_MOST_IN_BATCH,
            model_name=model_name,
            query_model_name=query_model_name,
            embed_batch_size=embed_batch_size,
            num_workers=num_workers,
        )
        self._query_calls = self._calls if query_model_name is None else self._calls_of(query_model_name)

    def close(self) -> None:
        """Close the sessions that this object opened; a later call opens new ones."""
        self._calls.close()
        self._query_calls.close()

    async def aclose(self) -> None:
        """Do as ``close``, on an event loop, which goes on meanwhile."""
        await self._calls.close_async()
        await self._query_calls.close_async()

    def _get_query_embedding(self, query: str) -> dict[int, float]:
        return self._query_calls.run(weights_by_id([query]))[0]

    async def _aget_query_embedding(self, query: str) -> dict[int, float]:
        return (await self._query_calls.run_async(weights_by_id([query])))[0]

    def _get_text_embedding(self, text: str) -> dict[int, float]:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> dict[int, float]:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[dict[int, float]]:
        return self._calls.run(weights_by_id(texts))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[dict[int, float]]:
        return await self._calls.run_async(weights_by_id(texts))


class MLCommonsRerank(ModelComponent, BaseNodePostprocessor):
    """A postprocessor that keeps the nodes which answer a query best, by a cross-encoder of ML Commons.

    It returns new ``NodeWithScore`` objects around the same nodes, the best first. The session is that of
    MLCommonsEmbedding.

    Args:
        model: An id or a name, as ``ml.models.ensure`` takes it, which the first call ensures.
        url: The URL of the cluster. Default: that of the environment, as ``Session.from_env`` reads it.
        top_n: The most nodes to keep. Default: 2.
        session: Further options of Session, which ``to_dict`` leaves out, or an open Session.
        **options: Further fields of BaseNodePostprocessor: ``callback_manager``.

    Raises:
        TypeError, ValueError: An option is invalid; or OPENSEARCH_URL is not set, and ``url`` not given. In calls: no
            query is given.
        MLCommonsError: In calls, as ``ml.models.ensure`` and ``ml.rerank`` do.
    """

    model: str = Field(description="The id or the name of the model.")
    top_n: int = Field(description="The most nodes to keep.", gt=0)

    def __init__(
        self,
        model: str,
        url: str | None = None,
        *,
        top_n: int = 2,
        session: Session | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(asked=model, url=url, session=session, options=options, model=model, top_n=top_n)

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = _query(query_bundle)
        if not nodes:
            return []
        with self._told(query, nodes) as kept:
            kept += self._best(nodes, self._calls.run(scores(query, _texts(nodes))))
        return kept

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = _query(query_bundle)
        if not nodes:
            return []
        with self._told(query, nodes) as kept:
            kept += self._best(nodes, await self._calls.run_async(scores(query, _texts(nodes))))
        return kept

    @contextmanager
    def _told(self, query: str, nodes: list[NodeWithScore]) -> Iterator[list[NodeWithScore]]:
        """Tell LlamaIndex that nodes are reranked, and at the end which are kept: those in the list that is given."""
        kept: list[NodeWithScore] = []
        dispatcher.event(ReRankStartEvent(query=query, nodes=nodes, top_n=self.top_n, model_name=self.model))
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query,
            EventPayload.TOP_K: self.top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            yield kept
            event.on_end(payload={EventPayload.NODES: kept})
        dispatcher.event(ReRankEndEvent(nodes=kept))

    def _best(self, nodes: list[NodeWithScore], found: list[float]) -> list[NodeWithScore]:
        ranked = sorted(zip(found, nodes, strict=True), key=lambda pair: -pair[0])[: self.top_n]
        return [NodeWithScore(node=each.node, score=score) for score, each in ranked]


def _query(bundle: QueryBundle | None) -> str:
    if bundle is None:
        raise ValueError("nodes are reranked for a query: give query_str= or query_bundle=")
    return bundle.query_str


def _texts(nodes: list[NodeWithScore]) -> list[str]:
    return [each.node.get_content(metadata_mode=MetadataMode.EMBED) for each in nodes]
