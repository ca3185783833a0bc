"""Trouble on request: what a client must survive, made to happen.

``emulator.faults.throttle(times=3)`` makes the next three predictions answer 429. A fault meets the requests that it is
``on`` (predictions, unless said otherwise): ``times`` of them (None is for ever), every ``every``-th of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import attrs
from aiohttp import web

from aiomlcommons.api.models import DeployModel
from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.emulator.errors import Refused, refused
from aiomlcommons.endpoint import Request
from aiomlcommons.http import HttpRequest

Goes: TypeAlias = Callable[[], Awaitable[web.Response]]
Action: TypeAlias = Callable[[web.BaseRequest, Goes], Awaitable[web.StreamResponse]]
"""What a fault does: it is given the request, and a function that gives the answer which would have been given."""

Endpoint: TypeAlias = type[Request[Any]]
Where: TypeAlias = "Endpoint | tuple[Endpoint, ...] | Callable[[HttpRequest], bool]"
"""An endpoint, several, or a function of method and path: whichever requests it is true of."""

PREDICTIONS: tuple[Endpoint, ...] = (Predict, PredictByModel)


@attrs.define
class Rule:
    """Which requests a fault meets, and how many of them are still to come."""

    on: Where
    times: int | None = 1
    every: int = 1
    seen: int = 0

    def meets(self, endpoint: Endpoint | None, http: HttpRequest | None) -> bool:
        """Whether this request is met; asking counts it."""
        if self.times == 0 or not self._is_on(endpoint, http):
            return False
        self.seen += 1
        if self.seen % self.every:
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

    _actions: list[tuple[Rule, Action]] = attrs.field(factory=list)
    _fates: list[tuple[Rule, Fate]] = attrs.field(factory=list)

    def add(self, action: Action, *, on: Where = PREDICTIONS, times: int | None = 1, every: int = 1) -> None:
        """Do anything at all to the requests that are met."""
        self._actions.append((Rule(on, times, every), action))

    def clear(self) -> None:
        """Take every fault away."""
        self._actions.clear()
        self._fates.clear()

    def slow(self, seconds: float, *, on: Where = PREDICTIONS, times: int | None = None, every: int = 1) -> None:
        """Answer later."""
        self.add(latency(seconds), on=on, times=times, every=every)

    def throttle(
        self, *, times: int | None = 1, retry_after: int | None = None, on: Where = PREDICTIONS, every: int = 1
    ) -> None:
        """Answer 429, with ``Retry-After`` in seconds where given."""
        throttled = refused(429, "status_exception", "Request is throttled at model level.")
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        self.add(refuse(Refused(429, throttled.body, headers)), on=on, times=times, every=every)

    def fail(
        self, status: int = 500, *, times: int | None = 1, on: Where = PREDICTIONS, every: int = 1, reason: str = "boom"
    ) -> None:
        """Answer an error of the server."""
        self.add(refuse(refused(status, "status_exception", reason)), on=on, times=times, every=every)

    def drop(self, *, times: int | None = 1, on: Where = PREDICTIONS, every: int = 1) -> None:
        """Close the connection without an answer."""
        self.add(drop_connection, on=on, times=times, every=every)

    def cut(self, *, times: int | None = 1, on: Where = PREDICTIONS, every: int = 1) -> None:
        """Close the connection in the middle of the answer."""
        self.add(cut_answer, on=on, times=times, every=every)

    def limit(self, capacity: int, *, on: Where = PREDICTIONS) -> None:
        """Answer 429 to what comes while ``capacity`` requests are being answered."""
        self.add(at_most(capacity), on=on, times=None)

    def fail_task(self, error: str, *, times: int | None = 1, on: Where = DeployModel) -> None:
        """Let the next tasks end FAILED, with this error of the node."""
        self._fates.append((Rule(on, times), Fate(error)))

    def hang_task(self, *, times: int | None = 1, on: Where = DeployModel) -> None:
        """Let the next tasks run for ever."""
        self._fates.append((Rule(on, times), Fate(None)))

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


def at_most(capacity: int) -> Action:
    """Refuse with 429 what comes while ``capacity`` requests are being answered."""
    under_way = 0

    async def action(_: web.BaseRequest, go: Goes) -> web.StreamResponse:
        nonlocal under_way
        if under_way >= capacity:
            raise refused(429, "rejected_execution_exception", f"rejected execution: {capacity} requests are under way")
        under_way += 1
        try:
            return await go()
        finally:
            under_way -= 1

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
