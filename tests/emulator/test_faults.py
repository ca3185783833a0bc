"""Fault injection: each fault does what it says, as often as it says."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import attrs
import pytest
from aiohttp import web

from aiomlcommons import ConnectError, ServerError, Session, TaskFailed, TaskStalled, TooManyRequests
from aiomlcommons.api.model_groups import GetModelGroup
from aiomlcommons.api.model_registration import RegisterModel
from aiomlcommons.api.server import GetInfo
from aiomlcommons.emulator import Emulator, Faults
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.pool import Pool
from aiomlcommons.http import HttpRequest
from tests.support.emulated_models import DENSE, NOW

pytestmark = pytest.mark.asyncio

REFUSALS: list[tuple[Callable[[Faults], None], type[Exception], str]] = [
    (lambda faults: faults.throttle(times=2), TooManyRequests, "throttled"),
    (lambda faults: faults.fail(500, times=2), ServerError, "boom"),
    (lambda faults: faults.fail(503, times=2, reason="not today"), ServerError, "not today"),
    (lambda faults: faults.drop(times=2), ConnectError, "closed the connection"),
    (lambda faults: faults.cut(times=2), ConnectError, "was truncated"),
]


@pytest.mark.parametrize(("make", "error", "words"), REFUSALS)
async def test_a_fault_meets_as_many_predictions_as_it_is_told(
    ml: Session,
    dense: str,
    ml_emulator: Emulator,
    make: Callable[[Faults], None],
    error: type[Exception],
    words: str,
) -> None:
    make(ml_emulator.faults)
    for _ in range(2):
        with pytest.raises(error, match=words):
            await ml.embed_one(dense, "a")
        await ml.models.get(dense)  # other requests are not affected
    assert (await ml.embed_one(dense, "a")).shape == (384,)


@pytest.mark.parametrize(("make", "error", "words"), REFUSALS)
async def test_a_session_that_repeats_calls_survives_what_passes(
    ml_url: str,
    ml: Session,
    dense: str,
    ml_emulator: Emulator,
    make: Callable[[Faults], None],
    error: type[Exception],
    words: str,
) -> None:
    make(ml_emulator.faults)
    async with Session(ml_url, retries=2, backoff=NOW) as patient:
        if words == "boom":
            with pytest.raises(error):  # a plain 500 is not known to be transient
                await patient.embed_one(dense, "a")
        else:
            assert (await patient.embed_one(dense, "a")).shape == (384,)


async def test_every_third_request_is_met(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    ml_emulator.faults.fail(every=3, times=None)
    met = []
    for _ in range(7):
        try:
            await ml.embed_one(dense, "a")
            met.append(False)
        except ServerError:
            met.append(True)
    assert met == [False, False, True, False, False, True, False]


async def test_each_request_is_met_with_a_chance_that_is_drawn_alike_in_every_emulator() -> None:
    http, drawn = HttpRequest("GET", "/"), []
    for faults in (Faults(), Faults()):
        faults.fail(on=lambda _: True, times=None, chance=0.2)
        drawn.append([bool(faults.actions_for(None, http)) for _ in range(1000)])
    assert drawn[0] == drawn[1]
    assert 150 < sum(drawn[0]) < 250


async def test_what_is_met_by_chance_is_met_so_many_times_at_most() -> None:
    http, faults = HttpRequest("GET", "/"), Faults()
    faults.drop(on=lambda _: True, times=3, every=2, chance=0.5)
    assert sum(bool(faults.actions_for(None, http)) for _ in range(100)) == 3


async def test_throttling_says_when_to_come_again(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    ml_emulator.faults.throttle(retry_after=7)
    with pytest.raises(TooManyRequests) as caught:
        await ml.embed_one(dense, "a")
    assert caught.value.retry_after == 7


async def test_a_fault_is_on_an_endpoint_or_on_what_a_function_says(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.faults.fail(on=GetInfo)
    ml_emulator.faults.fail(on=lambda http: http.path.startswith("/_cluster"), reason="no settings today")
    with pytest.raises(ServerError, match="boom"):
        await ml.info()
    with pytest.raises(ServerError, match="no settings today"):
        await ml.settings.get()
    await ml.info()
    await ml.settings.get()


async def test_a_fault_can_meet_a_route_that_nobody_knows(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.faults.fail(on=lambda http: http.path == "/nope")
    with pytest.raises(ServerError, match="boom"):
        await ml.request("GET", "/nope")


async def test_faults_that_are_cleared_are_gone(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    ml_emulator.faults.fail(times=None)
    ml_emulator.faults.hang_task()
    ml_emulator.faults.clear()
    await ml.embed_one(dense, "a")
    await ml.task(await ml.models.deploy(dense), backoff=NOW)


async def test_latency_delays_and_then_answers(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    loop = asyncio.get_running_loop()
    ml_emulator.faults.slow(0.02, times=1)
    started = loop.time()
    assert (await ml.embed_one(dense, "a")).shape == (384,)
    assert loop.time() - started >= 0.02


async def test_faults_add_up(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    loop = asyncio.get_running_loop()
    ml_emulator.faults.slow(0.02)
    ml_emulator.faults.fail()
    started = loop.time()
    with pytest.raises(ServerError):
        await ml.embed_one(dense, "a")
    assert loop.time() - started >= 0.02


async def test_what_comes_over_capacity_is_refused(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    ml_emulator.faults.limit(2)
    ml_emulator.faults.slow(0.02)
    got = await asyncio.gather(*(ml.embed_one(dense, "a") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, TooManyRequests) for answer in got) == 3
    await ml.embed_one(dense, "a")  # a finished request frees its thread


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@attrs.define
class Requests:
    """Requests to a pool whose processing takes as long as a test wants."""

    pool: Pool
    works: list[asyncio.Event] = attrs.field(factory=list)
    tasks: list[asyncio.Task[Any]] = attrs.field(factory=list)

    async def come(self, count: int) -> None:
        for _ in range(count):
            self.tasks.append(asyncio.create_task(self.pool(None, self._go)))  # type: ignore[arg-type]
            await turns()

    async def _go(self) -> web.Response:
        self.works.append(asyncio.Event())
        await self.works[-1].wait()
        return web.Response()

    async def done(self, *numbers: int) -> None:
        for number in numbers:
            self.works[number].set()
        await turns()

    def refused(self) -> list[bool]:
        return [task.done() and isinstance(task.exception(), Refused) for task in self.tasks]

    async def end(self) -> None:
        while not all(task.done() for task in self.tasks):
            await self.done(*range(len(self.works)))


async def test_a_pool_works_on_some_lets_others_wait_and_refuses_the_rest() -> None:
    requests = Requests(Pool(2, queue=3))
    await requests.come(7)
    assert requests.refused() == [False] * 5 + [True] * 2
    assert len(requests.works) == 2
    await requests.done(0)
    assert len(requests.works) == 3
    await requests.come(2)  # one left the queue, so there is room for one
    assert requests.refused()[-2:] == [False, True]
    await requests.end()
    assert (requests.pool.served, requests.pool.turned_away) == (6, 3)


async def test_a_pool_may_be_made_larger_and_smaller() -> None:
    requests = Requests(Pool(1, queue=math.inf))
    await requests.come(5)
    requests.pool.resize(3)
    await turns()
    assert len(requests.works) == 3
    requests.pool.resize(1)
    await requests.done(0, 1)
    assert len(requests.works) == 3
    await requests.done(2)
    assert len(requests.works) == 4
    await requests.end()


@pytest.mark.parametrize("called", [False, True])
async def test_who_leaves_the_line_takes_no_place(called: bool) -> None:
    requests = Requests(Pool(1, queue=math.inf))
    await requests.come(3)
    if called:
        requests.works[0].set()
        while not requests.tasks[0].done():  # noqa: ASYNC110 - single turns, until another one was called
            await asyncio.sleep(0)
    requests.tasks[1].cancel()
    await turns()
    assert requests.tasks[1].cancelled()
    await requests.done(0)
    assert len(requests.works) == 2
    await requests.end()


async def test_a_pool_takes_its_time_for_each_request(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    loop = asyncio.get_running_loop()
    pool = ml_emulator.faults.limit(1, seconds=0.02, queue=math.inf)
    started = loop.time()
    await asyncio.gather(*(ml.embed_one(dense, "a") for _ in range(3)))
    assert loop.time() - started >= 0.06
    assert pool.served == 3


async def test_a_task_fails_as_it_is_told(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    ml_emulator.faults.fail_task("out of memory")
    with pytest.raises(TaskFailed, match="out of memory") as caught:
        await ml.task(await ml.models.deploy(dense), backoff=NOW)
    assert list(caught.value.node_errors.values()) == ["out of memory"]
    await ml.task(await ml.models.deploy(dense), backoff=NOW)


async def test_a_registration_fails_as_it_is_told(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.faults.fail_task("no way to the artifacts", on=RegisterModel)
    started = await ml.models.register(DENSE, version="1.0.2", model_format="TORCH_SCRIPT")
    with pytest.raises(TaskFailed, match="no way to the artifacts"):
        await ml.task(started, backoff=NOW)


async def test_a_task_hangs_for_ever(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    ml_emulator.faults.hang_task()
    started = await ml.models.deploy(dense)
    with pytest.raises(TaskStalled, match="still RUNNING"):
        await ml.task(started, backoff=NOW, stall_timeout=0)


async def test_a_request_that_hangs_does_not_hold_up_the_end(ml_emulator: Emulator) -> None:
    reached = asyncio.Event()

    async def never(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    ml_emulator.faults.add(never, on=GetModelGroup)  # type: ignore[arg-type]
    serving = AsyncExitStack()
    url = await serving.enter_async_context(ml_emulator.serve())
    async with Session(url, retries=0) as ml:
        asking = asyncio.create_task(ml.model_groups.get("x"))
        await reached.wait()
        await serving.aclose()
        with pytest.raises(ConnectError):
            await asking


async def test_the_heap_has_a_breaker_with_words_of_its_own(ml: Session, ml_emulator: Emulator, dense: str) -> None:
    ml_emulator.faults.break_circuit(heap=True)
    with pytest.raises(TooManyRequests, match="Memory Circuit Breaker is open") as caught:
        await ml.embed_one(dense, "a")
    assert caught.value.body["error"]["durability"] == "TRANSIENT"
    assert (await ml.embed_one(dense, "a")).shape == (384,)
