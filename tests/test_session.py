"""Session: options, retries, authentication and lifetime, over sockets or a scripted transport."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import Mapping
from typing import Any

import anyio
import cbor2
import pytest
from aiohttp import web

from aiomlcommons import (
    ApiError,
    Backoff,
    BasicAuth,
    BearerAuth,
    ConnectError,
    DecodeError,
    Forbidden,
    InvalidRequest,
    MLCommonsError,
    NotFound,
    NotOpenSearch,
    Redirected,
    RequestTimeout,
    Secret,
    ServerError,
    Session,
    SessionClosed,
    Timeout,
    TooManyRequests,
    Unauthorized,
    __version__,
)
from aiomlcommons.api.models import DeployModel, GetModel
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.server import GetInfo
from aiomlcommons.http import CBOR, HttpRequest, HttpResponse
from tests.support.bad_server import (
    Deed,
    closes_at_once,
    garbage,
    half_an_answer,
    html,
    misbehave,
    never_answers,
    unauthorized,
)
from tests.support.copies import copies
from tests.support.recording_server import INFO, reply, serve
from tests.wire.recordings import exchanges

pytestmark = pytest.mark.asyncio

NO_WAIT = Backoff(first=0)
HUSH = "h0sh-h0sh"
BUSY = reply({"error": {"type": "status_exception", "reason": "busy"}, "status": 503}, status=503)
RECORDED = {exchange.case: exchange.response for exchange in exchanges()}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Script:
    """A function transport that returns scripted responses in order, and records requests and timeouts."""

    def __init__(self, *answers: HttpResponse | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[HttpRequest] = []
        self.limits: list[Timeout] = []

    async def __call__(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        self.sent.append(request)
        self.limits.append(timeout)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status, body, {"content-type": "application/json", **named})


# ---- connect ---------------------------------------------------------------------------------------------------------


async def test_connect_opens_and_close_closes() -> None:
    async with serve() as server:
        ml = await Session.connect(server.url)
        assert repr(ml) == f"<Session {server.url} open>"
        await ml.close()
        assert repr(ml) == f"<Session {server.url} closed>"


async def test_a_session_of_the_environment_is_opened_without_a_block_and_refuses_what_is_no_cluster() -> None:
    async with serve() as server:
        ml = await Session.from_env({"OPENSEARCH_URL": server.url}).open()
        assert repr(ml) == f"<Session {server.url} open>"
        with pytest.raises(SessionClosed, match="this session is open"):
            await ml.open()
        await ml.close()
    gone = Session(server.url, retries=0)
    with pytest.raises(ConnectError, match="is the cluster up"):
        await gone.open()
    assert repr(gone) == f"<Session {server.url} closed>"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**INFO, "version": {"number": "8.1.0"}, "tagline": "You Know, for Search"}, "it is Elasticsearch 8.1.0"),
        ({**INFO, "version": {"number": "1", "distribution": "other"}}, "it says 'other'"),
        ({**INFO, "version": {"number": "1"}, "tagline": ""}, "it says 'something else'"),
        (
            {"hello": "world"},
            "GET / answers with '{\"hello\":\"world\"}' (the response is not a Info: required key 'name' is missing",
        ),
        ("hello", "expected an object"),
    ],
)
async def test_connect_refuses_what_is_no_opensearch(body: Any, words: str) -> None:
    async with serve(reply(body)) as server:
        with pytest.raises(NotOpenSearch) as caught:
            await Session.connect(server.url)
    assert f"{server.url} is not an OpenSearch: " in str(caught.value)
    assert words in str(caught.value)


async def test_connect_to_a_web_page_names_the_host_and_the_kind() -> None:
    async with misbehave(html) as bad:
        with pytest.raises(NotOpenSearch, match=f"{bad.url} is not an OpenSearch: ") as caught:
            await Session.connect(bad.url)
    assert str(caught.value).endswith('GET / answers with an HTML page, "It works!"')
    assert isinstance(caught.value.__cause__, DecodeError)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "the request carried no credentials: give them in auth=..., or in OPENSEARCH_USERNAME"),
        ("Basic eDp5", "check the user name and password, or the token, in auth=..."),
        ("Bearer abc", "check the token in auth=..., and whether the cluster is configured for such tokens"),
        ("AWS4-HMAC-SHA256 Credential=a", "signed for AWS, which only Amazon's clusters understand"),
        (HUSH, "check the user name and password, or the token, in auth=..."),
    ],
)
async def test_a_401_says_what_to_check_of_what_was_sent(value: str | None, words: str) -> None:
    headers = {} if value is None else {"authorization": value}
    async with misbehave(unauthorized) as bad, Session(bad.url, headers=headers) as ml:
        with pytest.raises(Unauthorized, match=re.escape(words)) as caught:
            await ml.info()
    assert HUSH not in f"{caught.value!r} {vars(caught.value)}"


async def test_connect_with_a_wrong_password_says_what_to_check() -> None:
    async with misbehave(unauthorized) as bad:
        with pytest.raises(Unauthorized, match="Unauthorized; check the user name and password") as caught:
            await Session.connect(bad.url, auth=("admin", HUSH))
    assert caught.value.reason == "Unauthorized"
    assert "in auth=..., or in OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD" in str(caught.value)
    assert HUSH not in str(caught.value)


async def test_connect_lets_a_user_in_who_may_not_see_the_cluster() -> None:
    no_right = {"error": {"type": "security_exception", "reason": "no permissions for [cluster:monitor/main]"}}
    async with serve(reply(no_right, status=403)) as server:
        ml = await Session.connect(server.url)
        with pytest.raises(Forbidden):
            await ml.info()
        await ml.close()


# ---- lifetime --------------------------------------------------------------------------------------------------------


async def test_a_session_that_is_not_open_says_how_to_open_it() -> None:
    ml = Session("http://node:9200")
    with pytest.raises(SessionClosed, match=r"the session is not open: use `async with Session\(...\) as ml:` or"):
        await ml.info()


async def test_a_closed_session_says_so_and_closing_twice_is_fine() -> None:
    ml = Session("http://node:9200")
    async with ml:
        pass
    await ml.close()
    with pytest.raises(SessionClosed, match="the session is closed: use"):
        await ml.info()


async def test_a_session_is_opened_once() -> None:
    ml = Session("http://node:9200")
    async with ml:
        with pytest.raises(SessionClosed, match=r"this session is open; create a new one with Session\(...\)"):
            await ml.__aenter__()
    with pytest.raises(SessionClosed, match=r"this session is closed; create a new one with Session\(...\)"):
        await ml.__aenter__()


async def test_views_share_the_connection_and_closing_one_closes_all() -> None:
    async with serve() as server:
        ml = await Session.connect(server.url)
        view = ml.options(retries=0)
        await view.info()
        assert len(server.connections) == 1
        await view.close()
        with pytest.raises(SessionClosed):
            await ml.info()


async def test_several_sessions_live_in_one_process() -> None:
    async with (
        serve() as one,
        serve(reply({**INFO, "cluster_name": "other"})) as other,
        Session(one.url, auth=("a", "b")) as first,
        Session(other.url) as second,
    ):
        infos = await asyncio.gather(first.info(), second.info(), first.info())
    assert [info.cluster_name for info in infos] == ["test", "other", "test"]
    assert "authorization" not in other.heard[0].headers


async def test_a_function_takes_the_place_of_the_network() -> None:
    script = Script(RECORDED["root"])
    async with Session("http://nowhere", transport=script) as ml:
        assert (await ml.info()).version.distribution == "opensearch"
    assert [str(sent) for sent in script.sent] == ["GET /"]


# ---- options ---------------------------------------------------------------------------------------------------------


async def test_options_hold_for_the_calls_of_the_view_only() -> None:
    script = Script(answer())
    async with Session("http://h", transport=script, timeout=30, headers={"X-Team": "search"}) as ml:
        view = ml.options(timeout=5, headers={"x-trace": "1"}, opaque_id="mine").options(retries=0)
        await view.models.get("m")
        await ml.models.get("m")
    first, second = script.sent
    assert script.limits == [Timeout(5, 5, 5), Timeout(30, 30, 30)]
    assert (first.headers["x-team"], first.headers["x-trace"], first.headers["x-opaque-id"]) == ("search", "1", "mine")
    assert second.headers["x-opaque-id"].startswith("aiomlcommons-")
    assert "x-trace" not in second.headers


async def test_a_shorter_timeout_of_one_call_is_kept() -> None:
    async with misbehave(never_answers) as bad, Session(bad.url, timeout=60, retries=0) as ml:
        with pytest.raises(RequestTimeout, match=r"within 0\.02 s"):
            await ml.options(timeout=0.02).info()


async def test_headers_of_any_case_are_one_header() -> None:
    script = Script(answer())
    async with Session("http://h", transport=script, headers={"User-Agent": "mine"}) as ml:
        await ml.options(headers={"X-Opaque-Id": "other"}).request("GET", "/", headers={"USER-AGENT": "yours"})
    assert script.sent[0].headers["user-agent"] == "yours"
    assert {name.lower() for name in script.sent[0].headers} == set(script.sent[0].headers)


async def test_the_user_agent_names_the_package_unless_told_otherwise() -> None:
    async with serve() as server:
        async with Session(server.url) as ml:
            await ml.info()
        async with Session(server.url, user_agent="indexer/7") as ml:
            await ml.info()
    assert [heard.headers["user-agent"] for heard in server.heard] == [f"aiomlcommons/{__version__}", "indexer/7"]


async def test_each_call_has_an_opaque_id_of_its_own_and_its_repetitions_share_it() -> None:
    async with serve(BUSY, reply(), reply()) as server, Session(server.url, backoff=NO_WAIT) as ml:
        await ml.info()
        await ml.info()
    first, again, second = (heard.headers["x-opaque-id"] for heard in server.heard)
    assert first == again
    assert first != second


async def test_a_negative_number_of_retries_is_refused() -> None:
    with pytest.raises(ValueError, match="retries"):
        Session("http://h", retries=-1)


# ---- retries ---------------------------------------------------------------------------------------------------------


def lost() -> ConnectError:
    return ConnectError("no answer", HttpRequest("GET", "/"))


BREAKER = {"error": {"type": "circuit_breaking_exception", "reason": "Data too large", "durability": "TRANSIENT"}}
PERMANENT = {"error": {"type": "circuit_breaking_exception", "reason": "Data too large", "durability": "PERMANENT"}}
REMOTE = {"error": {"type": "status_exception", "reason": "Error communicating with remote model: Read timed out"}}
STARTING = {"error": {"type": "illegal_index_shard_state_exception", "reason": "CurrentState[RECOVERING] operations"}}


@pytest.mark.parametrize(
    ("status", "body", "times"),
    [
        (502, "bad gateway", 4),
        (503, "OpenSearch Security not initialized.", 4),
        (504, "", 4),
        (429, BREAKER, 4),
        (429, PERMANENT, 1),
        (500, REMOTE, 4),
        (500, STARTING, 4),
        (500, {"error": {"type": "null_pointer_exception", "reason": "null"}}, 1),
        (400, {"error": {"type": "illegal_argument_exception", "reason": "no"}}, 1),
        (404, {"error": "no"}, 1),
        (401, "Unauthorized", 1),
        (302, "", 1),
    ],
)
async def test_only_what_passes_by_waiting_is_repeated(status: int, body: Any, times: int) -> None:
    async with serve(reply(body, status=status)) as server, Session(server.url, backoff=NO_WAIT) as ml:
        with pytest.raises(ApiError) as caught:
            await ml.info()
    assert len(server.heard) == times
    assert caught.value.attempts == times
    assert caught.value.opaque_id == server.heard[0].headers["x-opaque-id"]
    often = f", sent {times} times" if times > 1 else ""
    assert str(caught.value).endswith(f" (GET /) [x-opaque-id {caught.value.opaque_id}{often}]")
    assert all(str(twin) == str(caught.value) for twin in copies(caught.value))


@pytest.mark.parametrize("retries", [0, 1, 5])
async def test_the_number_of_retries_is_the_callers(retries: int) -> None:
    script = Script(lost())
    async with Session("http://h", transport=script, backoff=NO_WAIT) as ml:
        with pytest.raises(ConnectError):
            await ml.options(retries=retries).info()
    assert len(script.sent) == retries + 1


async def test_a_call_waits_for_trouble_to_pass_as_long_as_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(answer(503), *[lost()] * 20, *[answer(503)] * 20, RECORDED["root"])
    async with Session("http://h", transport=script, backoff=NO_WAIT, retries=2, wait=3600) as ml:
        await ml.info()
    assert len(script.sent) == 42
    warned = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([words for words in warned if "attempt 3, waiting for the cluster, the next in" in words]) == 1


async def test_waiting_ends_when_its_time_is_over() -> None:
    script = Script(answer(503))
    async with Session("http://h", transport=script, backoff=NO_WAIT, retries=2) as ml:
        with pytest.raises(ServerError):
            await ml.options(wait=1e-9).info()
    assert 3 <= len(script.sent) <= 4


async def test_a_cluster_that_never_answered_is_not_waited_for() -> None:
    script = Script(lost())
    async with Session("http://h", transport=script, backoff=NO_WAIT, retries=2, wait=3600) as ml:
        with pytest.raises(ConnectError):
            await ml.info()
    assert len(script.sent) == 3


@pytest.mark.parametrize("answered", [(400, "no"), (429, PERMANENT), (500, "boom")])
async def test_what_does_not_pass_is_not_waited_for(answered: tuple[int, Any]) -> None:
    async with serve(reply(answered[1], status=answered[0])) as server:
        async with Session(server.url, backoff=NO_WAIT, wait=3600) as ml:
            with pytest.raises(ApiError):
                await ml.info()
    assert len(server.heard) == 1


async def test_a_call_that_succeeds_at_last_gives_its_answer() -> None:
    script = Script(lost(), answer(503), RECORDED["root"])
    async with Session("http://h", transport=script, backoff=NO_WAIT) as ml:
        assert (await ml.info()).version.distribution == "opensearch"
    assert len(script.sent) == 3


async def test_a_lasting_trouble_of_the_network_is_not_repeated() -> None:
    script = Script(ConnectError("no trust", HttpRequest("GET", "/"), transient=False))
    async with Session("http://h", transport=script, backoff=NO_WAIT) as ml:
        with pytest.raises(ConnectError, match="no trust"):
            await ml.info()
    assert len(script.sent) == 1


REPEATED: Mapping[str, int] = {"GET": 4, "HEAD": 4, "PUT": 4, "DELETE": 4, "POST": 1, "PATCH": 1}


@pytest.mark.parametrize(("method", "times"), REPEATED.items())
async def test_a_request_to_any_route_is_repeated_by_its_method(method: str, times: int) -> None:
    script = Script(lost())
    async with Session("http://h", transport=script, backoff=NO_WAIT) as ml:
        with pytest.raises(ConnectError):
            await ml.request(method.lower(), "/_some/route")
    assert [sent.method for sent in script.sent] == [method] * times


async def test_a_registration_is_never_repeated_after_a_lost_answer() -> None:
    async def takes_and_drops(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serve(takes_and_drops) as server, Session(server.url, backoff=NO_WAIT) as ml:
        with pytest.raises(ConnectError):
            await ml.model_groups.register(name="group")
        assert [heard.method for heard in server.heard] == ["POST"]
        with pytest.raises(ConnectError):
            await ml.models.deploy("m")
    assert len(server.heard) == 1 + 4


async def test_raw_and_send_repeat_alike() -> None:
    script = Script(lost())
    async with Session("http://h", transport=script, backoff=NO_WAIT) as ml:
        with pytest.raises(ConnectError):
            await ml.raw(Predict("text_embedding", "m", text_docs=["a"]))
    assert len(script.sent) == 4


@pytest.mark.parametrize(("first", "retry_after"), [(0, "60"), (60, "0"), (60, "")])
async def test_the_longer_of_backoff_and_retry_after_is_waited_for(first: float, retry_after: str) -> None:
    script = Script(answer(429, retry_after=retry_after))
    async with Session("http://h", transport=script, backoff=Backoff(first=first)) as ml:
        with anyio.move_on_after(0.01) as waiting:
            await ml.info()
    assert waiting.cancelled_caught
    assert len(script.sent) == 1


async def test_a_pause_of_no_seconds_is_no_wait() -> None:
    script = Script(answer(429, retry_after="0"), RECORDED["root"])
    async with Session("http://h", transport=script, backoff=NO_WAIT) as ml:
        await ml.info()
    assert len(script.sent) == 2


async def test_a_pause_longer_than_a_minute_is_the_callers_to_wait() -> None:
    async with serve(reply({}, status=429, retry_after="61")) as server, Session(server.url, backoff=NO_WAIT) as ml:
        with pytest.raises(TooManyRequests) as caught:
            await ml.info()
    assert (caught.value.retry_after, len(server.heard)) == (61, 1)


# ---- auth ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", [("größe", HUSH), BasicAuth("größe", Secret(HUSH))])
async def test_a_pair_is_a_user_name_and_a_password(auth: Any) -> None:
    async with serve() as server, Session(server.url, auth=auth) as ml:
        await ml.info()
    assert server.heard[0].headers["authorization"] == basic("größe", HUSH)


async def test_a_token_goes_as_bearer() -> None:
    async with serve() as server, Session(server.url, auth=BearerAuth(HUSH)) as ml:
        await ml.info()
    assert server.heard[0].headers["authorization"] == f"Bearer {HUSH}"


async def test_a_token_of_a_function_is_kept_for_further_attempts() -> None:
    tokens = iter(["first", "second"])

    async def token() -> str:
        await asyncio.sleep(0)
        return next(tokens)

    async with serve(BUSY, reply()) as server, Session(server.url, auth=BearerAuth(token), backoff=NO_WAIT) as ml:
        await ml.info()
    assert [heard.headers["authorization"] for heard in server.heard] == ["Bearer first", "Bearer first"]


async def test_a_token_function_need_not_be_async() -> None:
    async with serve() as server, Session(server.url, auth=BearerAuth(lambda: "now")) as ml:
        await ml.info()
    assert server.heard[0].headers["authorization"] == "Bearer now"


async def test_a_user_in_the_url_signs_and_is_shown_nowhere() -> None:
    async with serve() as server:
        url = server.url.replace("://", "://admin:p%40ss%2Fw@")
        async with Session(url) as ml:
            await ml.info()
        assert (ml.url, repr(ml)) == (server.url, f"<Session {server.url} closed>")
    assert server.heard[0].headers["authorization"] == basic("admin", "p@ss/w")


async def test_a_user_without_a_password_in_the_url_is_taken_out_too() -> None:
    assert Session("https://admin@h:1").url == "https://h:1"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://a:b@h", {"auth": ("c", "d")}),
        ("http://a:b@h", {"headers": {"Authorization": "Bearer e"}}),
        ("http://h", {"auth": ("c", "d"), "headers": {"authorization": "Bearer e"}}),
    ],
)
async def test_two_credentials_in_one_place_are_refused(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"credentials are both in url and in auth|give one of them"):
        Session(url, **options)


BOB, EVE = {"Authorization": "Bearer bob"}, {"AUTHORIZATION": "Bearer eve"}


@pytest.mark.parametrize(
    ("of_session", "of_view", "of_request", "arrives"),
    [
        ({"auth": ("service", "s")}, {}, {}, basic("service", "s")),
        ({"auth": ("service", "s")}, {"headers": BOB}, {}, "Bearer bob"),
        ({"auth": ("service", "s")}, {"auth": ("ann", "a")}, {}, basic("ann", "a")),
        ({"auth": ("service", "s")}, {"auth": ("ann", "a")}, EVE, "Bearer eve"),
        ({"auth": ("service", "s")}, {"headers": BOB}, EVE, "Bearer eve"),
        ({"auth": ("service", "s")}, {"headers": {"x-team": "search"}}, {}, basic("service", "s")),
        ({"headers": BOB}, {"auth": ("ann", "a")}, {}, basic("ann", "a")),
        ({"headers": BOB}, {"headers": EVE}, {}, "Bearer eve"),
        ({"headers": BOB}, {"headers": {"x-team": "search"}}, {}, "Bearer bob"),
        ({}, {"auth": BearerAuth("ann")}, {}, "Bearer ann"),
    ],
)
async def test_the_credential_nearest_to_the_call_arrives(
    of_session: dict[str, Any], of_view: dict[str, Any], of_request: dict[str, str], arrives: str
) -> None:
    async with serve() as server, Session(server.url, **of_session) as ml:
        await ml.options(**of_view).request("GET", "/", headers=of_request)
    assert server.heard[0].headers["authorization"] == arrives


async def test_a_view_of_a_view_keeps_its_credentials_and_the_session_its_own() -> None:
    async with serve() as server, Session(server.url, auth=("service", "s")) as ml:
        ann = ml.options(auth=("ann", "a")).options(retries=0, headers={"x-trace": "1"})
        await ann.info()
        await ml.info()
        with pytest.raises(ValueError, match="give one of them"):
            ml.options(auth=("ann", "a"), headers=BOB)
    assert [heard.headers["authorization"] for heard in server.heard] == [basic("ann", "a"), basic("service", "s")]


async def test_an_error_holds_no_credentials_however_they_were_given() -> None:
    async with serve(reply({"error": "no"}, status=400)) as server, Session(server.url) as ml:
        with pytest.raises(ApiError) as caught:
            await ml.options(headers={**BOB, "X-Team": "search"}).info()
    assert "authorization" in server.heard[0].headers
    assert "authorization" not in caught.value.request.headers
    assert "authorization" not in caught.value.response.request.headers
    assert "x-team" not in caught.value.request.headers  # which may be one of credentials as well
    assert caught.value.request.headers["x-opaque-id"].startswith("aiomlcommons-")


async def test_auth_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="auth must be a pair"):
        Session("http://h", auth="admin:admin")  # type: ignore[arg-type]


# ---- the environment -------------------------------------------------------------------------------------------------


async def test_a_session_comes_from_the_environment() -> None:
    async with serve() as server:
        environ = {"OPENSEARCH_URL": server.url, "OPENSEARCH_USERNAME": "admin", "OPENSEARCH_PASSWORD": HUSH}
        async with Session.from_env(environ, retries=0) as ml:
            await ml.info()
        async with Session.from_env({"OPENSEARCH_URL": server.url}) as ml:
            await ml.info()
    assert [heard.headers.get("authorization") for heard in server.heard] == [basic("admin", HUSH), None]


async def test_the_environment_names_the_authority_and_options_win_over_it() -> None:
    environ = {"OPENSEARCH_URL": "https://h:1", "OPENSEARCH_CA_CERTS": "missing.pem"}
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        await Session.from_env(environ).__aenter__()
    with pytest.raises(FileNotFoundError, match=r"other\.pem"):
        await Session.from_env(environ, ca_certs="other.pem").__aenter__()


@pytest.mark.parametrize("environ", [{}, {"OPENSEARCH_URL": ""}])
async def test_an_environment_without_a_url_says_what_is_missing(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="OPENSEARCH_URL is not set; it must be like 'https://host:9200'"):
        Session.from_env(environ)


# ---- secrets ---------------------------------------------------------------------------------------------------------


def everything_in(error: BaseException) -> str:
    """All that a log, a debugger or a crash report would show of an error and of what caused it."""
    shown = []
    todo: list[BaseException | None] = [error]
    while todo:
        if (one := todo.pop()) is not None:
            shown += [str(one), repr(one), repr(vars(one)), *getattr(one, "__notes__", [])]
            todo += [one.__cause__, one.__context__]
    return " ".join(shown)


@pytest.mark.parametrize("auth", [("admin", HUSH), BearerAuth(HUSH)])
@pytest.mark.parametrize("deed", [html, unauthorized, garbage, closes_at_once, half_an_answer, None])
async def test_no_secret_is_logged_or_shown(deed: Deed | None, auth: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with misbehave(deed or html) as bad:
        url = bad.url if deed else "http://127.0.0.1:1"  # which refuses
        ml = Session(url, auth=auth, backoff=NO_WAIT)
        with pytest.raises(MLCommonsError) as caught:
            await ml.__aenter__()
            await ml.info()
        await ml.close()
    error: Any = caught.value
    assert "authorization" not in error.request.headers
    shown = " ".join([everything_in(error), repr(ml), repr(vars(ml)), caplog.text])
    assert HUSH not in shown
    assert basic("admin", HUSH).removeprefix("Basic ") not in shown


async def test_headers_of_the_session_are_shown_by_name_only() -> None:
    ml = Session("http://h", headers={"x-api-key": HUSH})
    assert "x-api-key" in repr(vars(ml))
    assert HUSH not in repr(vars(ml))


async def test_the_answer_knows_its_request_without_credentials() -> None:
    async with serve() as server, Session(server.url, auth=("admin", HUSH)) as ml:
        got = await ml.raw(GetInfo())
    assert str(got.request) == "GET /"
    assert "authorization" not in got.request.headers


# ---- send, raw, request ----------------------------------------------------------------------------------------------


async def test_a_bad_request_is_refused_before_the_network() -> None:
    script = Script(answer())
    async with Session("http://h", transport=script) as ml:
        with pytest.raises(InvalidRequest, match="model_id must not be empty"):
            await ml.send(GetModel(""))
    assert script.sent == []


async def test_an_error_answer_keeps_the_request_to_send_it_again() -> None:
    script = Script(RECORDED["tasks.get_missing"])
    async with Session("http://h", transport=script) as ml:
        with pytest.raises(NotFound) as caught:
            await ml.tasks.get("nope")
    assert caught.value.request.path == "/_plugins/_ml/tasks/nope"
    assert caught.value.request is caught.value.response.request


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_a_redirect_is_a_clear_error(status: int) -> None:
    async with serve(reply(status=status, location="https://login.example/")) as server, Session(server.url) as ml:
        for call in (ml.info(), ml.raw(GetInfo()), ml.request("GET", "/")):
            with pytest.raises(Redirected, match=r"the server redirects to https://login\.example/: open the session"):
                await call


async def test_a_redirect_to_nowhere_is_an_error_too() -> None:
    async with Session("http://h", transport=Script(answer(302))) as ml:
        with pytest.raises(Redirected, match="an unnamed place"):
            await ml.info()


async def test_raw_gives_status_headers_and_bytes() -> None:
    async with serve(reply(INFO, x_some="thing")) as server, Session(server.url) as ml:
        got = await ml.raw(GetInfo())
    assert (got.status, got.headers["x-some"], got.json()) == (200, "thing", INFO)
    assert server.heard[0].headers["accept"] == "application/json"


async def test_raw_asks_for_cbor_and_reads_it() -> None:
    cbor = web.Response(body=cbor2.dumps({"a": b"\x00\x01"}), headers={"content-type": CBOR})
    async with serve(cbor) as server, Session(server.url) as ml:
        got = await ml.raw(DeployModel("m"), accept=CBOR)
    assert got.json() == {"a": b"\x00\x01"}
    assert server.heard[0].headers["accept"] == CBOR


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        (None, b"", None),
        ({"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'.encode(), "application/json"),
        ([], b"[]", "application/json"),
        (0, b"0", "application/json"),
        ('{"as": "it is"}\n', b'{"as": "it is"}\n', "application/json"),
        (b"\x00raw", b"\x00raw", "application/json"),
        (b"", b"", "application/json"),
    ],
)
async def test_a_request_to_any_route_carries_any_body(body: Any, sent: bytes, kind: str | None) -> None:
    async with serve() as server, Session(server.url) as ml:
        got = await ml.request("post", "/_some/route", query={"pretty": "true"}, body=body)
    heard = server.heard[0]
    assert got.json() == INFO
    assert (heard.method, heard.path, heard.body) == ("POST", "/_some/route?pretty=true", sent)
    assert heard.headers.get("content-type") == kind


async def test_a_request_may_name_its_own_content_type() -> None:
    async with serve() as server, Session(server.url) as ml:
        await ml.request("POST", "/_bulk", body=b"{}\n", headers={"Content-Type": "application/x-ndjson"})
    assert server.heard[0].headers["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize("path", ["", "_cat/nodes", "/a b", "/größe", "/a#b", "/a\r\nx-evil: 1", "http://h/"])
async def test_a_path_that_is_not_quoted_is_refused(path: str) -> None:
    script = Script(answer())
    async with Session("http://h", transport=script) as ml:
        with pytest.raises(ValueError, match="path must begin with '/' and be quoted"):
            await ml.request("GET", path)
    assert script.sent == []


async def test_an_error_of_any_route_is_raised() -> None:
    async with serve(reply({"error": "boom"}, status=500)) as server, Session(server.url) as ml:
        with pytest.raises(ServerError, match="boom"):
            await ml.request("GET", "/_some/route")


async def test_cancelling_a_call_between_attempts_leaves_nothing() -> None:
    failed = asyncio.Event()

    async def lose(request: HttpRequest, timeout: Timeout) -> HttpResponse:
        failed.set()
        raise lost()

    async with Session("http://h", transport=lose, backoff=Backoff(first=60)) as ml:
        call = asyncio.ensure_future(ml.info())
        await failed.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
