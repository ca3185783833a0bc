"""A deadline of the caller knows only that it is over: a note of the CancelledError says what was waited for."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import anyio
import pytest

from aiomlcommons import Backoff, HttpRequest, Session
from aiomlcommons.net.nodes import REFUSES
from tests.support.recording_server import INFO
from tests.support.virtual_cluster import Cluster, cluster

Serving: TypeAlias = Callable[[Callable[[HttpRequest], Any]], Cluster]
A = "http://127.0.0.1:1"
FINE = 200, INFO
THROTTLED = 429, {"error": {"type": "status_exception", "reason": "too many requests"}, "status": 429}
PACE = Backoff(first=4, factor=1, jitter=0)
FAILED = "the last failure was 429 too many requests [x-opaque-id one]"


@pytest.fixture
def serving() -> Iterator[Serving]:
    with ExitStack() as stack:
        yield lambda answers: stack.enter_context(cluster(answers))


async def by_asyncio(work: Awaitable[Any], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await work


async def by_anyio(work: Awaitable[Any], seconds: float) -> None:
    with anyio.fail_after(seconds):
        await work


async def by_wait_for(work: Awaitable[Any], seconds: float) -> None:
    await asyncio.wait_for(work, seconds)


def shown(served: Cluster, *, within: float, by: Any = by_asyncio, **options: Any) -> str:
    """Return the traceback of a call that a deadline ends."""

    async def work() -> str:
        async with served.session(A, **{"backoff": PACE, "retries": 100, **options}) as ml:
            try:
                await by(ml.options(opaque_id="one").info(), within)
            except TimeoutError:
                return traceback.format_exc()
        raise AssertionError("no deadline ended it")

    return served.run(work())


@pytest.mark.parametrize("by", [by_asyncio, by_anyio, by_wait_for])
def test_a_deadline_in_endless_refusals_names_the_last_one(serving: Serving, by: Any) -> None:
    words = shown(serving(lambda _: THROTTLED), within=10, by=by)
    paused = "while it waited for its next attempt (a pause of 4.0 s)"
    assert f"\nGET / at {A}: given up after 10.0 s, {paused}; attempt 3, {FAILED}\n" in words


def test_a_deadline_while_nothing_comes_says_so(serving: Serving) -> None:
    words = shown(serving(lambda _: asyncio.sleep(99)), within=5)
    assert f"\nGET / at {A}: given up after 5.0 s, while it waited for its response [x-opaque-id one]\n" in words


def test_a_deadline_before_the_turn_of_a_call_says_so(serving: Serving) -> None:
    served = serving(lambda _: THROTTLED)
    notes: list[list[str]] = []

    async def call(ml: Session) -> None:
        try:
            await ml.info()
        except asyncio.CancelledError as error:
            notes.append(error.__notes__)
            raise

    async def work() -> None:
        async with served.session(A, backoff=PACE, retries=100) as ml:
            with anyio.move_on_after(20):
                await asyncio.gather(*(call(ml) for _ in range(10 * REFUSES)))

    served.run(work())
    assert len(notes) == 10 * REFUSES, "each has a note of its own"
    assert all(len(found) == 1 for found in notes)
    assert any("given up after 20.0 s, while it waited for its turn; attempt" in found[0] for found in notes)


def test_a_deadline_over_batches_in_flight_tells_of_some_of_them(serving: Serving) -> None:
    """Their tasks are cancelled, but the error is that of the task which waits for all of them."""
    served = serving(lambda http: FINE if http.path == "/" else THROTTLED)

    async def work() -> list[str]:
        async with served.session(A, backoff=PACE, retries=100) as ml:
            try:
                async with asyncio.timeout(10):
                    async with ml.embed("m", ["a"] * 1000, concurrency=8) as embedded:
                        await anext(embedded)
            except TimeoutError as error:
                return list(error.__cause__.__notes__) if error.__cause__ else []
        raise AssertionError("no deadline ended it")

    notes = served.run(work())
    assert len(notes) == 3
    assert all("/_predict/text_embedding/m at" in note and "429 too many requests" in note for note in notes)


def test_the_log_tells_it_too_where_no_traceback_is_shown(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    """``asyncio.gather``, for one, loses the errors of its tasks."""
    caplog.set_level(logging.INFO, "aiomlcommons")
    shown(serving(lambda _: THROTTLED), within=10)
    assert caplog.messages[-1].startswith(f"GET / at {A}: given up after 10.0 s, ")


def test_a_call_without_trouble_that_is_cancelled_is_told_at_debug_only(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiomlcommons")
    shown(serving(lambda _: asyncio.sleep(99)), within=5)
    assert caplog.messages == []


@pytest.mark.parametrize("within", [2.0])
def test_a_deadline_for_a_task_names_the_task_and_its_state(serving: Serving, within: float) -> None:
    served = serving(lambda _: (200, {"task_type": "DEPLOY_MODEL", "state": "RUNNING"}))

    async def work() -> str:
        async with served.session(A) as ml:
            try:
                await by_asyncio(ml.task("t"), within)
            except TimeoutError:
                return traceback.format_exc()
        raise AssertionError("no deadline ended it")

    assert ": the wait for DEPLOY_MODEL t, which is RUNNING\n" in served.run(work())


def test_a_deadline_for_a_model_names_the_last_step(serving: Serving) -> None:
    served = serving(lambda http: THROTTLED if "/_plugins" in http.path else FINE)

    async def work() -> str:
        async with served.session(A, retries=100) as ml:
            try:
                await by_asyncio(ml.models.ensure("all-MiniLM-L6-v2"), 10)
            except TimeoutError:
                return traceback.format_exc()
        raise AssertionError("no deadline ended it")

    words = served.run(work())
    assert ": ensure, whose last step was checking: all-MiniLM-L6-v2\n" in words
    assert "the last failure was 429 too many requests" in words
