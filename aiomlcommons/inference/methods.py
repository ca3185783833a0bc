"""Typed helpers over predict for local and remote models: embeddings, reranking, highlighting, question answering."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

from aiomlcommons.api.predict import Predict
from aiomlcommons.errors import InvalidRequest, NotSupported
from aiomlcommons.http import CBOR, JSON, HttpResponse
from aiomlcommons.inference import predictions, vectors
from aiomlcommons.inference._by_parameters import ByParameters
from aiomlcommons.inference.embed import Embedded, Rows, TextOf, embed
from aiomlcommons.inference.inputs import KnownInputs, ModelInputs
from aiomlcommons.inference.predictions import Highlight
from aiomlcommons.inference.tables import is_column, is_table, values_of
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.namespace import HasSession
from aiomlcommons.wire.features import Feature
from aiomlcommons.wire.version import Server

Row = TypeVar("Row")
Side: TypeAlias = Literal["query", "passage"]


def checked_texts(name: str, texts: Any) -> Sequence[str]:
    """Return texts: a list of strings as it is, those of a column (an array, a Series) as a list.

    Raises InvalidRequest, with the name and the position, if there are none, or one that is not a string.
    """
    if is_table(texts):
        column = "column of its texts, such as frame['text']"
        raise InvalidRequest(f"{name} must be a list of strings, not a {type(texts).__name__}: give the {column}")
    if is_column(texts):
        texts = values_of(texts)
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise InvalidRequest(f"{name} must be a list of strings, not {type(texts).__name__}")
    if not texts:
        raise InvalidRequest(f"{name} must not be empty: there is nothing to send to the model")
    if set(map(type, texts)) != {str}:  # a fast path for the usual case
        for position, text in enumerate(texts):
            check_text(f"{name}[{position}]", text)
    return texts


def check_text(name: str, text: Any) -> None:
    """Raise InvalidRequest, with the name, unless ``text`` is a string."""
    if not isinstance(text, str):
        raise InvalidRequest(f"{name} must be a string, not {type(text).__name__}")


class Inference(HasSession):
    """Mixin of the session with the helpers over predict. Models are named by id.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/train-predict/predict/
    """

    _server: Server
    _inputs: KnownInputs

    def declare_inputs(self, model_id: str, inputs: ModelInputs) -> None:
        """Name the parameters by which a remote model takes texts: ``ModelInputs(texts="input")``.

        Only Amazon OpenSearch Serverless needs it, and only for a model whose connector does not tell them, or may not
        be read. It holds for this session and its views, bulk jobs included.
        """
        self._inputs.declared[model_id] = inputs

    async def embed_one(self, model_id: str, text: str, *, content_type: Side | None = None) -> Vectors:
        """Embed one text; return an array of shape ``(dimension,)``. See ``embed_many``."""
        check_text("text", text)
        array: Vectors = (await self.embed_many(model_id, [text], content_type=content_type))[0]
        return array

    async def embed_many(self, model_id: str, texts: Sequence[str], *, content_type: Side | None = None) -> Vectors:
        """Embed texts in one request; return an array of shape ``(len(texts), dimension)``.

        The array is float32 unless the model declares another type. For many texts use ``ml.embed``, which sends
        batches concurrently.

        Args:
            model_id: The model.
            texts: The texts; at least one. An array or a Series of texts is one too.
            content_type: For an asymmetric model: whether these are a ``query`` or a ``passage``.

        Raises:
            InvalidRequest: The list is empty, or has an item that is not a string.
            DecodeError: The response does not have one embedding for each text.
            ModelNotReady: The model is not deployed.
        """
        texts = checked_texts("texts", texts)
        parameters = {"content_type": content_type} if content_type else None
        # Only this route passes text_docs to a remote model; a local one ignores the algorithm in the path. Bytes are
        # requested; a model that does not support them responds with numbers.
        request = Predict(
            "text_embedding", model_id, text_docs=texts, return_bytes=True, return_number=False, parameters=parameters
        )
        if (got := await self._by_algorithm(request, accept=CBOR)) is not None:
            return vectors.embeddings(got, len(texts))
        parts = await self._remote(model_id).each(texts, {"side": content_type}, vectors.embeddings, accept=CBOR)
        return vectors.joined(parts)

    def embed(
        self,
        model_id: str,
        rows: Rows[Row],
        *,
        text: TextOf[Row] = None,
        text_default: str | None = None,
        batch: int = 64,
        concurrency: int = 4,
        ordered: bool = True,
        content_type: Side | None = None,
    ) -> AbstractAsyncContextManager[Embedded[Row]]:
        """Stream any number of rows through a model: ``async with ml.embed(model_id, rows) as embedded:``.

        ``async for row, vector in embedded`` yields each row with its vector of shape ``(dimension,)``, float32 unless
        the model declares another type; ``embedded.batches()`` yields whole batches. A slow consumer stops the reading
        of rows (backpressure). Leaving the context early cancels the requests in flight.

        Args:
            model_id: The model.
            rows: Any iterable or async iterable. A data frame or an Arrow table yields its rows as dicts.
            text: Where a row has its text, as for ``ml.ingest``: a field, a path (``"meta.title"``), a template
                (``"{title} {body}"``), or a function of the row. Default: the rows are strings.
            text_default: Stands for a field of ``text`` that is missing, null or NaN. Default: that is an error.
            batch: Rows in one request. Default: 64.
            concurrency: Requests at once; memory is bounded by as many batches. Default: 4.
            ordered: Yield results in the order of the rows; False yields them as they complete. Default: True.
            content_type: For an asymmetric model: whether these are a ``query`` or a ``passage``.

        Raises:
            BatchFailed: A batch cannot be read or embedded; has its rows and the cause. If ordered, all batches before
                it have been yielded.
            ValueError: ``batch`` or ``concurrency`` is below 1.
        """
        embed_texts = partial(self.embed_many, model_id, content_type=content_type)
        return embed(
            embed_texts,
            rows,
            text=text,
            text_default=text_default,
            batch=batch,
            concurrency=concurrency,
            ordered=ordered,
        )

    async def sparse(
        self,
        model_id: str,
        texts: Sequence[str],
        *,
        sparse_embedding_format: Literal["WORD", "TOKEN_ID"] | None = None,
    ) -> list[dict[str, float]]:
        """Encode texts sparsely, by a sparse encoder or tokenizer; return the weight of each token for each text.

        Keys are the tokens, or with ``TOKEN_ID`` their ids as text. Raises as ``embed_many`` does.
        """
        texts = checked_texts("texts", texts)
        parameters = {"sparse_embedding_format": sparse_embedding_format} if sparse_embedding_format else None
        request = Predict("sparse_encoding", model_id, text_docs=texts, parameters=parameters)
        if (got := await self._by_algorithm(request)) is not None:
            return predictions.sparse_vectors(got, len(texts))
        parts = await self._remote(model_id).each(texts, {"further": parameters}, predictions.sparse_vectors)
        return [weights for part in parts for weights in part]

    async def rerank(self, model_id: str, query_text: str, text_docs: Sequence[str]) -> Vectors:
        """Score how well each document answers a query, by a cross-encoder; higher is better.

        Returns a float32 array of shape ``(len(text_docs),)``; ``np.argsort(-scores)`` sorts by relevance. Raises as
        ``embed_many`` does.
        """
        check_text("query_text", query_text)
        text_docs = checked_texts("text_docs", text_docs)
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

    async def _by_algorithm(self, request: Predict, *, accept: str = JSON) -> HttpResponse | None:
        """Return the response of the algorithm route; None if this kind of server does not have it."""
        try:
            if self._server.flavor.has(Feature.ALGORITHM_ROUTE):
                return await self._session.raw(request, accept=accept)
        except NotSupported:
            # The response may have told what kind of server it is.
            if self._server.flavor.has(Feature.ALGORITHM_ROUTE):
                raise
        return None

    def _remote(self, model_id: str) -> ByParameters:
        return ByParameters(self._session, self._inputs, model_id)
