"""Sessions on nodes in memory, in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs
import orjson

from aiomlcommons import HttpRequest, HttpResponse, Session, Timeout
from tests.support.virtual_time import Loop

T = TypeVar("T")
SERVICE = 0.01  # seconds that a request takes


@attrs.define
class Cluster:
    """Answers requests. ``answers`` returns the status and the body; it may raise, or return an awaitable instead."""

    answers: Callable[[HttpRequest], Any]
    loop: Loop = attrs.field(factory=Loop)
    service: float = SERVICE
    sent: list[tuple[float, HttpRequest]] = attrs.field(factory=list)

    async def __call__(self, request: HttpRequest, _: Timeout) -> HttpResponse:
        self.sent.append((self.loop.time(), request))
        await asyncio.sleep(self.service)
        found = self.answers(request)
        status, body = await found if isinstance(found, Awaitable) else found
        return HttpResponse(status, orjson.dumps(body), {"content-type": "application/json"}, request)

    def session(self, urls: str | list[str] = "http://a:1", **options: Any) -> Session:
        """Return a session on its nodes, which take turns in their order."""
        ml = Session(urls, transport=self, **options)
        ml._exchange.nodes.clock = ml._exchange.state.events.lines.clock = self.loop.time
        for turn, node in enumerate(ml._exchange.nodes.nodes):
            node.turn = turn - 100
        return ml

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of work, which must end, and leave no task behind."""
        task = self.loop.create_task(work)
        self.loop.run()
        assert not asyncio.all_tasks(self.loop), "tasks are left"
        return task.result()

    @property
    def in_each_second(self) -> Mapping[int, int]:
        """How many requests there were in each second."""
        return Counter(int(moment) for moment, _ in self.sent)

    @property
    def at_each_node(self) -> Mapping[str, int]:
        """How many requests each node got."""
        return Counter(request.base for _, request in self.sent)


@contextmanager
def cluster(answers: Callable[[HttpRequest], Any], service: float = SERVICE) -> Generator[Cluster]:
    """Give a cluster with an event loop of its own."""
    made = Cluster(answers, service=service)
    try:
        yield made
    finally:
        for task in asyncio.all_tasks(made.loop):
            task.cancel()
        made.loop.run()
        made.loop.close()
