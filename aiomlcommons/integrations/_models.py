"""What the components of every framework stand on: calls of one model, from any thread and any event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import attrs

from aiomlcommons.errors import ModelNotReady, NotFound
from aiomlcommons.indices.model_field import is_asymmetric
from aiomlcommons.inference.many import check_sizes, in_batches
from aiomlcommons.inference.methods import BATCH, CONCURRENCY, Side
from aiomlcommons.inference.texts import check_text, checked_texts
from aiomlcommons.integrations._actors import Worker, session_of
from aiomlcommons.lifecycle.spec import Spec
from aiomlcommons.record import kind_of
from aiomlcommons.session import Session
from aiomlcommons.wire.features import Feature

if TYPE_CHECKING:
    from aiomlcommons.lifecycle.ensured import EnsuredModel

T = TypeVar("T")
Weights: TypeAlias = "dict[str, float]"


class ModelCalls(Worker["Call[Any]", Any]):
    """The calls of a component to its model.

    A component makes one of these, and asks it for what the functions below describe: ``calls.run(embeddings(texts,
    "query"))``, or on an event loop ``await calls.run_async(embeddings(texts, "query"))``, which goes on meanwhile;
    cancelling it cancels the call. The session is opened with the first call, on an event loop in a thread of its own,
    and closed by ``close``, when the object is collected, or when the process ends. A copy by ``pickle``, or a forked
    process, opens a session of its own. Or the caller gives an open session, which only ``run_async`` can use, on the
    event loop of that session; it stays open.

    Args:
        component: The name of the component, for messages.
        model: An id, a name or a spec, as ``ml.models.ensure`` takes it, which the first call ensures.
        url: The URL of the cluster. Default: that of the environment, as ``Session.from_env`` reads it.
        session: Further options of Session, or an open Session.
        batch: Texts in a request.
        concurrency: Requests at once of a call.

    Raises:
        ValueError, TypeError: An option is invalid; or OPENSEARCH_URL is not set, and ``url`` not given.
    """

    def __init__(
        self,
        component: str,
        model: Spec | str,
        url: str | None = None,
        *,
        session: Session | Mapping[str, Any] | None = None,
        batch: int = BATCH,
        concurrency: int = CONCURRENCY,
    ) -> None:
        super().__init__()
        check_sizes(batch=batch, concurrency=concurrency)
        if not isinstance(model, str | Spec):
            raise TypeError(
                f"model must be an id, a name or a spec such as PretrainedModel, not {type(model).__name__}"
            )
        if not isinstance(session, Session | Mapping | None):
            raise TypeError(
                f"session must be options of Session, or an open aiomlcommons.Session, not {_kind(session)}"
            )
        self.component = component
        self.how = How(model, batch, concurrency)
        self._given: Asked | None = None
        if isinstance(session, Session):
            if url is not None:
                raise ValueError("url is that of the open session that is given: leave it out")
            self._given, self.url = Asked(session, self.how), session.url
        else:
            if url is None and not os.environ.get("OPENSEARCH_URL"):
                raise ValueError(f"OPENSEARCH_URL is not set: give {component} url='https://host:9200', or set it")
            self._where = Where(url, Options(session or {}))
            self.url = session_of(url, self._where.options).url  # without the password that may be in it

    def run(self, call: Call[T]) -> T:
        """Make a call and wait for its result. Raises RuntimeError if an open session was given."""
        if self._given is not None:
            raise RuntimeError(
                f"{self.component} was given an open session, for which only its event loop can wait: use the async "
                f"methods there, or give {self.component} url= and the options of a session, so that it opens one"
            )
        found: T = self._run(call)
        return found

    async def run_async(self, call: Call[T]) -> T:
        """Make a call and await its result, on any event loop; on that of the session, if an open one was given."""
        found: T = await (self._run_async(call) if self._given is None else self._given(call))
        return found

    async def close_async(self) -> None:
        """Do as ``close``, on an event loop, which goes on meanwhile."""
        await asyncio.to_thread(self.close)

    def _working(self) -> AbstractAsyncContextManager[Callable[[Call[Any]], Awaitable[Any]]]:
        return _opened(self._where, self.how)

    def __getstate__(self) -> dict[str, Any]:
        if self._given is not None:
            raise TypeError(f"{self.component} with an open session cannot be copied or sent to a process: give url=")
        return super().__getstate__()

    def __repr__(self) -> str:
        return f"{self.component}({self.how.model!r}, {self.url!r})"  # without the options, which may have passwords


def _kind(session: object) -> str:
    return "a synchronous one" if hasattr(session, "async_session") else kind_of(session)


@attrs.frozen
class How:
    """The model of a component, and how it is asked."""

    model: Spec | str
    batch: int
    concurrency: int


class Options(dict[str, Any]):
    """The options of a session, whose values are not shown: a password may be in any."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self)})"


