"""Circuits: calls to what does nothing but refuse are spaced, by one budget for the session. Time is virtual."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from aiomlcommons import (
    ApiError,
    Backoff,
    BearerAuth,
    ConnectError,
    HttpRequest,
    HttpResponse,
    Session,
    TooManyRequests,
)
from aiomlcommons.client import Client, at_own_pace
from aiomlcommons.errors import words_of
from aiomlcommons.net.circuit import AHEAD, MOST, Caller, Circuits
from aiomlcommons.net.exchange import LONGEST_RETRY_AFTER
from aiomlcommons.net.nodes import REFUSES
from aiomlcommons.net.retry_budget import PROBES
from tests.support.recording_server import INFO
from tests.support.virtual_cluster import SERVICE, Cluster, cluster

THROTTLED = 429, {"error": {"type": "status_exception", "reason": "too many requests"}, "status": 429}
PROVIDERS: Any = 429, {"error": {"type": "status_exception", "reason": "Error from remote service: slow down"}}
FINE = 200, INFO
BACKOFF = Backoff(cap=10)
SPACING = BACKOFF.cap / PROBES
BUDGET = int(5 * AHEAD)
CALLERS = 100
Serving: TypeAlias = Callable[[Callable[[HttpRequest], Any]], Cluster]
BOTH = ["http://a:1", "http://b:1"]


@dataclass
class Own:
    """An auth of a program's own, which cannot be hashed."""

    name: str

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:
        return {"authorization": self.name}


AsUser: TypeAlias = Callable[[Session, str], Session]
OWN = {name: Own(name) for name in ("alice", "bob")}
# A service makes a view for each call, of credentials that it makes anew.
AS_USER: dict[str, AsUser] = {
    "header": lambda ml, name: ml.options(headers={"authorization": name}),
    "token": lambda ml, name: ml.options(auth=BearerAuth(name)),
    "own": lambda ml, name: ml.options(auth=OWN[name]),
}


@pytest.fixture
def serving() -> Iterator[Serving]:
    with ExitStack() as stack:
        yield lambda answers: stack.enter_context(cluster(answers))


def refuses(_: HttpRequest) -> Any:
    return THROTTLED


async def all_at_once(*views: Client) -> list[Any]:
    found: list[Any] = await asyncio.gather(*(view.info() for view in views), return_exceptions=True)
    return found


async def opened(ml: Session) -> None:
    """Have the circuit opened, and its budget spent."""
    for calls in (REFUSES, BUDGET):
        await all_at_once(*[ml.options(retries=0)] * calls)


def test_a_server_that_only_refuses_gets_a_bounded_number_of_requests_a_second(serving: Serving) -> None:
    served = serving(refuses)

    async def work() -> list[Any]:
        async with served.session(backoff=BACKOFF) as ml:
            views = [ml.options(opaque_id=f"user-{number}") for number in range(CALLERS)]
            return await all_at_once(*views)

    assert {type(error) for error in served.run(work())} == {TooManyRequests}
    seconds = served.in_each_second
    assert seconds[0] + seconds[1] <= CALLERS + BUDGET + 2 / SPACING, "nobody knows better; then the budget pays"
    assert max(count for second, count in seconds.items() if second > 1) <= 1 / SPACING


def test_a_success_closes_it_at_once_and_releases_those_who_wait(serving: Serving) -> None:
    recovered = 30.0

    def answers(_: HttpRequest) -> Any:
        return THROTTLED if asyncio.get_running_loop().time() < recovered else FINE

    served = serving(answers)

    async def work() -> list[Any]:
        async with served.session(backoff=BACKOFF, retries=50) as ml:
            return await all_at_once(*[ml] * 40)

    assert not [error for error in served.run(work()) if isinstance(error, Exception)]
    assert served.in_each_second[30] >= 40 - 10, "but for those who wait for their own backoff"
    assert served.loop.time() <= recovered + SPACING + BACKOFF.cap


def test_a_call_whose_turn_is_too_far_away_fails_at_once_with_the_last_refusal(serving: Serving) -> None:
    served = serving(refuses)
    ended: list[tuple[float, TooManyRequests]] = []

    async def call(ml: Session) -> None:
        try:
            await ml.info()
        except TooManyRequests as error:
            ended.append((served.loop.time(), error))

    async def work() -> None:
        async with served.session(backoff=BACKOFF) as ml:
            await opened(ml)
            began = served.loop.time()
            await asyncio.gather(*(call(ml) for _ in range(2 * CALLERS)))
        at_once = [error for moment, error in ended if moment == began]
        assert len(at_once) >= 2 * CALLERS - LONGEST_RETRY_AFTER / SPACING - 1
        assert len(set(map(id, at_once))) == len(at_once), "an error of its own for each"
        assert all("not sent: the last" in error.__notes__[0] for error in at_once)
        assert words_of(at_once[0]) == "too many requests (GET /)"

    served.run(work())


