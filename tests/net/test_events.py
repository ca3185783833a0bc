"""What is logged of calls on the network: one line for each thing that happens. Time is virtual."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import orjson
import pytest

from aiomlcommons import (
    ApiError,
    Backoff,
    BearerAuth,
    ConnectError,
    Hedge,
    HttpRequest,
    HttpResponse,
    MLCommonsError,
)
from aiomlcommons.net.event_words import LONGEST, reason
from aiomlcommons.net.events import Events
from aiomlcommons.net.nodes import REFUSES
from aiomlcommons.net.sparing import EVERY, FIRST
from aiomlcommons.statuses import error_for
from tests.support.recording_server import INFO
from tests.support.virtual_cluster import Cluster, cluster

Serving: TypeAlias = Callable[[Callable[[HttpRequest], Any]], Cluster]
FINE = 200, INFO
THROTTLED = 429, {"error": {"type": "status_exception", "reason": "too many requests"}, "status": 429}
A, B = "http://127.0.0.1:1", "http://127.0.0.2:1"
PACE = Backoff(first=1, factor=1, jitter=0)
ID = " [x-opaque-id one]"


@pytest.fixture
def serving() -> Iterator[Serving]:
    with ExitStack() as stack:
        yield lambda answers: stack.enter_context(cluster(answers))


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aiomlcommons")


def in_turn(*answers: Any) -> Callable[[HttpRequest], Any]:
    rest = iter(answers)

    def answer(request: HttpRequest) -> Any:
        found = next(rest)
        if found is None:
            raise ConnectError("connection refused", request, sent=False)
        return found

    return answer


def told(served: Cluster, caplog: pytest.LogCaptureFixture, **options: Any) -> list[tuple[str, str]]:
    """Return the level and words of each line of one call."""

    async def work() -> None:
        async with served.session(A, **{"backoff": PACE, **options}) as ml:
            await ml.options(opaque_id="one").info()

    served.run(work())
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_retry_is_one_line_with_attempt_pause_reason_and_id(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    lines = told(serving(in_turn(THROTTLED, None, FINE)), caplog)
    assert lines == [
        ("INFO", f"GET / at http://127.0.0.1:1: 429 too many requests; attempt 1 of 4, the next in 1.00 s{ID}"),
        ("INFO", f"GET / at http://127.0.0.1:1: connection refused; attempt 2 of 4, the next in 1.00 s{ID}"),
    ]
    known = vars(caplog.records[0])
    assert [known[name] for name in ("opaque_id", "node", "status", "attempt", "pause", "error", "path")] == [
        *("one", "http://127.0.0.1:1", 429, 1, 1.0, "TooManyRequests", "/")
    ]


def test_a_call_that_begins_to_wait_for_the_cluster_warns_once(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    lines = told(serving(in_turn(THROTTLED, THROTTLED, THROTTLED, FINE)), caplog, retries=1, wait=60)
    why = "GET / at http://127.0.0.1:1: 429 too many requests; attempt"
    assert lines == [
        ("INFO", f"{why} 1 of 2, the next in 1.00 s{ID}"),
        ("WARNING", f"{why} 2, waiting for the cluster, the next in 1.00 s{ID}"),
        ("INFO", f"{why} 3, waiting for the cluster, the next in 1.00 s{ID}"),
    ]


def test_a_node_that_fails_is_one_line_and_one_when_it_is_back(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    served = serving(in_turn(None, FINE, FINE, FINE))

    async def work() -> None:
        async with served.session([A, B]) as ml:
            await ml.options(opaque_id="one").info()
            await asyncio.sleep(2)
            await ml.info()
            await ml.info()

    served.run(work())
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "http://127.0.0.1:1 is set aside for 1 s: connection refused [x-opaque-id one]"),
        ("INFO", "http://127.0.0.1:1 responds again and takes calls"),
    ]


def test_what_only_refuses_is_told_when_calls_are_spaced_and_when_no_more(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    recovered = 20.0
    served = serving(lambda _: THROTTLED if asyncio.get_running_loop().time() < recovered else FINE)

    async def work() -> None:
        async with served.session(A, backoff=PACE, retries=1000) as ml:
            await asyncio.gather(*(ml.info() for _ in range(40)))

    served.run(work())
    lines = caplog.messages
    assert [words.partition(":1 ")[2].partition(",")[0] for words in lines if words.startswith(A)] == [
        *("refused 5 requests in a row", "takes calls again")
    ]
    assert any(
        re.match(r"GET /: waits \d+\.\d s for its turn, since http://127.0.0.1:1 only refuses \(429\) \[", words)
        for words in lines
    )
    assert len(lines) < 40, "of hundreds of retries and turns"


def test_a_hedge_is_told(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    pauses = iter([9.0, 0.0])

    async def slow_at_first() -> Any:
        await asyncio.sleep(next(pauses))
        return 200, {"inference_results": []}

    served = serving(lambda http: FINE if http.path == "/" else slow_at_first())

    async def work() -> None:
        async with served.session([A, B], hedge=Hedge(0.5, cap=1)) as ml:
            await ml.info()
            await ml.options(opaque_id="one").predict("text_embedding", "m", text_docs=["a"])

    served.run(work())
    path = "/_plugins/_ml/_predict/text_embedding/m"
    assert caplog.messages == [f"POST {path}: no response after 0.50 s, sent to {A}, too{ID}"]


def test_renewed_credentials_are_told_once_for_all_calls_in_flight(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = iter(["old-token-4711", "new-token-4711"])
    served = serving(lambda http: FINE if "new" in http.headers["authorization"] else (401, {"error": "no"}))

    async def work() -> None:
        async with served.session(A, auth=BearerAuth(lambda: next(tokens))) as ml:
            await asyncio.gather(*(ml.options(opaque_id="one").info() for _ in range(20)))

    served.run(work())
    assert caplog.messages == [
        f"GET / at http://127.0.0.1:1: 401; sent again with renewed credentials{ID}",
        "calls sent again with renewed credentials: 19 more in 1 s",
    ]
    assert "token-4711" not in caplog.text


def test_each_attempt_is_one_line_at_debug(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "aiomlcommons")
    lines = told(serving(in_turn(None, FINE)), caplog, backoff=Backoff(first=0))
    debug = [re.sub(r"\d+\.\d\d\d s", "T", words) for level, words in lines if level == "DEBUG"]
    size = len(orjson.dumps(INFO))
    assert debug == [
        f"GET / at http://127.0.0.1:1: connection refused after T, attempt 1{ID}",
        f"GET / at http://127.0.0.1:1: 200, {size} bytes in T, attempt 2{ID}",
    ]


def test_thousands_of_retries_are_a_few_lines(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    served = serving(
        lambda _: (503, {"error": {"type": "illegal_index_shard_state_exception", "reason": "RECOVERING"}})
    )

    async def work() -> None:
        async with served.session(A, retries=10, backoff=PACE) as ml:
            await asyncio.gather(*(ml.info() for _ in range(200)), return_exceptions=True)

    served.run(work())
    retries = [words for words in caplog.messages if "; attempt " in words]
    assert len(retries) <= FIRST
    assert any(
        re.match(r"retries because of 503 from http://127.0.0.1:1: \d+ more in \d+ s", words)
        for words in caplog.messages
    )
    assert len(caplog.messages) <= 3 * FIRST + 2 * (served.loop.time() / EVERY + 2), "one of a kind each 10 s"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            error_for(HttpResponse(500, b'{"error": {"reason": "first\\nline\\r\\n\\tsecond"}}')),
            "500 first line second",
        ),
        (error_for(HttpResponse(502, b"")), "502 Unavailable"),
        (ConnectError("refused", HttpRequest("GET", "/x")), "refused"),
        (MLCommonsError("no credentials"), "no credentials"),
        (TimeoutError(), "TimeoutError"),
        (MLCommonsError("x" * 1000), "x" * LONGEST + " ..."),
    ],
)
def test_a_reason_is_one_line_of_bounded_length(error: Exception, words: str) -> None:
    assert reason(error) == words


def test_a_credential_in_the_query_of_a_path_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    sent = HttpRequest("GET", "/_x?token=hush-4711", headers={"x-opaque-id": "one"}, base="http://127.0.0.1:1")
    error = error_for(HttpResponse(429, b'{"error": {"reason": "no hush-4711 now"}}', request=sent))
    assert isinstance(error, ApiError)
    caplog.set_level(logging.DEBUG, "aiomlcommons")
    events = Events()
    events.retrying(sent, "http://127.0.0.1:1", error, attempt=1, of=2, pause=0, waits=False)
    events.elsewhere(sent, "http://127.0.0.1:1", error, attempt=1)
    events.opened("/_x", error, REFUSES)
    events.waits_for_turn(sent, "/_x", pause=1, status=429)
    events.answered(sent, HttpResponse(200, b"hush-4711"), attempt=1, seconds=0.1)
    assert len(caplog.records) == 5
    assert "hush" not in caplog.text + repr([vars(record) for record in caplog.records])
