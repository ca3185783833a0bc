"""Components for Haystack pipelines: embedders of texts and documents, dense and sparse, and a ranker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiomlcommons.inference.methods import BATCH, CONCURRENCY
from aiomlcommons.integrations._extras import needs
from aiomlcommons.integrations._haystack import (
    Credentials,
    DocumentComponent,
    ModelComponent,
    Options,
    TextComponent,
    check_documents,
    texts_of,
)
from aiomlcommons.integrations._models import Call, embeddings, scores
from aiomlcommons.integrations._token_ids import weights_by_id

with needs("haystack-ai", "haystack"):
    from haystack import Document, component
    from haystack.dataclasses import SparseEmbedding

__all__ = [
    "MLCommonsDocumentEmbedder",
    "MLCommonsRanker",
    "MLCommonsSparseDocumentEmbedder",
    "MLCommonsSparseTextEmbedder",
    "MLCommonsTextEmbedder",
]


@component
class MLCommonsTextEmbedder(TextComponent):
    """Embeds a string, such as a query, by a dense model: ``run(text)`` returns its ``embedding``.

    An asymmetric model is told that the text is a query. The session is opened by ``warm_up`` or the first run, on an
    event loop in a thread of its own, which serves ``run`` from any thread and ``run_async`` on any event loop;
    ``close``, or the end of the object, closes it. Components can be stored, but for credentials in plain text;
    ``Pipeline.loads`` needs ``allowed_modules=["aiomlcommons.integrations.haystack"]`` to load them.

    Args:
        model: An id or a name, as ``ml.models.ensure`` takes it; it is ensured when the session is opened.
        url: The URL of the cluster. Default: that of the environment, as ``Session.from_env`` reads it.
        prefix: A text to put before the string, for a model that wants one and does not add it by itself.
        suffix: A text to put behind it.
        auth: A pair (user name, password), or a token: each a ``Secret``, which is read when the session is opened;
            the user name may be plain. Or an ``AwsAuth`` or the like, which cannot be stored. Default: none, or with
            the URL also those of the environment.
        session: Further options of Session; or an open Session, which only ``run_async`` can use, on its event loop,
            and which cannot be stored.

    Raises:
        TypeError: The input is not a string.
        MLCommonsError: As ``ml.models.ensure`` and ``ml.embed_many`` do.
    """

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, Any]:
        """Embed a string; return its ``embedding``."""
        return _embedding(self._calls.run(self._query(text)))

    @component.output_types(embedding=list[float])
    async def run_async(self, text: str) -> dict[str, Any]:
        """Do as ``run``, on an event loop. Cancelling it cancels the request."""
        return _embedding(await self._calls.run_async(self._query(text)))

    def _query(self, text: str) -> Call[list[list[float]]]:
        return embeddings([self._text(text)], "query")


@component
class MLCommonsDocumentEmbedder(DocumentComponent):
    """Embeds documents by a dense model: ``run(documents)`` returns copies of them with their ``embedding``.

    An asymmetric model is told that they are passages. Session, storing, and the other arguments are those of
    MLCommonsTextEmbedder.

    Args:
        meta_fields_to_embed: Fields of ``meta`` to embed in front of the content; those that are None are left out.
        embedding_separator: What stands between these fields and the content.
        batch_size: Documents in a request.
        concurrency: Requests at once.

    Raises:
        TypeError: The input is not a list of documents.
        MLCommonsError: As ``ml.models.ensure`` and ``ml.embed_many`` do: the documents are embedded all, or none.
    """

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Embed documents; return ``documents``, in the same order."""
        return _embedded(documents, self._embed(_passages, documents))

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, Any]:
        """Do as ``run``, on an event loop. Cancelling it cancels the requests."""
        return _embedded(documents, await self._embed_async(_passages, documents))


@component
class MLCommonsSparseTextEmbedder(TextComponent):
    """Embeds a string by a sparse model: ``run(text)`` returns its ``sparse_embedding``, by the ids of the tokens.

    To search what a document-only sparse encoder embedded, ``model`` is the tokenizer that belongs to it. Session,
    storing, and the arguments are those of MLCommonsTextEmbedder.

    Raises:
        TypeError: The input is not a string.
        NotSupported: The model names no ids of tokens.
        MLCommonsError: As ``ml.models.ensure`` and ``ml.sparse`` do.
    """

    @component.output_types(sparse_embedding=SparseEmbedding)
    def run(self, text: str) -> dict[str, Any]:
        """Embed a string; return its ``sparse_embedding``."""
        return {"sparse_embedding": _sparse(*self._calls.run(weights_by_id([self._text(text)])))}

    @component.output_types(sparse_embedding=SparseEmbedding)
    async def run_async(self, text: str) -> dict[str, Any]:
        """Do as ``run``, on an event loop. Cancelling it cancels the request."""
        return {"sparse_embedding": _sparse(*await self._calls.run_async(weights_by_id([self._text(text)])))}