def test_a_refusal_of_one_user_tells_another_only_its_status(serving: Serving) -> None:
    served = serving(refuses)

    async def work() -> None:
        async with served.session(backoff=BACKOFF, retries=0) as ml:
            alice, bob = ml.options(auth=("alice", "a")), ml.options(headers={"authorization": "bob"})
            await opened(alice)
            await all_at_once(alice)
            sent = "too many requests (GET /)"
            for user, words in ((alice, sent), (bob, sent), (ml, "status 429 (GET /)"), (alice, "status 429 (GET /)")):
                error = (await all_at_once(user))[0]
                assert isinstance(error, TooManyRequests)
                assert str(error).startswith(words)
                assert error.transient

    served.run(work())


def test_a_user_never_hears_what_an_earlier_one_was_told_however_short_their_views_live(serving: Serving) -> None:
    """The object of a credential that is gone may lie where that of another user lies now."""
    served = serving(lambda http: (429, {"error": {"reason": f"slow down, {http.headers['authorization']}"}}))

    async def work() -> None:
        async with served.session(backoff=BACKOFF, retries=0) as ml:
            for number in range(4 * BUDGET):
                auth = Named(f"u-{number:03}")
                error = (await all_at_once(ml.options(auth=auth)))[0]
                assert "slow down" not in str(error) or auth.name in str(error)
                del auth, error

    served.run(work())


@pytest.mark.parametrize("as_user", AS_USER.values(), ids=AS_USER)
def test_a_user_who_was_not_refused_does_not_wait_behind_one_who_is(serving: Serving, as_user: AsUser) -> None:
    """A quota may be that of one user or tenant."""
    served = serving(lambda http: THROTTLED if http.headers["authorization"].endswith("alice") else FINE)

    async def work() -> list[float]:
        async with served.session(backoff=BACKOFF) as ml:
            await opened(as_user(ml, "alice"))
            waits = []
            for retries in (3, 0):
                waiting = [asyncio.create_task(as_user(ml, "alice").info()) for _ in range(CALLERS)]
                await asyncio.sleep(5)
                began = served.loop.time()
                await as_user(ml, "bob").options(retries=retries).info()
                waits.append(served.loop.time() - began)
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)
                await opened(as_user(ml, "alice"))
            return waits

    assert served.run(work()) == pytest.approx([SERVICE] * 2)


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:
        return {"authorization": self.name}


def limited(level: str) -> Any:
    reason = f"Request is throttled at {level} level."
    return 429, {"error": {"type": "status_exception", "reason": reason}, "status": 429}


@pytest.mark.parametrize("level", ["model", "user"])
def test_the_limiter_of_a_model_holds_up_no_other_model_and_sets_no_node_aside(serving: Serving, level: str) -> None:
    served = serving(lambda http: limited(level) if "/busy/" in http.path else (200, {"inference_results": []}))

    async def work() -> float:
        async with served.session(BOTH, backoff=BACKOFF, retries=0) as ml:
            for _ in range(2):
                predictions = [ml.models.predict("busy", parameters={}) for _ in range(BUDGET)]
                await asyncio.gather(*predictions, return_exceptions=True)
            began = served.loop.time()
            await ml.models.predict("fine", parameters={})
            assert all(node.is_live for node in ml.nodes)
            return served.loop.time() - began

    assert served.run(work()) == pytest.approx(SERVICE)
    assert len(served.sent) <= BUDGET + BUDGET + 1


@pytest.mark.parametrize("as_user", AS_USER.values(), ids=AS_USER)
def test_the_limiter_of_one_user_holds_up_no_other(serving: Serving, as_user: AsUser) -> None:
    def answers(http: HttpRequest) -> Any:
        return limited("user") if http.headers["authorization"].endswith("alice") else (200, {"inference_results": []})

    served = serving(answers)

    async def work() -> tuple[float, int]:
        async with served.session(backoff=BACKOFF, retries=0) as ml:

            async def calls_of_alice(times: int) -> None:
                calls = [as_user(ml, "alice").models.predict("m", parameters={}) for _ in range(times)]
                await asyncio.gather(*calls, return_exceptions=True)

            for _ in range(3):
                await calls_of_alice(BUDGET)
            began, sent = served.loop.time(), len(served.sent)
            await as_user(ml, "bob").models.predict("m", parameters={})
            lasted = served.loop.time() - began
            await calls_of_alice(9)
            return lasted, len(served.sent) - sent

    lasted, sent = served.run(work())
    assert lasted == pytest.approx(SERVICE)
    assert sent <= 3, "nor does the success of another release her"


def test_a_call_without_retries_does_not_wait_for_its_turn(serving: Serving) -> None:
    served = serving(refuses)

    async def work() -> tuple[float, int]:
        async with served.session(backoff=BACKOFF, retries=0) as ml:
            await opened(ml)
            began, sent = served.loop.time(), len(served.sent)
            await all_at_once(*[ml] * CALLERS)
            return served.loop.time() - began, len(served.sent) - sent

    lasted, sent = served.run(work())
    assert lasted == pytest.approx(SERVICE)
    assert sent == 1


