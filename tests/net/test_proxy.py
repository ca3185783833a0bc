"""Requests through a real proxy: tunnels to TLS, plain requests, credentials of the proxy, and what it refuses."""

from __future__ import annotations

import base64
import traceback
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons import ConnectError, Session
from aiomlcommons.net.proxy import Proxies, Proxy
from tests.support.authority import Authority
from tests.support.bad_server import garbage, misbehave
from tests.support.connect_proxy import proxying
from tests.support.recording_server import serve

pytestmark = pytest.mark.asyncio

HUSH = "s3same p@ss"
QUOTED = "s3same%20p%40ss"
BASIC = "Basic " + base64.b64encode(f"me:{HUSH}".encode()).decode()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def with_password(url: str) -> str:
    return url.replace("http://", f"http://me:{QUOTED}@")


async def failure(url: str, **options: Any) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        async with Session(url, **{"retries": 0, **options}) as ml:
            await ml.info()
    return caught.value


async def test_tls_goes_through_a_tunnel_that_hears_no_word_of_it(authority: Authority) -> None:
    async with serve(tls=authority.server()) as server, proxying() as proxy:
        options: dict[str, Any] = {"ca_certs": authority.ca_certs, "auth": ("admin", HUSH)}
        async with Session(server.url, proxy=proxy.url, **options) as ml:
            await ml.info()
            await ml.info()
    host = server.url.removeprefix("https://")
    assert [head.partition("\r\n")[0] for head in proxy.heads] == [f"CONNECT {host} HTTP/1.1"]
    assert "authorization" not in proxy.heads[0].lower()
    assert proxy.tunnelled.startswith(b"\x16\x03")  # a TLS record
    assert b"aiomlcommons" not in proxy.tunnelled


async def test_the_proxys_password_goes_to_the_proxy_alone(authority: Authority) -> None:
    async with serve(tls=authority.server()) as server, proxying(authorization=BASIC) as proxy:
        async with Session(server.url, proxy=with_password(proxy.url), ca_certs=authority.ca_certs) as ml:
            await ml.info()
            assert HUSH not in repr(ml)
    assert len(proxy.heads) == 1
    assert "proxy-authorization" not in server.heard[0].headers


async def test_plain_requests_are_forwarded_with_the_whole_url() -> None:
    async with serve() as server, proxying(authorization=BASIC) as proxy:
        async with Session(server.url, proxy=with_password(proxy.url)) as ml:
            await ml.info()
    assert proxy.heads[0].startswith(f"GET {server.url}/ HTTP/1.1\r\n")


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_proxy_that_asks_for_a_password_is_named(authority: Authority, tls: bool, stream: bool) -> None:
    async with serve(tls=authority.server() if tls else None) as server, proxying(authorization=BASIC) as proxy:
        wrong = proxy.url.replace("http://", "http://me:wr0ng@")
        async with Session(server.url, proxy=wrong, retries=0) as ml:
            with pytest.raises(ConnectError) as caught:
                if stream:
                    async with ml.models.predict_stream("m", parameters={"inputs": "x"}):
                        pass
                else:
                    await ml.info()
    error = caught.value
    words = f"the proxy {proxy.url} refuses the connection to {server.url}: 407 Proxy Authentication Required; check"
    assert words in str(error)
    assert (error.transient, error.sent) == (False, False)
    assert "wr0ng" not in "".join(traceback.format_exception(error))
    assert base64.b64encode(b"me:wr0ng").decode() not in repr(error.__cause__) + repr(error.__context__)
    assert server.heard == []


@pytest.mark.parametrize(("refusal", "transient"), [("403 Forbidden", False), ("503 No Way", True)])
async def test_a_proxy_that_refuses_a_tunnel_is_named(authority: Authority, refusal: str, transient: bool) -> None:
    async with serve(tls=authority.server()) as server, proxying(refusal=refusal) as proxy:
        error = await failure(server.url, proxy=proxy.url, ca_certs=authority.ca_certs)
    assert f"the proxy {proxy.url} refuses the connection to {server.url}: {refusal} (GET /)" in str(error)
    assert (error.transient, error.sent) == (transient, False)


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_proxy_that_is_not_there_is_named(scheme: str) -> None:
    async with proxying() as proxy:
        gone = proxy.url
    error = await failure(f"{scheme}://node:9200", proxy=with_password(gone))
    assert f"cannot connect to the proxy {gone}: " in str(error)
    assert "is it up, and are its host and port right in proxy=... or HTTPS_PROXY?" in str(error)
    assert (error.transient, error.sent) == (True, False)
    assert HUSH not in str(error)


