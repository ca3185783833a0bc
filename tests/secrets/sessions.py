"""Sessions and calls with credentials of every kind, at servers that fail in every way."""

from __future__ import annotations

import asyncio
import pickle
import pydoc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization

from aiomlcommons import Backoff, Secret, Session, Timeout
from aiomlcommons.api.server import GetInfo
from aiomlcommons.diagnosis import Report
from aiomlcommons.http import HttpRequest, HttpResponse
from tests.secrets.canaries import Outputs
from tests.secrets.credentials import Way, ways
from tests.secrets.servers import SERVERS, proxy_that_quotes, quoting
from tests.support.recording_server import serve

Call = Callable[[Session, Way], Awaitable[Any]]


async def _untyped(ml: Session, way: Way) -> HttpResponse:
    return await ml.request("POST" if "body" in way.call else "GET", way.path, **way.call)


async def _streamed(ml: Session, _: Way) -> None:
    async with ml.pieces(GetInfo()) as pieces:
        while await pieces():
            pass


async def _diagnosed(ml: Session, _: Way) -> Report:
    return await ml.diagnose(timeout=5)


CALLS: tuple[Call, ...] = (
    _untyped,
    lambda ml, _: ml.info(),
    lambda ml, _: ml.raw(GetInfo()),
    lambda ml, _: ml.predict("text_embedding", "m", text_docs=["a"]),
    _streamed,
    _diagnosed,
)


async def sessions_at_failing_servers(outputs: Outputs, folder: Path) -> None:
    """Call every failing server with every way of giving credentials."""
    for name, way in outputs.some(product(SERVERS, list(ways(outputs.canaries)))):
        async with SERVERS[name]() as url:
            await _calls(outputs, f"{name}, {way.name}", url, way)


async def _calls(outputs: Outputs, where: str, url: str, way: Way) -> None:
    async with _session(outputs, where, way.url(url), way) as ml:
        for number, call in enumerate(CALLS):
            # All of them where they differ by the way of giving the credential, else one stream is like the other.
            if number == 0 or not way.call:
                await _call(outputs, f"{where}, call {number}", call, ml, way)


@asynccontextmanager
async def _session(outputs: Outputs, where: str, url: str, way: Way) -> AsyncGenerator[Session]:
    limit = 0.01 if "silent" in where else 5
    limits = Timeout(connect=limit if "TLS" in where else 5, read=limit)
    options: dict[str, Any] = {"timeout": limits, "retries": 1, "backoff": Backoff(first=0), **way.session}
    async with Session(url, **options) as ml:
        view = ml.options(**way.view)
        _show(outputs, where, ml)
        _show(outputs, where, view)
        yield view


def _show(outputs: Outputs, where: str, ml: Session) -> None:
    for value in (ml, ml.models, ml._exchange, ml._exchange.transport, ml._exchange.options):
        outputs.show(where, value)
    outputs.add("help", where, pydoc.plain(pydoc.render_doc(ml.request)))
    try:
        outputs.add("pickles of sessions", where, pickle.dumps(ml))
    except Exception as error:
        outputs.error(where, error)


async def _call(outputs: Outputs, where: str, call: Call, ml: Session, way: Way) -> None:
    try:
        answer = await call(ml, way)
    except Exception as error:
        outputs.error(where, error)
        for value in (getattr(error, "request", None), getattr(error, "response", None)):
            if isinstance(value, HttpRequest | HttpResponse):
                outputs.show(where, value)
                outputs.show(f"{where}, url", getattr(value, "url", ""))
    else:
        if isinstance(answer, HttpResponse):
            outputs.show(where, answer)
            outputs.show(where, answer.request)
        elif isinstance(answer, Report):
            outputs.show(where, answer)


async def sessions_that_give_up(outputs: Outputs, folder: Path) -> None:
    """Have a deadline end calls that are refused, with all that is said of what they waited for."""
    for kind in ("json", "text"):
        async with serve(quoting(429, kind)) as running:
            for way in outputs.some(list(ways(outputs.canaries))):
                await _give_up(outputs, f"given up, {kind}, {way.name}", way.url(running.url), way)


async def _give_up(outputs: Outputs, where: str, url: str, way: Way) -> None:
    async with Session(url, **{"backoff": Backoff(first=30), **way.session}) as ml:
        view = ml.options(**way.view)
        try:
            async with asyncio.timeout(0.1):
                await view.request("POST" if "body" in way.call else "GET", way.path, repeatable=True, **way.call)
        except Exception as error:
            outputs.error(where, error)