@attrs.frozen
class Where:
    """The URL and the options of a session."""

    url: str | None = attrs.field(repr=False)  # a password may be in it
    options: Options


@asynccontextmanager
async def _opened(where: Where, how: How) -> AsyncGenerator[Asked]:
    async with session_of(where.url, where.options) as session:
        yield Asked(session, how)


# ---- on the event loop of the session ------------------------------------------------------------------------------


@attrs.define
class Asked:
    """A session and the model that is asked over it, which the first call ensures."""

    ml: Session
    how: How
    _ensured: EnsuredModel | None = None
    _one_at_once: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def __call__(self, call: Call[T]) -> T:
        """Make a call. A model that is undeployed or gone meanwhile is ensured again, once."""
        found = self._ensured
        model = found or await self._model(None)
        try:
            return await call(self.ml, model, self.how)
        except (ModelNotReady, NotFound):
            if found is None:
                raise
        return await call(self.ml, await self._model(found), self.how)

    async def _model(self, failed: EnsuredModel | None) -> EnsuredModel:
        """Return the model, which is ensured unless another call has done it."""
        async with self._one_at_once:
            if self._ensured is None or self._ensured is failed:
                self._ensured = None
                self._ensured = await self.ml.models.ensure(self.how.model)
            return self._ensured


Call: TypeAlias = "Callable[[Session, EnsuredModel, How], Awaitable[T]]"
"""What ``ModelCalls`` can be asked for."""


async def ensured(ml: Session, model: EnsuredModel, how: How) -> EnsuredModel:  # noqa: ARG001
    """Ensure the model, as each call does, and do no more: to warm up."""
    return model


def embeddings(texts: Sequence[str], side: Side | None) -> Call[list[list[float]]]:
    """Describe a call for dense vectors. An asymmetric model is told whether texts are a query or passages.

    No texts have no vectors. Raises InvalidRequest for texts that are not strings.
    """
    checked = _checked(texts)

    async def call(ml: Session, model: EnsuredModel, how: How) -> list[list[float]]:
        if not checked:
            return []
        vectors = await ml.embed_many(
            model, checked, content_type=_side(ml, model, side), batch=how.batch, concurrency=how.concurrency
        )
        lists: list[list[float]] = vectors.tolist()
        return lists

    return call


def weights(texts: Sequence[str], format: Literal["WORD", "TOKEN_ID"] | None = None) -> Call[list[Weights]]:
    """Describe a call for sparse vectors: the weight of each token, or with ``TOKEN_ID`` of the token's id as text."""
    checked = _checked(texts)

    async def call(ml: Session, model: EnsuredModel, how: How) -> list[Weights]:
        if not checked:
            return []
        return await ml.sparse(
            model, checked, sparse_embedding_format=format, batch=how.batch, concurrency=how.concurrency
        )

    return call


def scores(query: str, texts: Sequence[str]) -> Call[list[float]]:
    """Describe a call for how well each text answers a query; higher is better. Texts travel in batches."""
    check_text("query", query)
    checked = _checked(texts)

    async def call(ml: Session, model: EnsuredModel, how: How) -> list[float]:
        if not checked:
            return []
        ask = partial(ml.rerank, model, query)
        found = await in_batches(ask, checked, batch=how.batch, concurrency=how.concurrency)
        return [score for some in found for score in some.tolist()]

    return call


def _checked(texts: Sequence[str]) -> Sequence[str]:
    """Return the texts; no texts are allowed here."""
    return [] if isinstance(texts, list | tuple) and not texts else checked_texts("texts", texts)


def _side(ml: Session, model: EnsuredModel, side: Side | None) -> Side | None:
    """Return the side, if the model can be told it: the server refuses it for a model that is not asymmetric."""
    # Without the algorithm route, the client itself finds out whether the model's connector has a parameter for it.
    told = is_asymmetric(model.model) or not ml.flavor.has(Feature.ALGORITHM_ROUTE)
    return side if told else None