async def test_a_proxy_that_speaks_something_else_is_named() -> None:
    async with misbehave(garbage) as bad:
        error = await failure("https://node:9200", proxy=bad.url)
    assert f"https://node:9200 through the proxy {bad.url} did not respond in HTTP" in str(error)


async def test_a_certificate_that_comes_through_a_proxy_is_verified_and_the_proxy_named(authority: Authority) -> None:
    async with serve(tls=authority.server()) as server, proxying() as proxy:
        error = await failure(server.url, proxy=proxy.url)
    assert f"the certificate of {server.url} through the proxy {proxy.url} is not trusted" in str(error)
    assert server.heard == []


async def test_a_pinned_certificate_is_checked_behind_a_proxy(authority: Authority) -> None:
    async with serve(tls=authority.server()) as server, proxying() as proxy:
        error = await failure(server.url, proxy=proxy.url, fingerprint="00" * 32)
    assert "is not the one that is pinned" in str(error)
    assert server.heard == []


# ---- the environment -------------------------------------------------------------------------------------------------


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ~/.netrc with a password for this host."""
    path = tmp_path / "netrc"
    path.write_text(f"machine 127.0.0.1 login me password {HUSH.split()[0]}\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    return "127.0.0.1"


async def test_the_environment_counts_only_where_it_is_trusted(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(tls=authority.server()) as server, proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with Session(server.url, ca_certs=authority.ca_certs) as ml:
            await ml.info()
        assert proxy.heads == []
        async with Session(server.url, ca_certs=authority.ca_certs, trust_env=True) as ml:
            await ml.info()
        assert len(proxy.heads) == 1


@pytest.mark.parametrize("hosts", ["127.0.0.1", "*", "localhost,127.0.0.1:{port}"])
async def test_hosts_of_no_proxy_are_reached_directly(hosts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve() as server, proxying() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", hosts.format(port=server.url.rpartition(":")[2]))
        async with Session(server.url, trust_env=True) as ml:
            await ml.info()
    assert proxy.heads == []


async def test_a_proxy_that_is_named_counts_for_every_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    async with serve() as server, proxying() as proxy, Session(server.url, proxy=proxy.url) as ml:
        await ml.info()
    assert len(proxy.heads) == 1


async def test_no_credential_comes_from_netrc(netrc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve() as server, proxying() as proxy:
        assert netrc in server.url
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with Session(server.url, trust_env=True) as ml:
            await ml.info()
    assert "authorization" not in proxy.heads[0].lower()
    assert "authorization" not in server.heard[0].headers


async def test_a_proxy_of_the_environment_that_is_none_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://me:{QUOTED}@proxy:1080")
    with pytest.raises(ValueError, match=r"HTTPS_PROXY must be like 'http://proxy:3128', not another URL") as caught:
        Session("https://node:9200", trust_env=True)
    assert "s3same" not in str(caught.value)
    Session("http://node:9200", trust_env=True)  # which it is not for


@pytest.mark.parametrize(
    "url", ["", "proxy:3128", "https://proxy:3128", "http://", "http://proxy/path", "http://a?b=c"]
)
async def test_what_is_no_proxy_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match=r"^proxy must be like 'http://proxy:3128', not "):
        Session("https://node:9200", proxy=url)


async def test_a_proxy_and_the_environment_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="proxy and trust_env exclude each other"):
        Session("https://node:9200", proxy="http://proxy:3128", trust_env=True)


async def test_a_proxy_shows_no_password() -> None:
    proxy = Proxy.parse("proxy", f"http://me:{QUOTED}@proxy:3128")
    assert (proxy.url, proxy.headers) == ("http://proxy:3128", {"proxy-authorization": BASIC})
    for shown in (repr(proxy), str(proxy), repr(Proxies(proxy))):
        assert BASIC.removeprefix("Basic ") not in shown
        assert "s3same" not in shown