async def sessions_with_a_client_key(outputs: Outputs, folder: Path) -> None:
    """Open sessions whose client key has a password, the right one and a wrong one."""
    pem = trustme.CA().issue_cert("me@example.org").private_key_and_cert_chain_pem
    (folder / "client.pem").write_bytes(pem.bytes())
    plant = outputs.canaries.plant
    right = plant("client_key_password, right")
    key = serialization.load_pem_private_key(pem.bytes(), None)
    sealed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(right.encode()),
    )
    (folder / "locked.pem").write_bytes(sealed)
    for password in (right, Secret(right), plant("client_key_password, wrong")):
        files: dict[str, Any] = {"client_cert": folder / "client.pem", "client_key": folder / "locked.pem"}
        ml = Session("https://127.0.0.1:1", client_key_password=password, retries=0, **files)
        try:
            async with ml:
                await ml.info()
        except Exception as error:
            outputs.error("client key", error)
        _show(outputs, "client key", ml)
    password = plant("password in a URL that is not verified")
    _show(outputs, "verify=False", Session(f"https://me:{password}@127.0.0.1:1", verify=False))


async def sessions_behind_a_proxy(outputs: Outputs, folder: Path) -> None:
    """Go through proxies with a password, which quote it in their answers, to clusters behind http and https."""
    plant = outputs.canaries.plant
    for status, kind in product((200, 302, 400, 407, 502), ("json", "text")):
        async with proxy_that_quotes(status, kind) as proxy:
            given = {
                "proxy=": {"proxy": proxy.replace("://", f"://me:{plant('password in proxy=')}@")},
                "quoted": {"proxy": proxy.replace("://", f"://me:%40{plant('percent-encoded password in proxy=')}@")},
            }
            for name, options in given.items():
                for url in ("http://cluster.invalid", "https://cluster.invalid"):
                    way = Way(name=name, session=options)
                    await _calls(outputs, f"{name} {status} {kind} {url}", url, way)


async def sessions_with_wrong_arguments(outputs: Outputs, folder: Path) -> None:
    """Give credentials of wrong types, and in the wrong places."""
    plant = outputs.canaries.plant
    token, url = plant("a wrong type of credential"), plant("a URL that is wrong")
    for where, make in _wrong(token, url).items():
        try:
            made = make()
            outputs.show(where, made)
            async with made as ml:
                await ml.info()
        except Exception as error:
            outputs.error(where, error)


def _wrong(token: str, word: str) -> dict[str, Callable[[], Session]]:
    pairs: list[Any] = [token, token.encode(), (token,), ["admin", token], {"user": token}, ("admin", token.encode())]
    pairs += [(f"a:{token}", token), ("admin", f"{token}\n"), (5, token)]
    urls = [
        f"https://admin:{word}/x@h:9200",
        f"https://admin:{word}",
        f"https://admin:{word}#x@h",
        f"https://admin:{word}?x@h",
        f"https://h?password={word}",
        f"https://h:9200/#{word}",
        f"ftp://admin:{word}@h",
        f"admin:{word}@h:9200",
        f"https://admin:{word}@",
        f"https://admin:{word}@h:port",
        f"https://admin:{word}@[h",
        f"https://a%3Ab:{word}@h",
        f"https://admin:{word}@h%zz",
        f"//admin:{word}@h",
        f"https://admin:{word}%0A@h",
    ]
    headers: list[Any] = [
        {"x-api-key": f"{token}\n"},
        {"x-api-key": token.encode()},
        {"x-api-key": [token]},
        {"x-api-key": f"ö\ud800{token}"},
        [("x-api-key", token)],
        token,
    ]
    makers: dict[str, Callable[[], Session]] = {}
    for number, auth in enumerate(pairs):
        makers[f"auth= {number}"] = partial(Session, "http://h", auth=auth)
    for number, url in enumerate(urls):
        makers[f"url= {number}"] = partial(Session, url)
        makers[f"proxy= {number}"] = partial(Session, "http://h", proxy=url)
    for number, given in enumerate(headers):
        makers[f"headers= {number}"] = partial(Session, "http://127.0.0.1:1", headers=given)
    password: Any = token.encode()
    makers["client_key_password="] = partial(Session, "https://h", client_cert="x", client_key_password=password)
    return makers
