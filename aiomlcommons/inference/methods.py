"""Typed helpers over predict for local and remote models: embeddings, reranking, highlighting, question answering."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from aiomlcommons.api.predict import Predict
from aiomlcommons.endpoint import Encode, Request
from aiomlcommons.errors import NotSupported
from aiomlcommons.http import CBOR, JSON, HttpResponse
from aiomlcommons.inference import predictions, vectors
from aiomlcommons.inference.embed import Embedded, Rows, TextOf, embed
from aiomlcommons.inference.inputs import KnownInputs, ModelInputs
from aiomlcommons.inference.many import check_sizes, in_batches
from aiomlcommons.inference.predictions import Highlight, Ranked
from aiomlcommons.inference.texts import Texts, check_text, checked_texts
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.namespace import HasSession
from aiomlcommons.net.exchange import Exchange
from aiomlcommons.net.rules import AMOUNT, Rule
from aiomlcommons.progress.event import Callback
from aiomlcommons.tracing.models import asks_model
from aiomlcommons.typed import typed
from aiomlcommons.usage import Context
from aiomlcommons.wire.codec import to_http
from aiomlcommons.wire.features import Feature
from aiomlcommons.wire.prepared import Prepared
from aiomlcommons.wire.version import Server

if TYPE_CHECKING:
    from aiomlcommons.inference._by_parameters import ByParameters

Row = TypeVar("Row")
Side: TypeAlias = Literal["query", "passage"]
SIDE = Rule((str,), "'query' or 'passage'", {"query", "passage"}.__contains__)
# Providers take 96 texts (Cohere), 100 (Gemini) or 2,048 (OpenAI) in a request.
BATCH = 64
CONCURRENCY = 4
EMBED = "`async with ml.embed(...) as embedded:`, then `async for row, vector in embedded:`"


class Inference(HasSession):
    """Mixin of the session with the helpers over predict. Models are named by id.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/train-predict/predict/
    """

    _exchange: Exchange
    _server: Server
    _inputs: KnownInputs

    @typed
    def declare_inputs(self, model_id: str, inputs: ModelInputs) -> None:
        """Name the parameters by which a remote model takes texts: ``ModelInputs(texts="input")``.

        Only Amazon OpenSearch Serverless needs it, and only for a model whose connector does not tell them, or may not
        be read. It holds for this session and its views, bulk jobs included.
        """
        self._inputs.declared[model_id] = inputs

    async def embed_one(self, model_id: str, text: str, *, content_type: Side | None = None) -> Vectors:
        """Embed one text; return an array of shape ``(dimension,)``. See ``embed_many``."""
        check_text("text", text)
        array: Vectors = (await self._embed(model_id, content_type, [text]))[0]
        return array

    async def embed_many(
        self,
        model_id: str,
        texts: Texts,
        *,
        content_type: Side | None = None,
        batch: int | None = BATCH,
        concurrency: int = CONCURRENCY,
    ) -> Vectors:
        """Embed texts; return an array of shape ``(len(texts), dimension)``, in the order of the texts.

        The array is float32 unless the model declares another type. More texts than ``batch`` travel in several
        requests; ``ml.embed`` hands out vectors as they come, for texts that need not be in memory.

        Args:
            model_id: The model.
            texts: The texts; at least one: a list, a tuple, a Series, an array, an Arrow column, a generator.
            content_type: For an asymmetric model: whether these are a ``query`` or a ``passage``.
            batch: Texts in one request; None sends all of them in one. Default: 64, which all providers take.
            concurrency: Requests at once. Default: 4.

        Raises:
            InvalidRequest: There are no texts, or one is not a string.
            DecodeError: The response does not have one embedding for each text.
            ModelNotReady: The model is not deployed.
            ValueError, TypeError: ``batch`` or ``concurrency`` is not a whole number of at least 1.

        Of several requests the first error is raised as it is, with a note that tells which texts it was about.
        """
        texts = checked_texts("texts", texts)
        check_sizes(batch=batch, concurrency=concurrency)
        ask = partial(self._embed, model_id, content_type)
        return vectors.joined(await in_batches(ask, texts, batch=batch, concurrency=concurrency))

    @asks_model("embeddings")
    async def _embed(self, model_id: str, content_type: Side | None, texts: Sequence[str]) -> Vectors:
        """Embed texts in one request, which were checked."""
        if isinstance(model_id, str):
            model_id = str(model_id)  # an EnsuredModel is an id with more to it
        kept = type(model_id) is str and (content_type is None or type(content_type) is str)
        asked = (_embedding if kept else _embedding.__wrapped__)(model_id, content_type)
        if (got := await self._by_algorithm(asked.request, encode=partial(asked.to_http, texts))) is not None:
            return vectors.embeddings(got, len(texts))
        parts = await self._remote(model_id).each(texts, {"side": content_type}, vectors.embeddings, accept=CBOR)
        return vectors.joined(parts)

    @typed(own="rows text concurrency progress", batch=AMOUNT.check)
    def embed(
        self,
        model_id: str,
        rows: Rows[Row],
        *,
        text: TextOf[Row] = None,
        text_default: str | None = None,
        batch: int = BATCH,
        concurrency: int = CONCURRENCY,
        ordered: bool = True,
        content_type: Side | None = None,
        progress: bool | Callback = False,
    ) -> AbstractAsyncContextManager[Embedded[Row]]:
        """Stream any number of rows through a model: ``async with ml.embed(model_id, rows) as embedded:``.

        ``async for row, vector in embedded`` yields each row with its vector of shape ``(dimension,)``, float32 unless
        the model declares another type; ``embedded.batches()`` yields whole batches. A slow consumer stops the reading
        of rows (backpressure). Leaving the context early cancels the requests in flight.

        Args:
            model_id: The model.
            rows: Any iterable or async iterable of rows or texts, a Series, an array, an Arrow column. A data frame or
                an Arrow table yields its rows as dicts, of which ``text`` names the text.
            text: Where a row has its text, as for ``ml.ingest``: a field, a path (``"meta.title"``), a template
                (``"{title} {body}"``), or a function of the row. Default: the rows are strings.
            text_default: Stands for a field of ``text`` that is missing, null or NaN. Default: that is an error.
            batch: Rows in one request. Default: 64.
            concurrency: Requests at once; memory is bounded by as many batches. Default: 4.
            ordered: Yield results in the order of the rows; False yields them as they complete. Default: True.
            content_type: For an asymmetric model: whether these are a ``query`` or a ``passage``.
            progress: True shows how many rows are embedded, in the terminal or the notebook; a function is called with
                a Progress, and awaited if it is async. What it raises ends the call. Default: nothing is shown.

        Raises:
            BatchFailed: A batch cannot be read or embedded; has its rows and the cause. If ordered, all batches before
                it have been yielded.
            InvalidRequest: ``rows`` are no rows, or a table whose text is not named, or a column of anything but texts.
            SessionClosed: The session is not open. No row was read.
            ValueError, TypeError: ``batch`` or ``concurrency`` is not a whole number of at least 1.
        """

        def entered() -> AbstractAsyncContextManager[Embedded[Row]]:
            self._exchange.check_open()
            return embed(
                partial(self._embed, model_id, content_type),
                rows,
                text=text,
                text_default=text_default,
                batch=batch,
                concurrency=concurrency,
                ordered=ordered,
                called=model_id,
                progress=progress,
            )

        return Context("ml.embed(...)", EMBED, entered)

    @asks_model("embeddings")
    @typed(own="model_id texts batch concurrency")
    async def sparse(
        self,
        model_id: str,
        texts: Texts,
        *,
        sparse_embedding_format: Literal["WORD", "TOKEN_ID"] | None = None,
        batch: int | None = BATCH,
        concurrency: int = CONCURRENCY,
    ) -> list[dict[str, float]]:
        """Encode texts sparsely, by a sparse encoder or tokenizer; return the weight of each token for each text.

        Keys are the tokens, or with ``TOKEN_ID`` their ids as text. Takes texts, sends batches and raises as
        ``embed_many`` does.
        """
        texts = checked_texts("texts", texts)
        check_sizes(batch=batch, concurrency=concurrency)
        parameters = {"sparse_embedding_format": sparse_embedding_format} if sparse_embedding_format else None
        ask = partial(self._sparse, model_id, parameters)
        found = await in_batches(ask, texts, batch=batch, concurrency=concurrency)
        return [weights for part in found for weights in part]

    async def _sparse(
        self, model_id: str, parameters: dict[str, Any] | None, texts: Sequence[str]
    ) -> list[dict[str, float]]:
        request = Predict("sparse_encoding", model_id, text_docs=texts, parameters=parameters)
        if (got := await self._by_algorithm(request)) is not None:
            return predictions.sparse_vectors(got, len(texts))
        parts = await self._remote(model_id).each(texts, {"further": parameters}, predictions.sparse_vectors)
        return [weights for part in parts for weights in part]

    @overload
    async def rerank(self, model_id: str, query_text: str, text_docs: Texts, *, top_n: None = None) -> Vectors: ...
    @overload
    async def rerank(self, model_id: str, query_text: str, text_docs: Texts, *, top_n: int) -> list[Ranked]: ...
    @asks_model("rerank")
    async def rerank(
        self, model_id: str, query_text: str, text_docs: Texts, *, top_n: int | None = None
    ) -> Vectors | list[Ranked]:
        """Score how well each document answers a query, by a cross-encoder; higher is better.

        Returns a float32 array of shape ``(len(text_docs),)``, in the order of the documents. With ``top_n`` returns
        the best documents, the best first: ``for index, score in await ml.rerank(..., top_n=5)``.

        Args:
            model_id: The model.
            query_text: The query.
            text_docs: The documents, as ``embed_many`` takes texts; all travel in one request.
            top_n: The most documents to return; fewer if there are not as many. Default: the scores of all of them.

        Raises:
            InvalidRequest: There are no documents, or one is not a string.
            DecodeError: The response does not have one score for each document.
            ModelNotReady: The model is not deployed.
            ValueError, TypeError: ``top_n`` is not a whole number of at least 1.
        """
        check_text("query_text", query_text)
        text_docs = checked_texts("text_docs", text_docs)
        if top_n is not None:
            AMOUNT.check("top_n", top_n)
        scores = await self._scores(model_id, query_text, text_docs)
        return scores if top_n is None else predictions.best(scores, top_n)

    async def _scores(self, model_id: str, query_text: str, text_docs: Sequence[str]) -> Vectors:
        request = Predict("text_similarity", model_id, query_text=query_text, text_docs=text_docs)
        if (got := await self._by_algorithm(request)) is not None:
            return predictions.scores(got, len(text_docs))
        remote = self._remote(model_id)
        return vectors.joined(await remote.each(text_docs, {"query": query_text}, predictions.scores))

    async def highlight(self, model_id: str, question: str, context: str) -> list[Highlight]:
        """Find the sentences of ``context`` that answer a question, by a semantic highlighter; return them in order.

        Raises InvalidRequest for an argument that is not a string, DecodeError for a response without highlights.
        """
        return predictions.highlights(await self._ask(model_id, question, context), context)

    async def answer(self, model_id: str, question: str, context: str) -> str:
        """Extract the part of ``context`` that answers a question, by a question-answering model.

        Raises InvalidRequest for an argument that is not a string, DecodeError for a response without a result.
        """
        return predictions.answer(await self._ask(model_id, question, context))

    async def _ask(self, model_id: str, question: str, context: str) -> HttpResponse:
        check_text("question", question)
        check_text("context", context)
        got = await self._by_algorithm(Predict("question_answering", model_id, question=question, context=context))
        return got or await self._remote(model_id).ask({"question": question, "context": context})

    async def _by_algorithm(self, request: Request[Any], *, encode: Encode | None = None) -> HttpResponse | None:
        """Return the response of the algorithm route; None if this kind of server does not have it."""
        try:
            if self._server.flavor.has(Feature.ALGORITHM_ROUTE):
                return await self._session._raw(request, encode=encode or partial(to_http, request, accept=JSON))
        except NotSupported:
            # The response may have told what kind of server it is.
            if self._server.flavor.has(Feature.ALGORITHM_ROUTE):
                raise
        return None

    def _remote(self, model_id: str) -> ByParameters:
        from aiomlcommons.inference._by_parameters import ByParameters  # with the classes of models and connectors

        return ByParameters(self._session, self._inputs, model_id)


@lru_cache
def _embedding(model_id: str, content_type: Side | None) -> Prepared:
    """Return the request for the embeddings of a model, without the texts."""
    if content_type is not None:
        SIDE.check("content_type", content_type)
    parameters = {"content_type": content_type} if content_type else None
    # Only this route passes text_docs to a remote model; a local one ignores the algorithm in the path. Bytes are
    # requested; a model that does not support them responds with numbers.
    request = Predict("text_embedding", model_id, return_bytes=True, return_number=False, parameters=parameters)
    return Prepared(request, "text_docs", accept=CBOR)