def test_without_backoff_nothing_waits(serving: Serving) -> None:
    served = serving(refuses)

    async def work() -> None:
        async with served.session(backoff=Backoff(first=0)) as ml:
            await all_at_once(*[ml] * CALLERS)

    served.run(work())
    assert len(served.sent) == 4 * CALLERS
    assert served.loop.time() < 1


@pytest.mark.parametrize("other", [FINE, (400, INFO), (500, INFO)])
def test_another_response_now_and_then_keeps_it_closed(serving: Serving, other: Any) -> None:
    count = itertools.count(1)
    served = serving(lambda _: THROTTLED if next(count) % REFUSES else other)

    async def work() -> None:
        async with served.session(backoff=BACKOFF, retries=0) as ml:
            for _ in range(5 * BUDGET):
                await all_at_once(ml)

    served.run(work())
    assert len(served.sent) == 5 * BUDGET


def test_a_dropped_connection_neither_opens_nor_closes_it(serving: Serving) -> None:
    count = itertools.count()

    def answers(request: HttpRequest) -> Any:
        if next(count) % 2:
            raise ConnectError("dropped", request)
        return THROTTLED

    served = serving(answers)

    async def work() -> None:
        async with served.session(backoff=BACKOFF, retries=0) as ml:
            for _ in range(5 * BUDGET):
                await all_at_once(ml)

    served.run(work())
    assert len(served.sent) < 2 * BUDGET


def test_a_provider_that_refuses_holds_up_the_calls_of_its_model_only(serving: Serving) -> None:
    served = serving(lambda http: PROVIDERS if "/busy/" in http.path else (200, {"inference_results": []}))

    async def work() -> float:
        async with served.session(BOTH, backoff=BACKOFF) as ml:
            busy = [asyncio.create_task(ml.models.predict("busy", parameters={})) for _ in range(CALLERS)]
            await asyncio.sleep(5)
            began = served.loop.time()
            await ml.models.predict("fine", parameters={})
            lasted = served.loop.time() - began
            assert all(node.is_live for node in ml.nodes)
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)
            return lasted

    assert served.run(work()) == pytest.approx(SERVICE)
    assert len(served.sent) <= CALLERS + BUDGET + 5 / SPACING + 2, "those are spaced, whatever node they go to"


def test_a_node_that_refuses_is_avoided_while_another_is_live(serving: Serving) -> None:
    served = serving(lambda http: THROTTLED if http.base == BOTH[0] else FINE)

    async def work() -> None:
        async with served.session(BOTH, backoff=BACKOFF, retries=0) as ml:
            while served.loop.time() < 12:
                await all_at_once(ml)

    served.run(work())
    assert served.at_each_node[BOTH[0]] == REFUSES + 3, "trials after 1, 2 and 4 s"


def test_bulk_jobs_space_their_requests_by_themselves(serving: Serving) -> None:
    served = serving(refuses)

    async def work() -> None:
        async with served.session(backoff=BACKOFF) as ml:
            await opened(ml)
            sent = len(served.sent)
            await all_at_once(*[at_own_pace(ml)] * CALLERS)
            assert len(served.sent) == sent + CALLERS
        async with served.session(backoff=BACKOFF) as ml:
            await all_at_once(*[at_own_pace(ml)] * CALLERS)
            sent = len(served.sent)
            await all_at_once(*[ml.options(retries=0)] * CALLERS)
            assert len(served.sent) == sent + CALLERS, "nor do their refusals open it"

    served.run(work())


def test_cancelled_calls_do_not_lengthen_the_queue(serving: Serving) -> None:
    served = serving(refuses)

    async def work() -> None:
        async with served.session(backoff=BACKOFF) as ml:
            await opened(ml)
            waiting = [asyncio.create_task(ml.info()) for _ in range(CALLERS)]
            await asyncio.sleep(0.5)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            began, sent = served.loop.time(), len(served.sent)
            await all_at_once(ml.options(retries=1))
            assert len(served.sent) == sent + 2
            assert served.loop.time() - began <= 2 * SPACING

    served.run(work())


def test_no_more_circuits_are_kept_than_a_bound() -> None:
    circuits = Circuits()
    for number in range(2 * MOST):
        circuits.refused(f"/{number}", HttpResponse(429, b""), Caller(None, 0))
    assert len(circuits._circuits) == MOST


def test_an_error_for_good_does_not_open_it(serving: Serving) -> None:
    """A spent quota is a 429 too, but each caller is to hear of it at once."""
    words = "Error from remote service: You exceeded your current quota, please check your plan and billing details."
    served = serving(lambda _: (429, {"error": {"code": "insufficient_quota", "message": words}}))

    async def work() -> list[ApiError]:
        async with served.session(backoff=BACKOFF) as ml:
            await opened(ml)
            sent = len(served.sent)
            errors = await all_at_once(*[ml] * CALLERS)
            assert all(not error.transient for error in errors), errors[0]
            assert len(served.sent) == sent + CALLERS
            return errors

    served.run(work())
