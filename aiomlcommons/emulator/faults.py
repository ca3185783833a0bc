"""Fault injection: errors and delays that a client must survive, on request.

``emulator.faults.throttle(times=3)`` answers the next three predictions with 429, also those that pipelines and queries
ask for. A fault applies to the requests that
match ``on`` (predictions by default): the first ``times`` of them (None is no limit), every ``every``-th of them, or
each with the probability ``chance``, 0 to 1. Random numbers come from ``faults.random``, which has the same seed in
every emulator.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeAlias, TypedDict, TypeVar, Unpack

import attrs
from aiohttp import web

from aiomlcommons.api.models import DeployModel
from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.emulator.errors import HEAP_FULL, Refused, breaker_open, circuit_broken, refused
from aiomlcommons.emulator.pool import CallNext, Pool
from aiomlcommons.endpoint import Request
from aiomlcommons.http import HttpRequest
from aiomlcommons.typed import typed

T = TypeVar("T")
Action: TypeAlias = Callable[[web.BaseRequest, CallNext], Awaitable[web.StreamResponse]]
"""A fault as a middleware: it receives the request, and a function that returns the normal response."""

REQUEST: ContextVar[web.BaseRequest] = ContextVar("REQUEST")
"""The request that is being answered."""
GONE = "[emulator][127.0.0.1:9300][cluster:admin/opensearch/ml/predict] disconnected"

Endpoint: TypeAlias = type[Request[Any]]
Where: TypeAlias = "Endpoint | tuple[Endpoint, ...] | Callable[[HttpRequest], bool]"
"""Which requests: an endpoint, several, or a predicate of the HTTP request."""

PREDICTIONS: tuple[Endpoint, ...] = (Predict, PredictByModel)


class Matching(TypedDict, total=False):
    """Which requests a fault applies to: the options that every fault has beside ``times``."""

    on: Where
    every: int
    chance: float


@attrs.define
class Rule:
    """Which requests a fault applies to, and how many are left."""

    on: Where
    times: int | None = 1
    every: int = 1
    chance: float = 1.0
    draw: Callable[[], float] = random.random
    seen: int = 0

    def matches(self, endpoint: Endpoint | None, http: HttpRequest | None) -> bool:
        """Return whether the fault applies to this request, which is counted."""
        if self.times == 0 or not self._is_on(endpoint, http):
            return False
        self.seen += 1
        if self.seen % self.every or (self.chance < 1 and self.draw() >= self.chance):
            return False
        self.times = None if self.times is None else self.times - 1
        return True

    def _is_on(self, endpoint: Endpoint | None, http: HttpRequest | None) -> bool:
        if isinstance(self.on, tuple):
            return endpoint in self.on
        if isinstance(self.on, type):
            return endpoint is self.on
        return http is not None and self.on(http)


@attrs.frozen
class TaskOutcome:
    """How a task ends: with an error, or never where that is None."""

    error: str | None


@attrs.define
class Faults:
    """The faults of an emulator; several may apply to a request, the first one is the outermost."""

    random: random.Random = attrs.field(factory=lambda: random.Random(0))  # noqa: S311 - not for cryptography
    _actions: list[tuple[Rule, Action]] = attrs.field(factory=list)
    _task_outcomes: list[tuple[Rule, TaskOutcome]] = attrs.field(factory=list)
    _races: list[Rule] = attrs.field(factory=list)
    has_internet: bool = True

    @typed
    def add(
        self,
        action: Action,
        *,
        on: Where = PREDICTIONS,
        times: int | None = 1,
        every: int = 1,
        chance: float = 1.0,
    ) -> None:
        """Wrap the matching requests in an action, as a middleware does."""
        self._actions.append((Rule(on, times, every, chance, self.random.random), action))

    def clear(self) -> None:
        """Remove all faults."""
        self._actions.clear()
        self._task_outcomes.clear()
        self._races.clear()
        self.has_internet = True

    @typed
    def slow(self, seconds: float, *, times: int | None = None, **matching: Unpack[Matching]) -> None:
        """Delay the response."""
        self.add(latency(seconds), times=times, **matching)

    @typed
    def throttle(self, *, retry_after: int | None = None, times: int | None = 1, **matching: Unpack[Matching]) -> None:
        """Respond with 429, and with ``Retry-After`` in seconds where given."""
        throttled = refused(429, "status_exception", "Request is throttled at model level.")
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        self.add(refuse(Refused(429, throttled.body, headers)), times=times, **matching)

    @typed
    def fail(
        self, status: int = 500, *, reason: str = "boom", times: int | None = 1, **matching: Unpack[Matching]
    ) -> None:
        """Respond with an error of the server."""
        self.add(refuse(refused(status, "status_exception", reason)), times=times, **matching)

    def break_circuit(self, *, heap: bool = False, times: int | None = 1, **matching: Unpack[Matching]) -> None:
        """Respond with 429 as the memory circuit breaker of OpenSearch, or with ``heap`` that of ML Commons."""
        self.add(refuse(breaker_open(HEAP_FULL) if heap else circuit_broken()), times=times, **matching)

    @typed
    def cold_start(self, *, times: int = 2, seconds: float = 0.0) -> None:
        """Respond to the next requests, whichever, with 503 after so many seconds, as a collection that wakes up."""
        waking = refuse(Refused(503, None))

        async def action(request: web.BaseRequest, call_next: CallNext) -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return await waking(request, call_next)

        self.add(action, on=lambda _: True, times=times)

    def drop(self, *, times: int | None = 1, **matching: Unpack[Matching]) -> None:
        """Close the connection without a response."""
        self.add(drop_connection, times=times, **matching)

    def cut(self, *, times: int | None = 1, **matching: Unpack[Matching]) -> None:
        """Close the connection in the middle of the response."""
        self.add(cut_answer, times=times, **matching)

    @typed
    def limit(self, capacity: int, *, seconds: float = 0.0, queue: float = 0, on: Where = PREDICTIONS) -> Pool:
        """Process ``capacity`` requests at once, each for ``seconds``; queue up to ``queue``, reject others with 429.

        The returned pool can be resized while it is in use.
        """
        pool = Pool(capacity, seconds, queue)
        self.add(pool, on=on, times=None)
        return pool

    def fail_task(self, error: str, *, times: int | None = 1, on: Where = DeployModel) -> None:
        """Let the next tasks end FAILED, with this error of the node."""
        self._task_outcomes.append((Rule(on, times), TaskOutcome(error)))

    def hang_task(self, *, times: int | None = 1, on: Where = DeployModel) -> None:
        """Let the next tasks run forever."""
        self._task_outcomes.append((Rule(on, times), TaskOutcome(None)))

    def race(self, *, on: Where, times: int | None = 1) -> None:
        """Let another client win a race: it writes the document that the request has read, or takes the name."""
        self._races.append(Rule(on, times))

    def no_internet(self) -> None:
        """Let the cluster fail to download pretrained models."""
        self.has_internet = False

    async def around(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Let a pipeline or a query ask a model, with the faults that apply to predictions."""
        answers: list[T] = []

        async def call_next() -> web.Response:
            answers.append(await ask())
            return web.Response()

        call: Any = call_next
        for action in reversed(self._applying(Predict, None)):
            call = partial(action, REQUEST.get(), call)
        await call()
        if not answers:
            raise refused(500, "node_disconnected_exception", GONE)
        return answers[0]

    def raced(self, request: Request[Any]) -> bool:
        """Return whether another client wins a race against this request, between its read and its write."""
        return any(rule.matches(type(request), None) for rule in self._races)

    def task_outcome(self, request: Request[Any]) -> TaskOutcome | None:
        """Return the injected outcome of the task that a request starts; None for a normal task."""
        return next((outcome for rule, outcome in self._task_outcomes if rule.matches(type(request), None)), None)

    def actions_for(self, endpoint: Endpoint | None, http: HttpRequest) -> list[Action]:
        """Return the actions that apply to a request."""
        return self._applying(endpoint, http)

    def _applying(self, endpoint: Endpoint | None, http: HttpRequest | None) -> list[Action]:
        return [action for rule, action in self._actions if rule.matches(endpoint, http)]


def latency(seconds: float) -> Action:
    """Return an action that delays the response."""

    async def action(_: web.BaseRequest, call_next: CallNext) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await call_next()

    return action


def refuse(error: Refused) -> Action:
    """Return an action that responds with an error."""

    async def action(_request: web.BaseRequest, _next: CallNext) -> web.StreamResponse:
        raise error

    return action


async def drop_connection(request: web.BaseRequest, _: CallNext) -> web.StreamResponse:
    """Close the connection without a response."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def cut_answer(request: web.BaseRequest, call_next: CallNext) -> web.StreamResponse:
    """Send the headers and half of the body, and close the connection."""
    response = await call_next()
    body = response.body if isinstance(response.body, bytes) else b""
    part = web.StreamResponse(status=response.status, headers={"content-type": response.headers["content-type"]})
    part.content_length = len(body)
    await part.prepare(request)
    await part.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return part
