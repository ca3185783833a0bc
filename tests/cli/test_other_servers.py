"""What is no OpenSearch is said to be so, in one line: web servers, other databases, other APIs, the wrong scheme."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from aiohttp import web

from aiomlcommons import NotFound, NotOpenSearch, Session, cli
from tests.support.authority import Authority
from tests.support.recording_server import INFO, reply, serve

pytestmark = pytest.mark.asyncio

WELCOME = (
    "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body>" + "<p>If you see this page</p>" * 50
)
MISSING = "<html><head><title>404 Not Found</title></head><body><center><h1>404 Not Found</h1></center></body></html>"
GATEWAY = (
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
ELASTIC = {**INFO, "version": {"number": "8.15.0"}, "tagline": "You Know, for Search"}
PLAIN = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>"
NO_HANDLER = {"error": "no handler found for uri [/_plugins/_ml/models/_search] and method [POST]"}
Answers: TypeAlias = Callable[[str], web.Response]


def page(text: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html")


def _elastic(path: str) -> web.Response:
    return reply(ELASTIC) if path == "/" else reply(NO_HANDLER, 400)


def _login(_: str) -> web.Response:
    return web.Response(status=302, headers={"location": "https://login.example.com/?next=x"}, text=MISSING)


SERVERS: dict[str, tuple[Answers, str]] = {
    "the page of a web server": (
        lambda _: page(WELCOME),
        'NotOpenSearch: {url} is not an OpenSearch: GET / answers with an HTML page, "Welcome to nginx!"\n',
    ),
    "a page that is missing": (
        lambda _: page(MISSING, 404),
        'NotOpenSearch: {url} is not an OpenSearch: GET / answers 404, an HTML page, "404 Not Found"\n',
    ),
    "a gateway before the cluster": (
        lambda _: page(GATEWAY, 502),
        'Unavailable: an HTML page, "502 Bad Gateway"; OpenSearch sends no such page: is the URL that of the',
    ),
    "Elasticsearch": (_elastic, "NotOpenSearch: {url} is not an OpenSearch: it is Elasticsearch 8.15.0"),
    "another API": (
        lambda _: reply({"status": "ok"}),
        'NotOpenSearch: {url} is not an OpenSearch: GET / answers with \'{{"status":"ok"}}\' (the response is not a '
        "Info: required key 'name' is missing",
    ),
    "an API without such a path": (
        lambda _: reply({"detail": "Not Found"}, 404),
        "NotOpenSearch: {url} is not an OpenSearch: GET / answers 404, without a reason\n",
    ),
    "a login": (_login, "Redirected: "),
    "a port of TLS that says so": (
        lambda _: page(PLAIN, 400),
        'BadRequest: an HTML page, "400 The plain HTTP request was sent to HTTPS port"; this port speaks TLS: the URL '
        "must begin with https",
    ),
}


@pytest.mark.parametrize("name", SERVERS)
async def test_what_is_no_opensearch_is_said_to_be_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    answers, words = SERVERS[name]

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return answers(request.path)

    async with serve(answer) as server:
        code = await asyncio.to_thread(cli.main, ["models", "list", "--url", server.url])
        got = capsys.readouterr()
    assert (code, got.out) == (1, "")
    assert got.err.startswith(f"aiomlcommons: {words.format(url=server.url)}"), got.err
    assert (len(got.err.splitlines()), "<" in got.err) == (1, False)


async def test_a_port_of_tls_that_is_spoken_to_in_plain_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve(tls=Authority(tmp_path).server()) as server:
        url = server.url.replace("https", "http")
        code = await asyncio.to_thread(cli.main, ["models", "list", "--url", url])
    err = capsys.readouterr().err
    assert (code, "if the cluster uses TLS, the URL must begin with https" in err) == (1, True), err


async def test_a_plain_port_that_is_spoken_to_by_tls(capsys: pytest.CaptureFixture[str]) -> None:
    async with serve() as server:
        url = server.url.replace("http", "https")
        code = await asyncio.to_thread(cli.main, ["models", "list", "--url", url])
    err = capsys.readouterr().err
    assert (code, "does this port speak TLS? If not, the URL must begin with http" in err) == (1, True), err


async def test_an_opensearch_without_the_plugin_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return reply() if request.path == "/" else reply(NO_HANDLER, 400)

    async with serve(answer) as server:
        code = await asyncio.to_thread(cli.main, ["models", "list", "--url", server.url])
    err = capsys.readouterr().err
    assert (code, "no handler found" in err, "not an OpenSearch" in err) == (1, True, False), err


async def test_a_session_greets_a_web_server() -> None:
    async with serve(page(MISSING, 404)) as server, Session(server.url) as ml:
        with pytest.raises(NotOpenSearch) as caught:
            await ml.greet()
    assert caught.value.url == server.url
    assert isinstance(caught.value.__cause__, NotFound)


async def test_errors_say_a_page_by_its_title_and_keep_all_of_it() -> None:
    async with serve(page(MISSING, 404)) as server, Session(server.url) as ml:
        with pytest.raises(NotFound) as caught:
            await ml.models.get("m")
    assert (caught.value.reason, caught.value.body) == ('an HTML page, "404 Not Found"', MISSING)


async def test_the_words_of_a_server_do_not_reach_the_terminal_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"error": {"type": "x", "reason": "\x1b[2J\x1b[31mno"}, "status": 400}
    async with serve(reply(refused, 400)) as server:
        assert await asyncio.to_thread(cli.main, ["models", "list", "--url", server.url]) == 1
    assert "\ufffd[2J\ufffd[31mno" in (told := capsys.readouterr().err)
    assert "\x1b" not in told
