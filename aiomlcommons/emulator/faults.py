"""Trouble on request: what a client must survive, made to happen.

``emulator.faults.throttle(times=3)`` makes the next three predictions answer 429. A fault meets the requests that it is
``on`` (predictions, unless said otherwise): ``times`` of them (None is for ever), every ``every``-th of them, or each
with a ``chance`` of 0 to 1. Chances are drawn from ``faults.random``, which begins alike in every emulator.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypedDict, Unpack

import attrs
from aiohttp import web

from aiomlcommons.api.models import DeployModel
from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.emulator.errors import Refused, circuit_broken, heap_full, refused
from aiomlcommons.emulator.pool import Goes, Pool
from aiomlcommons.endpoint import Request
from aiomlcommons.http import HttpRequest

Action: TypeAlias = Callable[[web.BaseRequest, Goes], Awaitable[web.StreamResponse]]
"""What a fault does: it is given the request, and a function that gives the answer which would have been given."""

Endpoint: TypeAlias = type[Request[Any]]
Where: TypeAlias = "Endpoint | tuple[Endpoint, ...] | Callable[[HttpRequest], bool]"
"""An endpoint, several, or a function of method and path: whichever requests it is true of."""

PREDICTIONS: tuple[Endpoint, ...] = (Predict, PredictByModel)


class Met(TypedDict, total=False):
    """Which requests a fault meets, as every fault takes it beside ``times``."""

    on: Where
    every: int
    chance: float


@attrs.define
class Rule:
    """Which requests a fault meets, and how many of them are still to come."""

    on: Where
    times: int | None = 1
    every: int = 1
    chance: float = 1.0
    draw: Callable[[], float] = random.random
    seen: int = 0

    def meets(self, endpoint: Endpoint | None, http: HttpRequest | None) -> bool:
        """Whether this request is met; asking counts it."""
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
class Fate:
    """How a task ends: with an error, or never where that is None."""

    error: str | None


@attrs.define
class Faults:
    """The faults of an emulator; several may meet one request, the first one outermost."""

    random: random.Random = attrs.field(factory=lambda: random.Random(0))  # noqa: S311 - trouble is no secret
    _actions: list[tuple[Rule, Action]] = attrs.field(factory=list)
    _fates: list[tuple[Rule, Fate]] = attrs.field(factory=list)
    _races: list[Rule] = attrs.field(factory=list)
    has_internet: bool = True

    def add(
        self,
        action: Action,
        *,
        on: Where = PREDICTIONS,
        times: int | None = 1,
        every: int = 1,
        chance: float = 1.0,
    ) -> None:
        """Do anything at all to the requests that are met."""
        self._actions.append((Rule(on, times, every, chance, self.random.random), action))

    def clear(self) -> None:
        """Take every fault away."""
        self._actions.clear()
        self._fates.clear()
        self._races.clear()
        self.has_internet = True

    def slow(self, seconds: float, *, times: int | None = None, **met: Unpack[Met]) -> None:
        """Answer later."""
        self.add(latency(seconds), times=times, **met)

    def throttle(self, *, retry_after: int | None = None, times: int | None = 1, **met: Unpack[Met]) -> None:
        """Answer 429, with ``Retry-After`` in seconds where given."""
        throttled = refused(429, "status_exception", "Request is throttled at model level.")
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        self.add(refuse(Refused(429, throttled.body, headers)), times=times, **met)

    def fail(self, status: int = 500, *, reason: str = "boom", times: int | None = 1, **met: Unpack[Met]) -> None:
        """Answer an error of the server."""
        self.add(refuse(refused(status, "status_exception", reason)), times=times, **met)

    def break_circuit(self, *, heap: bool = False, times: int | None = 1, **met: Unpack[Met]) -> None:
        """Answer 429, as while the node's memory is full: in OpenSearch's words, or in ML Commons' own for the heap."""
        self.add(refuse(heap_full() if heap else circuit_broken()), times=times, **met)

    def drop(self, *, times: int | None = 1, **met: Unpack[Met]) -> None:
        """Close the connection without an answer."""
        self.add(drop_connection, times=times, **met)

    def cut(self, *, times: int | None = 1, **met: Unpack[Met]) -> None:
        """Close the connection in the middle of the answer."""
        self.add(cut_answer, times=times, **met)

    def limit(self, capacity: int, *, seconds: float = 0.0, queue: float = 0, on: Where = PREDICTIONS) -> Pool:
        """Work on ``capacity`` requests at once, each for ``seconds``; let ``queue`` wait, and answer 429 to the rest.

        What it returns can be given another ``capacity`` while it works.
        """
        pool = Pool(capacity, seconds, queue)
        self.add(pool, on=on, times=None)
        return pool

    def fail_task(self, error: str, *, times: int | None = 1, on: Where = DeployModel) -> None:
        """Let the next tasks end FAILED, with this error of the node."""
        self._fates.append((Rule(on, times), Fate(error)))

    def hang_task(self, *, times: int | None = 1, on: Where = DeployModel) -> None:
        """Let the next tasks run for ever."""
        self._fates.append((Rule(on, times), Fate(None)))

    def race(self, *, on: Where, times: int | None = 1) -> None:
        """Let somebody else be quicker: to write the document that the request has read, or to take the name."""
        self._races.append(Rule(on, times))

    def no_internet(self) -> None:
        """Let the cluster not reach the files of pretrained models."""
        self.has_internet = False

    def raced(self, request: Request[Any]) -> bool:
        """Whether somebody else is quicker than a request that has read, and is going to write."""
        return any(rule.meets(type(request), None) for rule in self._races)

    def fate(self, request: Request[Any]) -> Fate | None:
        """What is to become of the task that a request starts; None is its natural end."""
        return next((fate for rule, fate in self._fates if rule.meets(type(request), None)), None)

    def met(self, endpoint: Endpoint | None, http: HttpRequest) -> list[Action]:
        """What is to be done to a request."""
        return [action for rule, action in self._actions if rule.meets(endpoint, http)]


def latency(seconds: float) -> Action:
    """Answer later."""

    async def action(_: web.BaseRequest, go: Goes) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await go()

    return action


def refuse(error: Refused) -> Action:
    """Answer an error."""

    async def action(_request: web.BaseRequest, _go: Goes) -> web.StreamResponse:
        raise error

    return action


async def drop_connection(request: web.BaseRequest, _: Goes) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def cut_answer(request: web.BaseRequest, go: Goes) -> web.StreamResponse:
    """Send the head and half of the body, and close the connection."""
    whole = await go()
    body = whole.body if isinstance(whole.body, bytes) else b""
    part = web.StreamResponse(status=whole.status, headers={"content-type": whole.headers["content-type"]})
    part.content_length = len(body)
    await part.prepare(request)
    await part.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return part