@component
class MLCommonsSparseDocumentEmbedder(DocumentComponent):
    """Embeds documents by a sparse model: ``run(documents)`` returns copies of them with their ``sparse_embedding``.

    Session, storing, and the arguments are those of MLCommonsDocumentEmbedder.

    Raises:
        TypeError: The input is not a list of documents.
        NotSupported: The model names no ids of tokens.
        MLCommonsError: As ``ml.models.ensure`` and ``ml.sparse`` do: the documents are embedded all, or none.
    """

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Embed documents; return ``documents``, in the same order."""
        return _embedded_sparsely(documents, self._embed(weights_by_id, documents))

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, Any]:
        """Do as ``run``, on an event loop. Cancelling it cancels the requests."""
        return _embedded_sparsely(documents, await self._embed_async(weights_by_id, documents))


@component
class MLCommonsRanker(ModelComponent):
    """Ranks documents by how well they answer a query, by a cross-encoder: ``run(query, documents)``.

    Returns copies of the documents with their new ``score``, the best first. Of documents with the same id, the one
    with the highest score before counts. Session and storing are those of MLCommonsTextEmbedder.

    Args:
        top_k: The most documents to return.
        score_threshold: The lowest score of a document that is returned. What scores a model gives, its makers tell:
            often any number, not one from 0 to 1. Default: any.
        meta_fields_to_embed: Fields of ``meta`` to put in front of the content; those that are None are left out.
        embedding_separator: What stands between these fields and the content.
        batch_size: Documents in a request.
        concurrency: Requests at once.

    Raises:
        TypeError: The input is not a list of documents.
        ValueError: ``top_k`` is not above 0.
        MLCommonsError: As ``ml.models.ensure`` and ``ml.rerank`` do.
    """

    def __init__(
        self,
        model: str,
        url: str | None = None,
        *,
        top_k: int = 10,
        score_threshold: float | None = None,
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
        batch_size: int = BATCH,
        concurrency: int = CONCURRENCY,
        auth: Credentials | None = None,
        session: Options | None = None,
    ) -> None:
        # Not super(): the decorator makes another class of this one, which is none of its heirs.
        ModelComponent.__init__(self, model, url, auth, session, batch_size, concurrency)
        self.top_k, self.score_threshold = _checked(top_k), score_threshold
        self.meta_fields_to_embed, self.embedding_separator = meta_fields_to_embed or [], embedding_separator

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None, score_threshold: float | None = None
    ) -> dict[str, Any]:
        """Rank documents; return the best as ``documents``. What is given here counts in place of the own values."""
        each = self._candidates(documents, top_k)
        return self._best(each, self._calls.run(self._scores(query, each)) if each else [], top_k, score_threshold)

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, documents: list[Document], top_k: int | None = None, score_threshold: float | None = None
    ) -> dict[str, Any]:
        """Do as ``run``, on an event loop. Cancelling it cancels the request."""
        each = self._candidates(documents, top_k)
        found = await self._calls.run_async(self._scores(query, each)) if each else []
        return self._best(each, found, top_k, score_threshold)

    def _candidates(self, documents: list[Document], top_k: int | None) -> list[Document]:
        """Return the documents to be ranked, each once; check the arguments."""
        check_documents(type(self).__name__, documents)
        _checked(self.top_k if top_k is None else top_k)
        kept: dict[str, Document] = {}
        for document in documents:
            if _score(document) > _score(kept.setdefault(document.id, document)):
                kept[document.id] = document
        return list(kept.values())

    def _scores(self, query: str, documents: list[Document]) -> Call[list[float]]:
        return scores(query, texts_of(documents, self.meta_fields_to_embed, self.embedding_separator))

    def _best(
        self, documents: list[Document], found: list[float], top_k: int | None, score_threshold: float | None
    ) -> dict[str, Any]:
        lowest = self.score_threshold if score_threshold is None else score_threshold
        ranked = sorted(zip(found, documents, strict=True), key=lambda pair: -pair[0])[: top_k or self.top_k]
        return {
            "documents": [replace(each, score=score) for score, each in ranked if lowest is None or score >= lowest]
        }


def _passages(texts: list[str]) -> Call[list[list[float]]]:
    return embeddings(texts, "passage")


def _embedding(vectors: list[list[float]]) -> dict[str, Any]:
    return {"embedding": vectors[0]}


def _embedded(documents: list[Document], vectors: list[list[float]]) -> dict[str, Any]:
    found = zip(documents, vectors, strict=True)
    return {"documents": [replace(document, embedding=vector) for document, vector in found]}


def _embedded_sparsely(documents: list[Document], weights: list[dict[int, float]]) -> dict[str, Any]:
    found = zip(documents, weights, strict=True)
    return {"documents": [replace(document, sparse_embedding=_sparse(one)) for document, one in found]}


def _sparse(weights: dict[int, float]) -> SparseEmbedding:
    return SparseEmbedding(indices=list(weights), values=list(weights.values()))


def _score(document: Document) -> float:
    return float("-inf") if document.score is None else document.score


def _checked(top_k: int) -> int:
    if top_k <= 0:
        raise ValueError(f"top_k must be > 0, but got {top_k}")
    return top_k
