"""TLS over real sockets: trust, pinning, client certificates, own contexts, and the warnings where none of it holds."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import ssl
import threading
import warnings
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web

from aiomlcommons import ConnectError, InsecureWarning, Session
from aiomlcommons.net.aiohttp_transport import AiohttpTransport
from aiomlcommons.net.tls import TLS
from tests.support.authority import Authority, fingerprint, locked
from tests.support.bad_server import misbehave
from tests.support.recording_server import serve
from tests.support.silent_tls import with_alert, without_farewell

pytestmark = pytest.mark.asyncio

HUSH = "sesame-7c1e"  # which is in no path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def client_cert(authority: Authority) -> Path:
    return authority.client()


async def failure(url: str, kind: type[Exception] = ConnectError, **options: Any) -> Any:
    """Return the error of the first call on a session."""
    with pytest.raises(kind) as caught:
        async with Session(url, **{"retries": 0, **options}) as ml:
            await ml.info()
    return caught.value


async def enters(url: str, **options: Any) -> bool:
    async with Session(url, **{"retries": 0, **options}) as ml:
        return (await ml.info()).cluster_name == "test"


# ---- trust -----------------------------------------------------------------------------------------------------------


async def test_an_untrusted_certificate_says_how_to_trust_it(authority: Authority) -> None:
    async with serve(tls=authority.server()) as server:
        error = await failure(server.url)
    assert f"the certificate of {server.url} is not trusted: " in str(error)
    assert "name its authority with ca_certs=... or OPENSEARCH_CA_CERTS" in str(error)
    assert (error.transient, error.sent) == (False, False)


async def test_a_certificate_for_another_host_is_told_apart(authority: Authority) -> None:
    async with serve(tls=authority.server("elsewhere.example")) as server:
        error = await failure(server.url, ca_certs=authority.ca_certs)
    assert f"the certificate of {server.url} is for another host" in str(error)


async def test_a_certificate_that_is_out_of_date_says_so(authority: Authority) -> None:
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    for began, ended, words in ((-2, -1, "certificate has expired"), (1, 2, "certificate is not yet valid")):
        issued = authority.ca.issue_cert("127.0.0.1", not_before=now + began * day, not_after=now + ended * day)
        async with serve(tls=authority.context(issued)) as server:
            error = await failure(server.url, ca_certs=authority.ca_certs)
        assert f"the certificate of {server.url} is out of date: {words}; have it renewed, or set the clock" in str(
            error
        )
        assert (error.transient, error.sent) == (False, False)


async def test_an_own_authority_lets_the_session_in(authority: Authority) -> None:
    async with serve(tls=authority.server()) as server:
        assert await enters(server.url, ca_certs=authority.ca_certs)


async def test_a_server_of_an_old_tls_is_refused(authority: Authority) -> None:
    context = authority.server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serve(tls=context) as server:
        error = await failure(server.url, ca_certs=authority.ca_certs)
    words = f"{server.url} closed the connection in the middle of the TLS handshake; does it speak TLS 1.2 or newer?"
    assert words in str(error)
    assert server.heard == []


async def test_no_version_before_1_2_is_spoken_and_no_newer_minimum_of_the_system_lowered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lax = ssl.TLSVersion.MINIMUM_SUPPORTED
    for systems, ours in ((lax, ssl.TLSVersion.TLSv1_2), (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)):
        context = ssl.create_default_context()
        context.minimum_version = systems
        with monkeypatch.context() as patched:
            patched.setattr(ssl, "create_default_context", lambda cafile, made=context: made)
            assert TLS().context().minimum_version == ours


async def test_http_to_a_tls_port_says_https(authority: Authority) -> None:
    async with serve(tls=authority.server()) as server:
        error = await failure(server.url.replace("https:", "http:"))
    assert "the URL must begin with https" in str(error)


async def test_https_to_a_plain_port_says_http() -> None:
    async with serve() as server:
        error = await failure(server.url.replace("http:", "https:"))
    assert "TLS with https://127.0.0.1" in str(error)
    assert "does this port speak TLS? If not, the URL must begin with http" in str(error)
    assert not error.transient


async def test_certificates_are_read_off_the_event_loop() -> None:
    threads: list[int] = []

    class Watched(TLS):
        def context(self) -> ssl.SSLContext:
            threads.append(threading.get_ident())
            return super().context()

    transport = AiohttpTransport(tls=Watched(), pool_size=1, gzip=False)
    await transport.open()
    await transport.close()
    assert threads != [threading.get_ident()]


# ---- pinning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [str, str.lower, lambda hexed: hexed.replace(":", "")])
async def test_a_pinned_certificate_is_accepted_whoever_signed_it_and_whatever_it_names(
    authority: Authority, written: Any
) -> None:
    issued = authority.ca.issue_cert("elsewhere.example")
    async with serve(tls=authority.context(issued)) as server:
        assert await enters(server.url, fingerprint=written(fingerprint(issued)))


async def test_another_certificate_than_the_pinned_one_gets_no_request(authority: Authority) -> None:
    issued, other = authority.ca.issue_cert("127.0.0.1"), authority.ca.issue_cert("127.0.0.1")
    async with serve(tls=authority.context(issued)) as server:
        error = await failure(server.url, fingerprint=fingerprint(other), auth=("admin", HUSH))
    assert f"the certificate of {server.url} is not the one that is pinned: " in str(error)
    assert f"its SHA-256 fingerprint is {fingerprint(issued)}" in str(error)
    assert f"fingerprint={fingerprint(other)} is expected; has it been renewed?" in str(error)
    assert (error.transient, error.sent) == (False, False)
    assert server.heard == []


async def test_a_client_certificate_is_shown_to_a_pinned_server_too(authority: Authority, client_cert: Path) -> None:
    issued = authority.ca.issue_cert("127.0.0.1")
    async with serve(tls=authority.context(issued, client=True)) as server:
        assert await enters(server.url, fingerprint=fingerprint(issued), client_cert=client_cert)


async def test_a_pinned_certificate_is_no_reason_to_warn(authority: Authority, caplog: Any) -> None:
    Session("https://node:9200", fingerprint="ab" * 32, auth=("admin", HUSH))
    assert caplog.records == []


@pytest.mark.parametrize("wrong", ["", "ab" * 31, "ab" * 33, "zz" * 32, ":".join(["ab"] * 31), "sha256:" + "ab" * 32])
async def test_what_is_no_sha256_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^fingerprint must be a SHA-256 in hex, with or without colons, not '"):
        Session("https://node:9200", fingerprint=wrong)


# ---- client certificates ---------------------------------------------------------------------------------------------


async def test_a_missing_client_certificate_says_which_option_gives_it(authority: Authority) -> None:
    async with serve(tls=authority.server(client=True)) as server:
        error = await failure(server.url, ca_certs=authority.ca_certs)
    assert server.url in str(error)
    assert "if the cluster asks for a client certificate, name it in client_cert" in str(error)


async def test_a_client_certificate_lets_the_session_in(authority: Authority, client_cert: Path) -> None:
    async with serve(tls=authority.server(client=True)) as server:
        assert await enters(server.url, ca_certs=authority.ca_certs, client_cert=client_cert)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_that_the_cluster_refuses_is_named(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    foreign, context = Authority(tmp_path).client(), authority.server(client=True)
    context.maximum_version = version
    async with misbehave(with_alert(context)) as bad:
        url = bad.url.replace("http:", "https:")
        error = await failure(url, ca_certs=authority.ca_certs, client_cert=foreign)
    hint = "the cluster refuses the certificate in client_cert: does it trust its authority, and is it valid?"
    assert hint in str(error)
    assert not error.transient


async def test_with_a_client_certificate_a_dropped_connection_has_no_hint_at_it(
    authority: Authority, client_cert: Path
) -> None:
    async def drops(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serve(drops, tls=authority.server(client=True)) as server:
        error = await failure(server.url, ca_certs=authority.ca_certs, client_cert=client_cert)
    assert "name it in client_cert" not in str(error)


async def test_the_password_of_a_client_key_is_used(authority: Authority, client_cert: Path) -> None:
    tls = TLS(client_cert=str(client_cert), client_key=str(locked(client_cert, HUSH)), client_key_password=HUSH)
    assert isinstance(tls.context(), ssl.SSLContext)
    assert HUSH not in repr(tls)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        (None, "client_key='{key}' is encrypted: give its password in client_key_password"),
        ("shut-9f", "client_key_password does not open client_key='{key}'"),
    ],
)
async def test_a_client_key_without_its_password_fails_and_asks_no_terminal(
    client_cert: Path, password: str | None, words: str
) -> None:
    key = locked(client_cert, HUSH)
    tls = TLS(client_cert=str(client_cert), client_key=str(key), client_key_password=password)
    with pytest.raises(ssl.SSLError) as caught:
        tls.context()
    assert str(caught.value) == words.format(key=key)


async def test_the_key_of_another_certificate_is_told_apart(authority: Authority, client_cert: Path) -> None:
    other = authority.client("other.pem")
    error = await failure("https://node:9200", ssl.SSLError, client_cert=client_cert, client_key=other)
    assert str(error) == f"client_key='{other}' does not belong to the certificate in client_cert='{client_cert}'"


async def test_a_client_certificate_without_any_key_says_where_it_is_looked_for(authority: Authority) -> None:
    error = await failure("https://node:9200", ssl.SSLError, client_cert=authority.ca_certs)
    assert f"client_cert='{authority.ca_certs}' cannot be used: " in str(error)
    assert "a client_cert alone must hold the key too" in str(error)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"ca_certs": "missing.pem"}, FileNotFoundError, "ca_certs='missing.pem' cannot be used: No such file"),
        ({"client_cert": "missing.pem"}, FileNotFoundError, "client_cert='missing.pem' cannot be used: No such file"),
        (
            {"client_cert": __file__, "client_key": "missing.pem"},
            FileNotFoundError,
            "client_key='missing.pem' cannot be used: No such file",
        ),
        ({"ca_certs": __file__}, ssl.SSLError, f"ca_certs='{__file__}' cannot be used: "),
    ],
)
async def test_a_file_that_cannot_be_used_is_named_before_the_network(
    options: dict[str, str], kind: type[Exception], words: str
) -> None:
    error = await failure("https://127.0.0.1:9", kind, **options)
    assert words in str(error)


@pytest.mark.parametrize("option", ["client_key", "client_key_password"])
async def test_a_key_without_its_certificate_is_refused_at_once(option: str) -> None:
    with pytest.raises(ValueError, match=f"^{option} requires client_cert: give the certificate too$"):
        Session("https://node:9200", **{option: "key.pem"})  # type: ignore[arg-type]


# ---- an own context --------------------------------------------------------------------------------------------------


async def test_an_own_context_is_used_as_it_is(authority: Authority, client_cert: Path) -> None:
    context = ssl.create_default_context(cafile=str(authority.ca_certs))
    context.load_cert_chain(client_cert)
    async with serve(tls=authority.server(client=True)) as server:
        assert await enters(server.url, ssl_context=context)


@pytest.mark.parametrize(
    "others",
    [
        {"verify": False},
        {"ca_certs": "ca.pem"},
        {"client_cert": "c.pem"},
        {"fingerprint": "ab" * 32},
        {"client_cert": "c.pem", "client_key": "k.pem"},
    ],
)
async def test_an_own_context_decides_alone(others: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^ssl_context decides by itself") as caught:
        Session("https://node:9200", ssl_context=ssl.create_default_context(), **others)
    assert str(caught.value).endswith(f"do not give {' and '.join(others)} with it")


@pytest.mark.parametrize("others", [{"verify": False}, {"ca_certs": "ca.pem"}])
async def test_a_fingerprint_decides_alone(others: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^fingerprint decides by itself what is trusted: do not give"):
        Session("https://node:9200", fingerprint="ab" * 32, **others)


async def test_an_own_context_of_an_old_tls_is_refused() -> None:
    context = ssl.create_default_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ValueError, match=r"before TLS 1\.2, .* set ssl_context\.minimum_version"):
        Session("https://node:9200", ssl_context=context)


async def test_a_context_for_servers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^ssl_context is one for servers"):
        Session("https://node:9200", ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


# ---- warnings --------------------------------------------------------------------------------------------------------


def blind() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def test_no_verification_lets_the_session_in_but_not_silently(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(tls=authority.server("elsewhere.example")) as server:
        with pytest.warns(InsecureWarning, match=f"the certificate of {server.url} is not verified") as warned:
            assert await enters(server.url, verify=False)
    assert [entry.filename for entry in warned] == [__file__]
    assert [(record.levelname, record.name) for record in caplog.records] == [("WARNING", "aiomlcommons")]


async def test_the_warning_names_the_line_that_makes_the_session() -> None:
    environ = {"OPENSEARCH_URL": "https://node:9200", "OPENSEARCH_VERIFY_CERTS": "no"}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        Session("https://node:9200", verify=False)
        Session.from_env(environ)
        Session("https://node:9200", ssl_context=blind())
        with pytest.raises(ConnectError):
            await Session.connect("https://127.0.0.1:9", verify=False, retries=0)
    lines = [entry.lineno for entry in warned]
    assert [(entry.category, entry.filename) for entry in warned] == [(InsecureWarning, __file__)] * 4
    assert [line - lines[0] for line in lines] == [0, 1, 2, 4]


@pytest.mark.parametrize(
    ("url", "options", "warned"),
    [
        ("http://node:9200", {"auth": ("admin", HUSH)}, True),
        (f"http://admin:{HUSH}@node:9200", {}, True),
        ("http://node:9200", {"headers": {"Authorization": HUSH}}, True),
        ("http://10.0.0.7:9200", {"auth": ("admin", HUSH)}, True),
        ("http://node:9200", {}, False),
        ("http://127.0.0.1:9200", {"auth": ("admin", HUSH)}, False),
        ("http://[::1]:9200", {"auth": ("admin", HUSH)}, False),
        ("http://localhost:9200", {"auth": ("admin", HUSH)}, False),
        ("https://node:9200", {"auth": ("admin", HUSH)}, False),
        ("http://node:9200", {"verify": False}, False),
    ],
)
async def test_credentials_in_clear_text_are_logged(
    url: str, options: dict[str, Any], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    Session(url, **options)
    logged = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [" travel unencrypted: everyone on the way can read them; use https" in words for words in logged] == [
        True
    ] * warned
    assert HUSH not in caplog.text


# ---- the end of connections ------------------------------------------------------------------------------------------


async def test_a_dropped_connection_does_not_wait_for_the_servers_farewell(authority: Authority) -> None:
    shaken = asyncio.Event()
    async with misbehave(without_farewell(authority.server(), shaken)) as bad:
        async with Session(bad.url.replace("http:", "https:"), ca_certs=authority.ca_certs) as ml:
            async with anyio.create_task_group() as group:
                group.start_soon(ml.info)
                await shaken.wait()
                group.cancel_scope.cancel()
            with anyio.fail_after(10):  # asyncio itself would wait for 30 s
                await bad.gone.wait()
