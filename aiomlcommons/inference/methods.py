"""The typed helpers over predict: text in, arrays or plain values out, whichever kind of model answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from aiomlcommons.api.predict import Predict
from aiomlcommons.endpoint import Record, record
from aiomlcommons.errors import DecodeError, InvalidRequest
from aiomlcommons.http import CBOR, HttpResponse
from aiomlcommons.inference import vectors
from aiomlcommons.inference.embed import Embedded, Rows, TextOf, embed
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.namespace import HasSession
from aiomlcommons.wire import convert

T = TypeVar("T")
Row = TypeVar("Row")
Side: TypeAlias = Literal["query", "passage"]


@record
class Highlight(Record):
    """A sentence that answers a question: ``text`` is ``context[start:end]`` without blanks around it.

    ``position`` is the number of the sentence, from 0. The server counts UTF-16 units, where a character such as an
    emoji counts twice; these are indices of Python.
    """

    start: int
    end: int
    text: str = ""
    position: int | None = None


def check_texts(name: str, texts: Any) -> None:
    """Refuse what is not a list of strings, or an empty one, before the network.

    Raises InvalidRequest with the name and the position.
    """
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise InvalidRequest(f"{name} must be a list of strings, not {type(texts).__name__}")
    if not texts:
        raise InvalidRequest(f"{name} must not be empty: there is nothing to ask the model")
    if set(map(type, texts)) == {str}:
        return  # the usual case, in one step
    for position, text in enumerate(texts):
        check_text(f"{name}[{position}]", text)


def check_text(name: str, text: Any) -> None:
    """Refuse what is not a string.

    Raises InvalidRequest with the name.
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"{name} must be a string, not {type(text).__name__}")


class Inference(HasSession):
    """What a session adds to ask models. Models are named by their id.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/train-predict/predict/
    """

    async def embed_one(self, model_id: str, text: str, *, content_type: Side | None = None) -> Vectors:
        """The embedding of one text, an array of shape ``(dimension,)``. See ``embed_many``."""
        check_text("text", text)
        array: Vectors = (await self.embed_many(model_id, [text], content_type=content_type))[0]
        return array

    async def embed_many(self, model_id: str, texts: Sequence[str], *, content_type: Side | None = None) -> Vectors:
        """The embeddings of texts in one request, an array of shape ``(len(texts), dimension)``.

        float32, unless the model says another type. ``content_type`` tells an asymmetric model whether these are a
        ``query`` or a ``passage``. For many texts use ``ml.embed``, which sends batches side by side.

        Raises InvalidRequest for an empty list or what is not a string, DecodeError where the model gives no embedding
        for each text, ModelNotReady where it is not deployed.
        """
        check_texts("texts", texts)
        parameters = {"content_type": content_type} if content_type else None
        # text_docs reach a remote model through this route only, and a local one does not mind the algorithm's name.
        # Bytes are asked for; a model that has none answers numbers.
        request = Predict(
            "text_embedding", model_id, text_docs=texts, return_bytes=True, return_number=False, parameters=parameters
        )
        return vectors.embeddings(await self._session.raw(request, accept=CBOR), len(texts))

    def embed(
        self,
        model_id: str,
        rows: Rows[Row],
        *,
        text: TextOf[Row] = None,
        batch: int = 64,
        concurrency: int = 4,
        ordered: bool = True,
        content_type: Side | None = None,
    ) -> AbstractAsyncContextManager[Embedded[Row]]:
        """Stream any number of rows through a model: ``async with ml.embed(model_id, rows) as embedded:``.

        ``async for row, vector in embedded`` gives each row with its float32 vector of shape ``(dimension,)``;
        ``embedded.batches()`` gives whole batches. ``rows`` is any iterable or async iterable; ``text`` names the
        field of a row's text, or is a path (``"meta.title"``), a template (``"{title} {body}"``) or a function, as for
        ``ml.ingest``; without it rows are strings. ``batch`` (default 64) rows go in one
        request, ``concurrency`` (default 4) requests at once, which also bounds memory. Results keep the order of the
        rows, unless ``ordered=False`` gives them as they are finished. Leaving early cancels what is under way.

        Raises BatchFailed, with the batch's rows and the cause, where a batch cannot be read or embedded; the batches
        before it have been handed out.
        """
        embed_texts = partial(self.embed_many, model_id, content_type=content_type)
        return embed(embed_texts, rows, text=text, batch=batch, concurrency=concurrency, ordered=ordered)

    async def sparse(
        self,
        model_id: str,
        texts: Sequence[str],
        *,
        sparse_embedding_format: Literal["WORD", "TOKEN_ID"] | None = None,
    ) -> list[dict[str, float]]:
        """The weight of each token of each text, from a sparse encoder or tokenizer.

        Keys are the tokens, or their numbers as text with ``TOKEN_ID``. Raises as ``embed_many`` does.
        """
        check_texts("texts", texts)
        parameters = {"sparse_embedding_format": sparse_embedding_format} if sparse_embedding_format else None
        got = await self._session.raw(Predict("sparse_encoding", model_id, text_docs=texts, parameters=parameters))
        return _read(got, len(texts), _weights)

    async def rerank(self, model_id: str, query_text: str, text_docs: Sequence[str]) -> Vectors:
        """How well each document answers a query, a float32 array of shape ``(len(text_docs),)``; higher is better.

        ``np.argsort(-scores)`` puts the best first. Raises as ``embed_many`` does.
        """
        check_text("query_text", query_text)
        check_texts("text_docs", text_docs)
        got = await self._session.raw(Predict("text_similarity", model_id, query_text=query_text, text_docs=text_docs))
        return np.array(_read(got, len(text_docs), _scores), dtype=np.float32)

    async def highlight(self, model_id: str, question: str, context: str) -> list[Highlight]:
        """The sentences of ``context`` that a semantic highlighter finds for a question, in their order.

        Raises InvalidRequest for what is not a string, DecodeError for an answer without highlights.
        """
        got = await self._ask(model_id, question, context)
        return _read(got, None, partial(_highlights, context))

    async def answer(self, model_id: str, question: str, context: str) -> str:
        """The part of ``context`` that answers a question, by a question-answering model.

        Raises InvalidRequest for what is not a string, DecodeError for an answer without a result.
        """
        return _read(await self._ask(model_id, question, context), 1, _results)[0]

    async def _ask(self, model_id: str, question: str, context: str) -> HttpResponse:
        check_text("question", question)
        check_text("context", context)
        return await self._session.raw(Predict("question_answering", model_id, question=question, context=context))


