"""Signatures of AWS: those of botocore, made for each request, with credentials that are got off the event loop."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import anyio
import attrs
import botocore.session
import pytest
from anyio.from_thread import start_blocking_portal
from botocore.credentials import Credentials, RefreshableCredentials

from aiomlcommons import AwsAuth, HttpRequest, HttpResponse, NoCredentials
from aiomlcommons.emulator.aws import Received
from aiomlcommons.net import _aws_credentials, aws
from aiomlcommons.net.aiohttp_transport import AiohttpTransport
from aiomlcommons.net.transport import Timeout
from tests.net.sigv4 import NOW, STAMP, Cases, accepts, changes, compare, verifier
from tests.support.aws_machine import HUSH, TOKEN, Machine, fixed
from tests.support.recording_server import serve

REQUEST = HttpRequest("GET", "/", base="https://search-mine.eu-west-1.es.amazonaws.com")
EXPIRED = HttpResponse(403, b'{"message":"The security token included in the request is expired"}')


pytestmark = pytest.mark.usefixtures("machine")


class Renewing:
    """Credentials that botocore renews, on a clock that is moved by hand."""

    def __init__(self, minutes: float, renew: Callable[[], None] = lambda: None) -> None:
        self.now = NOW
        self.threads: list[int] = []
        self._renew = renew
        ends = self.now + timedelta(minutes=minutes)
        self.session = botocore.session.Session()
        self.session._credentials = RefreshableCredentials(
            "ASIA0", HUSH, TOKEN, ends, self._renewed, "of a test", time_fetcher=lambda: self.now
        )

    @property
    def auth(self) -> AwsAuth:
        return AwsAuth("eu-west-1", session=self.session)

    def _renewed(self) -> Mapping[str, str]:
        self.threads.append(threading.get_ident())
        self._renew()
        ends = (self.now + timedelta(hours=1)).isoformat()
        return {"access_key": f"ASIA{len(self.threads)}", "secret_key": HUSH, "token": TOKEN, "expiry_time": ends}


def key_of(headers: Mapping[str, str]) -> str:
    return headers["authorization"].partition("Credential=")[2].partition("/")[0]


async def signed(auth: AwsAuth) -> HttpRequest:
    return REQUEST.with_headers(await auth.headers(REQUEST))


# ---- signatures ------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_signatures_are_those_of_botocore_and_cover_all_that_is_sent() -> None:
    told: list[str] = []
    assert await compare(100, seed=1, show=told.append) == {"cases": 100, "different": 0, "refused": 0, "accepted": 0}
    assert told == []


@pytest.mark.asyncio
async def test_what_arrives_is_byte_for_byte_what_was_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "timestamp", lambda: STAMP)
    async with serve() as server:
        transport = AiohttpTransport(tls=None, pool_size=1, gzip=False)
        await transport.open()
        for case in Cases(seed=2).of(100):
            auth = fixed(case.access_key, case.secret_key, case.token, region=case.region, service=case.service)
            request = attrs.evolve(case.request, base=f"{server.url}/prefix%20")
            added = await auth.headers(request)
            await transport.send(request.with_headers(added), Timeout())
            heard = server.heard.pop()
            got = Received(heard.method, heard.path, list(heard.headers.items()), heard.body)
            assert server.url + heard.path == request.url
            assert accepts(verifier(case), got)
            assert not any(accepts(verifier(case), changed) for changed in changes(got).values())
        await transport.close()


@pytest.mark.asyncio
async def test_only_host_and_headers_of_aws_are_signed(machine: Machine) -> None:
    machine.write("ASIA1")
    request = REQUEST.with_headers({"connection": "keep-alive", "accept": "*/*", "x-amz-meta": "a", "x-opaque-id": "b"})
    added = await AwsAuth("eu-west-1", "aoss").headers(request)
    names = "host;x-amz-content-sha256;x-amz-date;x-amz-meta;x-amz-security-token"
    assert f"/eu-west-1/aoss/aws4_request, SignedHeaders={names}, " in added["authorization"]
    assert added.keys() == {"host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "authorization"}
    assert added["host"] == "search-mine.eu-west-1.es.amazonaws.com"


@pytest.mark.asyncio
async def test_large_bodies_are_hashed_in_a_thread(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write("ASIA1")
    threads = {}

    def noted(request: HttpRequest, *rest: Any) -> dict[str, str]:
        threads[len(request.body or b"")] = threading.get_ident()
        return {}

    monkeypatch.setattr(aws, "signed", noted)
    auth = AwsAuth("eu-west-1")
    for size in (0, 1_000, aws.LARGE):
        await auth.headers(attrs.evolve(REQUEST, body=b"x" * size))
    here = threading.get_ident()
    assert [thread == here for thread in threads.values()] == [True, True, False]


# ---- where credentials come from -------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_credentials_and_region_are_those_of_the_profile(machine: Machine) -> None:
    machine.write("ASIA1")
    machine.set_region("eu-north-1")
    added = await AwsAuth().headers(REQUEST)
    assert key_of(added) == "ASIA1"
    assert "/eu-north-1/es/aws4_request" in added["authorization"]
    assert added["x-amz-security-token"] == TOKEN


@pytest.mark.asyncio
async def test_a_session_of_boto3_holds_one_of_botocore() -> None:
    @attrs.frozen
    class Boto3Session:
        _session: Any = attrs.field(alias="_session")

        def get_credentials(self) -> Any:
            return self._session.get_credentials()

    inner = botocore.session.Session()
    inner.set_credentials("AKIA1", HUSH)
    inner.set_config_variable("region", "eu-south-1")
    added = await AwsAuth(session=Boto3Session(inner)).headers(REQUEST)
    assert f"Credential=AKIA1/{added['x-amz-date'][:8]}/eu-south-1/es/" in added["authorization"]
    assert "x-amz-security-token" not in added


@pytest.mark.asyncio
async def test_without_credentials_the_error_says_where_botocore_looked() -> None:
    for _ in range(2):
        with pytest.raises(
            NoCredentials, match=r"AWS_ACCESS_KEY_ID .* AWS_PROFILE in ~/.aws/config .* `aws sso login`"
        ):
            await AwsAuth("eu-west-1").headers(REQUEST)


@pytest.mark.asyncio
async def test_without_a_region_the_error_says_where_to_give_it(machine: Machine) -> None:
    machine.write("ASIA1")
    with pytest.raises(NoCredentials, match=r"no AWS region: .*AwsAuth\('eu-west-1'\), or set AWS_DEFAULT_REGION"):
        await AwsAuth().headers(REQUEST)


@pytest.mark.asyncio
async def test_a_broken_profile_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(NoCredentials, match=r"ProfileNotFound: .*\(nobody\).*; renew them") as caught:
        await AwsAuth("eu-west-1").headers(REQUEST)
    assert caught.value.transient
    assert pickle.loads(pickle.dumps(caught.value)).transient  # noqa: S301


def test_without_botocore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'aiomlcommons\[aws\]'"):
        AwsAuth("eu-west-1")


# ---- renewal ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_credentials_are_renewed_in_a_thread_before_they_expire() -> None:
    credentials = Renewing(minutes=60)
    auth = credentials.auth
    assert key_of(await auth.headers(REQUEST)) == "ASIA0"
    credentials.now += timedelta(minutes=46)
    assert key_of(await auth.headers(REQUEST)) == "ASIA1"
    assert threading.get_ident() not in credentials.threads


@pytest.mark.asyncio
async def test_what_a_chain_says_shows_no_password_of_a_proxy() -> None:
    class Broken:
        def get_config_variable(self, _: str) -> str:
            return "eu-west-1"

        def get_credentials(self) -> None:
            raise OSError("cannot reach http://me:hunter2@proxy:3128")

    with pytest.raises(NoCredentials, match=r"cannot reach http://me:\*\*\*@proxy:3128; renew them"):
        await AwsAuth(session=Broken()).headers(REQUEST)


@pytest.mark.asyncio
async def test_many_requests_at_once_renew_expired_credentials_once() -> None:
    credentials = Renewing(minutes=-1)
    auth = credentials.auth
    keys = [key_of(added) for added in await asyncio.gather(*(auth.headers(REQUEST) for _ in range(50)))]
    assert keys == ["ASIA1"] * 50
    assert len(credentials.threads) == 1


@pytest.mark.asyncio
async def test_no_request_waits_for_renewal_while_credentials_are_valid() -> None:
    asked, told = threading.Event(), threading.Event()

    def renew() -> None:
        asked.set()
        told.wait(60)

    credentials = Renewing(minutes=20, renew=renew)
    auth = credentials.auth
    await auth.headers(REQUEST)
    credentials.now += timedelta(minutes=10)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(auth.headers(REQUEST))
        assert await anyio.to_thread.run_sync(asked.wait, 30)
        assert key_of(await auth.headers(REQUEST)) == "ASIA0"
        told.set()
    assert key_of(first.result()) == "ASIA1"


@pytest.mark.asyncio
async def test_who_no_longer_waits_for_renewal_leaves_it_to_the_next() -> None:
    asked, told = threading.Event(), threading.Event()

    def renew() -> None:
        asked.set()
        told.wait(60)

    credentials = Renewing(minutes=-1, renew=renew)
    auth = credentials.auth
    gone = asyncio.create_task(auth.headers(REQUEST))
    assert await anyio.to_thread.run_sync(asked.wait, 30)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    told.set()
    assert key_of(await auth.headers(REQUEST)) == "ASIA1"
    assert len(credentials.threads) == 1


def broken() -> None:
    raise OSError("the metadata service is away")


@pytest.mark.asyncio
async def test_a_failed_renewal_fails_no_request_while_credentials_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = Renewing(minutes=20, renew=broken)
    auth = credentials.auth
    await auth.headers(REQUEST)
    credentials.now += timedelta(minutes=15)
    monkeypatch.setattr(_aws_credentials, "PAUSE", 1e6)
    assert {key_of(await auth.headers(REQUEST)) for _ in range(5)} == {"ASIA0"}
    assert len(credentials.threads) == 1, "not for each request"


@pytest.mark.asyncio
async def test_expired_credentials_that_cannot_be_renewed_are_an_error_that_may_pass() -> None:
    credentials = Renewing(minutes=-1, renew=broken)
    auth = credentials.auth
    failed = await asyncio.gather(*(auth.headers(REQUEST) for _ in range(5)), return_exceptions=True)
    for error in failed:
        assert isinstance(error, NoCredentials)
        assert error.transient
        assert "OSError: the metadata service is away; renew them (as `aws sso login` does)" in str(error)
    assert len(credentials.threads) == 1
    credentials._renew = lambda: None
    assert key_of(await auth.headers(REQUEST)) == "ASIA2"


def test_two_event_loops_may_share_credentials() -> None:
    credentials = Renewing(minutes=-1)
    auth = credentials.auth

    async def many() -> set[str]:
        return {key_of(added) for added in await asyncio.gather(*(auth.headers(REQUEST) for _ in range(20)))}

    with start_blocking_portal() as one, start_blocking_portal() as other:
        found = [portal.start_task_soon(many) for portal in (one, other)]
        assert [future.result() for future in found] == [{"ASIA1"}, {"ASIA1"}]
    assert len(credentials.threads) == 1


# ---- rejected credentials --------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_rejected_credentials_are_looked_for_again(machine: Machine) -> None:
    machine.write("ASIA1")
    auth = AwsAuth("eu-west-1")
    first = await signed(auth)
    assert not await auth.rejected(first, EXPIRED), "there are no others yet"
    machine.write("ASIA2")
    assert await auth.rejected(first, EXPIRED)
    second = await signed(auth)
    assert key_of(second.headers) == "ASIA2"
    machine.write("ASIA3")
    assert await auth.rejected(first, EXPIRED), "others were found in between"
    assert key_of((await signed(auth)).headers) == "ASIA2"
    machine.forget()
    assert not await auth.rejected(second, EXPIRED), "what AWS says counts, not that there are none now"


@pytest.mark.asyncio
async def test_a_new_token_of_the_same_key_is_another_credential(machine: Machine) -> None:
    machine.write("ASIA1")
    auth = AwsAuth("eu-west-1")
    first = await signed(auth)
    machine.write("ASIA1", token="another")
    assert await auth.rejected(first, EXPIRED)


@pytest.mark.asyncio
async def test_many_rejections_at_once_make_one_search(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    made, new = count(), _aws_credentials._new_session
    monkeypatch.setattr(_aws_credentials, "_new_session", lambda: (next(made), new())[1])
    machine.write("ASIA1")
    auth = AwsAuth("eu-west-1")
    first = await signed(auth)
    machine.write("ASIA2")
    assert await asyncio.gather(*(auth.rejected(first, EXPIRED) for _ in range(20))) == [True] * 20
    assert next(made) == 2, "one for the first credentials, one for the others"


@pytest.mark.parametrize(
    ("status", "body", "headers", "searched"),
    [
        (403, b'{"message":"The security token included in the request is invalid."}', {}, True),
        (401, b'{"message":"The security token included in the request is expired"}', {}, True),
        (403, b'{"__type":"ExpiredTokenException"}', {}, True),
        (403, b'{"message":"The request signature we calculated does not match"}', {}, False),
        (403, b'{"Message":"User: arn:aws:iam::1:user/a is not authorized to perform: es:ESHttpGet"}', {}, False),
        (400, b'{"message":"The security token included in the request is expired"}', {}, False),
        # Serverless says the same of all that it refuses.
        (
            403,
            b'{"status":403,"error":{"reason":"403 Forbidden"}}',
            {"x-aoss-response-hint": "X01:gw-helper-deny"},
            True,
        ),
    ],
)
@pytest.mark.asyncio
async def test_only_what_is_said_of_credentials_starts_a_search(
    machine: Machine, status: int, body: bytes, headers: dict[str, str], searched: bool
) -> None:
    machine.write("ASIA1")
    auth = AwsAuth("eu-west-1")
    first = await signed(auth)
    machine.write("ASIA2")
    assert await auth.rejected(first, HttpResponse(status, body, headers)) is searched
    assert not await auth.rejected(REQUEST, HttpResponse(status, body, headers)), "it was not signed here"


@pytest.mark.parametrize("method", ["explicit", "a role that the program assumed"])
@pytest.mark.asyncio
async def test_credentials_that_a_program_chose_are_never_replaced(machine: Machine, method: str) -> None:
    machine.write("ASIA-OF-ANOTHER")
    session = botocore.session.Session()
    session._credentials = Credentials("AKIA1", HUSH, method=method)
    auth = AwsAuth("eu-west-1", session=session)
    assert not await auth.rejected(await signed(auth), EXPIRED)
    assert key_of((await signed(auth)).headers) == "AKIA1"


@pytest.mark.asyncio
async def test_credentials_of_a_session_are_looked_for_where_they_were_found(machine: Machine) -> None:
    machine.write("ASIA1")
    auth = AwsAuth("eu-west-1", session=botocore.session.Session())
    first = await signed(auth)
    machine.write("ASIA2")
    assert await auth.rejected(first, EXPIRED)


# ---- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_no_secret_is_shown_logged_or_pickled(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    machine.write("ASIA1")
    auth = AwsAuth("eu-west-1")
    await auth.headers(REQUEST)
    assert repr(auth) == str(auth) == "AwsAuth(region='eu-west-1', service='es')"
    for shown in (repr([auth]), str(pickle.dumps(auth)), caplog.text, repr(auth._chain)):
        assert HUSH not in shown
        assert TOKEN not in shown


@pytest.mark.asyncio
async def test_a_pickled_copy_finds_the_credentials_of_its_machine(machine: Machine) -> None:
    machine.write("ASIA1")
    auth = AwsAuth("eu-west-1", "aoss")
    await auth.headers(REQUEST)
    machine.write("ASIA2")
    other = pickle.loads(pickle.dumps(auth))  # noqa: S301
    assert (other.region, other.service) == ("eu-west-1", "aoss")
    assert key_of(await other.headers(REQUEST)) == "ASIA2"


def test_a_copy_in_this_process_is_the_same_identity() -> None:
    auth = AwsAuth("eu-west-1")
    assert copy.copy(auth) is copy.deepcopy(auth) is auth


def test_signatures_have_the_time_of_now() -> None:
    made = datetime.strptime(aws.timestamp(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - made) < timedelta(minutes=1)
