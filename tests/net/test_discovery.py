"""Discovery: the cluster names its nodes, one call asks for them, and no call fails by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import anyio
import orjson
import pytest
from aiohttp import web
from yarl import URL

from aiomlcommons import ConnectError, DecodeError, HttpRequest, HttpResponse, Session
from aiomlcommons.net.discovery import AGAIN, EVERY, Discovery, nodes_in, update, url_of
from aiomlcommons.net.nodes import Node, NodePool
from aiomlcommons.net.options import Options
from tests.support.recording_server import INFO, Server, serve
from tests.support.virtual_cluster import SERVICE, Cluster, cluster

A, B, C, LB = "http://10.0.0.1:9200", "http://10.0.0.2:9200", "http://10.0.0.3:9200", "http://balancer:80"


def node(address: str, roles: Sequence[str] = ("data", "ingest", "ml")) -> Any:
    return {"roles": roles, "http": {"publish_address": address}}


def named(*urls: str) -> Any:
    return {"nodes": {str(number): node(url.partition("//")[2]) for number, url in enumerate(urls)}}


@pytest.mark.parametrize(
    ("address", "http", "https"),
    [
        ("10.0.0.1:9200", A, "https://10.0.0.1:9200"),
        ("node-1.example/10.0.0.1:9200", A, "https://node-1.example:9200"),
        ("[::1]:9200", "http://[::1]:9200", "https://[::1]:9200"),
        ("node-1/[fe80::1]:9201", "http://[fe80::1]:9201", "https://node-1:9201"),
        ("localhost:80", "http://localhost", "https://localhost:80"),
    ],
)
def test_an_address_becomes_a_url(address: str, http: str, https: str) -> None:
    assert (url_of(address, "http"), url_of(address, "https")) == (http, https)


@pytest.mark.parametrize(
    ("roles", "taken"),
    [
        (["cluster_manager"], False),
        (["master"], False),
        (["cluster_manager", "remote_cluster_client"], False),
        (["cluster_manager", "data", "ingest"], True),
        (["remote_cluster_client"], True),
        (["ml"], True),
        ([], True),  # a coordinating node
    ],
)
def test_dedicated_cluster_managers_get_no_calls(roles: list[str], taken: bool) -> None:
    body = {"nodes": {"a": node("10.0.0.1:9200"), "b": node("10.0.0.2:9200", roles)}}
    assert nodes_in(response(body), A) == [A, B][: 1 + taken]


def response(body: Any) -> HttpResponse:
    return HttpResponse(200, orjson.dumps(body), {"content-type": "application/json"}, HttpRequest("GET", "/"))


@pytest.mark.parametrize(
    "body",
    [[], {}, {"nodes": []}, {"nodes": {}}, {"nodes": {"a": {}}}, {"nodes": {"a": 1}}, {"nodes": {"a": node("no")}}],
)
def test_a_response_without_nodes_is_none(body: Any) -> None:
    with pytest.raises(DecodeError):
        nodes_in(response(body), A)


def test_nodes_come_and_go_but_the_urls_of_the_session_stay() -> None:
    pool = NodePool([Node(A)])
    update(pool, [A, B], [Node(B, is_seed=False)])
    assert states(pool) == {A: False, B: False}
    update(pool, [B, C], [Node(C, is_seed=False)])
    assert states(pool) == {A: True, B: False, C: False}, "A is a reserve: no node has this name any more"
    update(pool, [A], [])
    assert states(pool) == {A: False}


def states(pool: NodePool) -> dict[str, bool]:
    return {node.url: node.reserve for node in pool.nodes}


def test_a_load_balancer_is_a_reserve_for_when_no_node_is_live() -> None:
    pool = NodePool([Node(LB)])
    update(pool, [A, B], [Node(A, is_seed=False), Node(B, is_seed=False)])
    assert {pool.next().url for _ in range(1)} == {A}
    for node in pool.nodes[1:]:
        pool.failed(node, ConnectError("gone", HttpRequest("GET", "/")))
    assert pool.next().url == LB


@pytest.mark.parametrize(("given", "seconds"), [(True, EVERY), (False, None), (60, 60.0), (0.5, 0.5)])
def test_it_is_off_unless_it_is_wanted(given: Any, seconds: float | None) -> None:
    found = Discovery.of(given, [URL(A)], Options())
    assert seconds == (found and found.every)


@pytest.mark.parametrize(
    ("given", "url", "words"),
    [
        (0, A, "discover must be True, False or a number of seconds above 0, not 0"),
        (-5, A, "above 0"),
        (float("nan"), A, "above 0"),
        ("yes", A, "True, False or a number of seconds above 0, not 'yes'"),
        (True, "https://proxy/opensearch", "not of a proxy with a path such as /opensearch"),
        (True, "https://x.eu-west-1.aoss.amazonaws.com", "Amazon's services, which have one address"),
        (True, "https://x.aos.eu-west-1.on.aws", "Amazon's services, which have one address"),
        (True, "https://x.cn-north-1.es.amazonaws.com.cn", "Amazon's services, which have one address"),
    ],
)
def test_what_cannot_work_is_refused(given: Any, url: str, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        Session(url, discover=given)


def test_a_cluster_on_machines_of_amazon_is_discovered_as_any_other() -> None:
    Session("https://ec2-203-0-113-25.compute-1.amazonaws.com:9200", discover=True)


# ---- calls, in virtual time ------------------------------------------------------------------------------------------


class Clustered:
    """A cluster whose nodes are ``up``, of which ``names`` are those that it tells of."""

    def __init__(self, up: Sequence[str], names: Sequence[str] | None = None) -> None:
        self.up, self.names, self.asked, self.hangs = list(up), names, 0, False

    def __call__(self, http: HttpRequest) -> Any:
        if http.base not in self.up:
            raise ConnectError(f"cannot connect to {http.base}", http, sent=False)
        if http.path != "/_nodes/http":
            return 200, INFO
        self.asked += 1
        if self.hangs:
            return asyncio.sleep(1_000)
        return 200, named(*(self.up if self.names is None else self.names))


async def calls(ml: Session, count: int = 12) -> None:
    await asyncio.gather(*(ml.info() for _ in range(count)))


def run(answers: Clustered, work: Any, urls: Any = A, **options: Any) -> Cluster:
    with cluster(answers) as served:

        async def inside() -> None:
            async with served.session(urls, **{"discover": True, **options}) as ml:
                await work(ml, served)

        served.run(inside())
        return served


def test_a_session_finds_the_nodes_when_it_is_opened_and_spreads_its_calls() -> None:
    answers = Clustered([A, B, C])

    async def work(ml: Session, served: Cluster) -> None:
        assert [node.url for node in ml.nodes] == [A, B, C]
        served.sent.clear()
        await calls(ml)
        assert served.at_each_node == {A: 4, B: 4, C: 4}

    run(answers, work)
    assert answers.asked == 1


def test_a_session_whose_opening_is_cancelled_is_closed() -> None:
    answers = Clustered([A])
    answers.hangs = True
    with cluster(answers) as served:

        async def work() -> None:
            ml = served.session(A, discover=True)
            with pytest.raises(TimeoutError), anyio.fail_after(1):
                await ml.__aenter__()
            assert "closed" in repr(ml)

        served.run(work())


def test_one_call_asks_again_when_it_is_time_and_the_others_go_on() -> None:
    answers = Clustered([A, B])

    async def work(ml: Session, served: Cluster) -> None:
        await asyncio.sleep(EVERY - 1)
        await calls(ml)
        assert answers.asked == 1
        await asyncio.sleep(1)
        answers.hangs = True
        began = served.loop.time()
        slow, *others = [asyncio.create_task(ml.info()) for _ in range(12)]
        await asyncio.gather(*others)
        assert served.loop.time() - began == pytest.approx(SERVICE)
        await slow
        assert served.loop.time() - began < 6, "a short time limit"
        assert answers.asked == 2

    run(answers, work)


def test_a_call_that_is_cancelled_while_it_asks_leaves_it_to_another() -> None:
    answers = Clustered([A])

    async def work(ml: Session, served: Cluster) -> None:
        await asyncio.sleep(EVERY)
        answers.hangs = True
        task = asyncio.create_task(ml.info())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        answers.hangs = False
        answers.up += [B]
        await asyncio.sleep(EVERY)
        await ml.info()
        assert [node.url for node in ml.nodes] == [A, B]

    run(answers, work)


def test_a_node_that_fails_has_the_cluster_asked_soon() -> None:
    answers = Clustered([A, B, C])

    async def work(ml: Session, served: Cluster) -> None:
        answers.up.remove(B)
        await calls(ml)
        assert answers.asked == 1, "not at each failure"
        await asyncio.sleep(AGAIN)
        await calls(ml)
        assert [node.url for node in ml.nodes] == [A, C]
        assert answers.asked == 2
        await asyncio.sleep(AGAIN)
        await calls(ml)
        assert answers.asked == 2

    run(answers, work)


def test_addresses_that_do_not_respond_get_no_calls(caplog: pytest.LogCaptureFixture) -> None:
    """A cluster in containers names those of its own network."""
    answers = Clustered([A], names=[A, "http://172.17.0.2:9200"])

    async def work(ml: Session, served: Cluster) -> None:
        assert [node.url for node in ml.nodes] == [A]

    run(answers, work)
    [record] = caplog.records
    assert record.message == "http://172.17.0.2:9200 is a node of the cluster but does not respond: it gets no calls"


@pytest.mark.parametrize("names", [["nowhere"], []])
def test_a_discovery_that_fails_fails_no_call(caplog: pytest.LogCaptureFixture, names: list[str]) -> None:
    async def work(ml: Session, served: Cluster) -> None:
        await calls(ml)

    run(Clustered([A], names), work)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "the nodes of the cluster could not be discovered: " in record.message


def test_a_cluster_that_is_not_there_is_told_by_the_call() -> None:
    async def work(ml: Session, served: Cluster) -> None:
        with pytest.raises(ConnectError, match="cannot connect"):
            await ml.info()

    run(Clustered([]), work, retries=0)


def test_the_users_of_views_do_not_ask() -> None:
    """They may lack the permission, and their credentials are for their own calls."""
    answers = Clustered([A])

    async def work(ml: Session, served: Cluster) -> None:
        await asyncio.sleep(EVERY)
        await ml.options(auth=("bob", "his")).info()
        asked = [http for _, http in served.sent if http.path == "/_nodes/http"]
        assert len({http.headers["authorization"] for http in asked}) == 1
        assert len(asked) == 2

    run(answers, work, auth=("service", "secret"))


@pytest.mark.asyncio
async def test_over_sockets() -> None:
    async with AsyncExitStack() as stack:
        servers: list[Server] = [await stack.enter_async_context(serve()) for _ in range(3)]
        body = named(*(server.url for server in servers))

        async def answer(request: Any) -> Any:
            return web.json_response(body if request.path == "/_nodes/http" else INFO)

        for server in servers:
            server.answers = [answer]
        async with Session(servers[0].url, discover=True) as ml:
            assert {node.url for node in ml.nodes} == {server.url for server in servers}
            await calls(ml)
    assert all(len(server.heard) >= 4 for server in servers)