def _read(got: HttpResponse, count: int | None, pick: Callable[[Mapping[str, Any]], list[T]]) -> list[T]:
    """What ``pick`` finds in each tensor of an answer, ``count`` in all."""
    try:
        found = [value for tensor in vectors.outputs(got.json()) for value in pick(tensor)]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DecodeError(f"the answer is not of this kind of model: {error!r}", got) from None
    if count is not None and len(found) != count:
        raise DecodeError(f"{count} results were expected and {len(found)} came back", got)
    return found


def _weights(tensor: Mapping[str, Any]) -> list[dict[str, float]]:
    # A local model gives one map for each text; a remote one may give all of them in one tensor.
    return [dict(weights.items()) for weights in tensor["dataAsMap"]["response"]]


def _scores(tensor: Mapping[str, Any]) -> list[float]:
    return [float(tensor["data"][0])]


def _results(tensor: Mapping[str, Any]) -> list[str]:
    return [convert.structure(tensor["result"], str)]


def _highlights(context: str, tensor: Mapping[str, Any]) -> list[Highlight]:
    return [_highlight(context, span) for span in tensor["dataAsMap"]["highlights"]]


def _highlight(context: str, span: Mapping[str, Any]) -> Highlight:
    # The server writes these numbers as floats, a remote model as whole numbers.
    whole = {key: _whole(span[key]) for key in ("start", "end", "position") if key in span}
    start, end = _place(context, whole["start"], whole["end"], span.get("text"))
    return convert.structure({"text": context[start:end], **span, **whole, "start": start, "end": end}, Highlight)


def _whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _place(context: str, start: int, end: int, text: str | None) -> tuple[int, int]:
    """Where a passage stands in the text of Python.

    A local model counts UTF-16 units and tells the text, which is the proof. A model of a provider that is written in
    Python counts as Python does.
    """
    units = context.encode("utf-16-le")
    first, last = (len(units[: 2 * offset].decode("utf-16-le", "ignore")) for offset in (start, end))
    is_python = text is None or (context[first:last].strip() != text and context[start:end].strip() == text)
    return (start, end) if is_python else (first, last)
