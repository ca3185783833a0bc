"""Embeddings and reranking for LangChain, by a model of OpenSearch ML Commons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiomlcommons.inference.methods import BATCH, CONCURRENCY
from aiomlcommons.integrations._extras import needs
from aiomlcommons.integrations._models import Call, ModelCalls, Options, embeddings, scores
from aiomlcommons.lifecycle.spec import Spec
from aiomlcommons.session import Session

with needs("langchain-core", "langchain"):
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import BaseDocumentCompressor, Document
    from langchain_core.embeddings import Embeddings
    from pydantic import ConfigDict, Field, PositiveInt, PrivateAttr, SkipValidation

__all__ = ["MLCommonsEmbeddings", "MLCommonsRerank"]


class MLCommonsEmbeddings(Embeddings):
    """Embeddings by a dense model: ``MLCommonsEmbeddings("all-MiniLM-L6-v2", "https://host:9200")``.

    Can be used from any thread and any event loop. The session is opened with the first call, in a thread of its own,
    and closed by ``close`` or ``aclose``, when the object is collected, or when the process ends; a call after that
    opens a new one. So does a copy by ``pickle``, and a forked process. An asymmetric model is told what is a query and
    what is a passage.

    Args:
        model: An id, a name or a spec, as ``ml.models.ensure`` takes it; the first call ensures it.
        url: The URL of the cluster. Default: that of the environment, as ``Session.from_env`` reads it.
        session: Further options of Session, such as ``{"auth": (name, password)}``; or an open Session, with which only
            the async methods work, on its event loop, and which stays open.
        batch: Texts in a request. Default: 64.
        concurrency: Requests at once of a call. Default: 4.

    Raises:
        ValueError, TypeError: An option is invalid; or OPENSEARCH_URL is not set, and ``url`` not given.

    The methods raise as ``ml.models.ensure`` and ``ml.embed_many`` do.
    """

    def __init__(
        self,
        model: Spec | str,
        url: str | None = None,
        *,
        session: Session | Mapping[str, Any] | None = None,
        batch: int = BATCH,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._calls = ModelCalls(type(self).__name__, model, url, session=session, batch=batch, concurrency=concurrency)

    @property
    def model(self) -> Spec | str:
        """The id, name or spec of the model."""
        return self._calls.how.model

    @property
    def url(self) -> str:
        """The URL of the cluster, without credentials."""
        return self._calls.url

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed passages; return a vector for each, in their order."""
        return self._calls.run(embeddings(texts, "passage"))

    def embed_query(self, text: str) -> list[float]:
        """Embed a query."""
        return self._calls.run(embeddings([text], "query"))[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed passages, as ``embed_documents`` does; cancelling it cancels the requests."""
        return await self._calls.run_async(embeddings(texts, "passage"))

    async def aembed_query(self, text: str) -> list[float]:
        """Embed a query; cancelling it cancels the request."""
        return (await self._calls.run_async(embeddings([text], "query")))[0]

    def close(self) -> None:
        """Close the session."""
        self._calls.close()

    async def aclose(self) -> None:
        """Close the session."""
        await self._calls.close_async()

    def __repr__(self) -> str:
        return repr(self._calls)


class MLCommonsRerank(BaseDocumentCompressor):
    """Reranking by a cross-encoder: ``MLCommonsRerank(model="ms-marco-MiniLM-L-6-v2", url="https://host:9200")``.

    Documents are returned the best first, as copies with ``relevance_score`` in their metadata; higher is better. What
    is said of sessions at MLCommonsEmbeddings holds here.

    Args:
        model: An id, a name or a spec, as ``ml.models.ensure`` takes it; the first call ensures it.
        url: The URL of the cluster. Default: that of the environment, as ``Session.from_env`` reads it.
        session: Further options of Session, or an open Session.
        top_n: The most documents to return. Default: all.
        batch: Documents in a request. Default: 64.
        concurrency: Requests at once of a call. Default: 4.

    Raises:
        ValueError, TypeError: As MLCommonsEmbeddings does; a ValidationError of pydantic is a ValueError.
    """

    # What is refused is not shown, since a password may be in it.
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    # ModelCalls checks all but top_n, and says what to write instead.
    model: SkipValidation[Spec | str]
    url: SkipValidation[str | None] = None
    session: SkipValidation[Session | Mapping[str, Any] | None] = Field(default=None, exclude=True, repr=False)
    top_n: PositiveInt | None = None
    batch: SkipValidation[int] = BATCH
    concurrency: SkipValidation[int] = CONCURRENCY
    _calls: ModelCalls = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002
        """Make what calls the model, without opening anything; no password is in ``url`` or shown."""
        self._calls = ModelCalls(
            type(self).__name__,
            self.model,
            self.url,
            session=self.session,
            batch=self.batch,
            concurrency=self.concurrency,
        )
        # A frozen model lets nobody assign to it.
        vars(self)["url"] = self._calls.url
        if isinstance(self.session, Mapping):
            vars(self)["session"] = Options(self.session)

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002
    ) -> Sequence[Document]:
        """Return the documents that answer the query best, the best first, with their scores."""
        return self._best(documents, self._calls.run(self._scores(documents, query)))

    async def acompress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002
    ) -> Sequence[Document]:
        """Do as ``compress_documents``; cancelling it cancels the requests."""
        return self._best(documents, await self._calls.run_async(self._scores(documents, query)))

    def close(self) -> None:
        """Close the session."""
        self._calls.close()

    async def aclose(self) -> None:
        """Close the session."""
        await self._calls.close_async()

    def _scores(self, documents: Sequence[Document], query: str) -> Call[list[float]]:
        return scores(query, [document.page_content for document in documents])

    def _best(self, documents: Sequence[Document], found: Sequence[float]) -> list[Document]:
        pairs = sorted(zip(documents, found, strict=True), key=lambda pair: pair[1], reverse=True)
        return [_scored(document, score) for document, score in pairs[: self.top_n]]


def _scored(document: Document, score: float) -> Document:
    return document.model_copy(update={"metadata": {**document.metadata, "relevance_score": score}})
