"""The example web service under load, over real sockets: whose calls they are, what it refuses, and how it ends."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web

from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.faults import refuse
from aiomlcommons.emulator.pool import CallNext
from aiomlcommons.emulator.security import Security
from aiomlcommons.ingest import IndexSink
from benchmarks.web_service import measure, report
from tests.pages.blocks import blocks_of
from tests.support.paths import ROOT
from tests.support.relay_node import RelayNode
from tests.support.web_service import ANN, Cluster, Served, cluster_of, module, service_of

pytestmark = pytest.mark.asyncio

AT_ONCE = 100
VERSES = [f"verse {number}" for number in range(AT_ONCE)]


@pytest_asyncio.fixture
async def cluster() -> AsyncGenerator[Cluster]:
    async with cluster_of() as one:
        yield one


@pytest_asyncio.fixture
async def served(cluster: Cluster) -> AsyncGenerator[Served]:
    async with service_of(cluster) as one:
        yield one


def noted(cluster: Cluster) -> list[tuple[str, bytes]]:
    """Note of each prediction from now on whose it is, and what it asks for."""
    seen: list[tuple[str, bytes]] = []

    async def note(request: web.BaseRequest, go_on: CallNext) -> web.StreamResponse:
        seen.append((request.headers["authorization"], await request.read()))
        return await go_on()

    cluster.emulator.faults.add(note, times=None)
    return seen


# ---- under load ------------------------------------------------------------------------------------------------------


async def test_a_hundred_calls_at_once_have_the_vectors_of_bare_calls(cluster: Cluster, served: Served) -> None:
    gate = cluster.hold(AT_ONCE)
    calls = [asyncio.create_task(served.embed(verse)) for verse in VERSES]
    await gate.full.wait()  # no call waits for the connection of another one
    gate.open.set()
    answers = await asyncio.gather(*calls)

    assert {one.status for one in answers} == {200}
    found = np.array([one.body["vectors"][0] for one in answers], dtype=np.float32)
    assert np.array_equal(found, await cluster.ml.embed_many(cluster.model, VERSES))


async def test_each_of_many_calls_at_once_carries_the_credentials_of_who_makes_it(
    cluster: Cluster, served: Served
) -> None:
    seen = noted(cluster)
    users = [number % 10 for number in range(AT_ONCE)]
    answers = await asyncio.gather(*(served.embed(f"I am {user}.", whose=f"Bearer of-{user}") for user in users))

    assert {one.status for one in answers} == {200}
    assert len(seen) == AT_ONCE
    assert all(f"I am {whose.removeprefix('Bearer of-')}.".encode() in body for whose, body in seen)


async def test_more_calls_than_it_can_bear_are_refused_at_once_and_the_others_are_answered(cluster: Cluster) -> None:
    async with service_of(cluster, at_once=3) as served:
        gate = cluster.hold(3)
        calls = [asyncio.create_task(served.embed("a")) for _ in range(3)]
        await gate.full.wait()
        one_more = await served.embed("b")
        assert (one_more.status, one_more.headers["retry-after"]) == (503, "1")
        assert one_more.body["detail"] == "3 calls are under way; try again later"
        assert await served.health("ready") == 200  # which takes none of their places
        gate.open.set()
        assert [one.status for one in await asyncio.gather(*calls)] == [200] * 3
        assert (await served.embed("b")).status == 200


async def test_a_call_whose_client_has_gone_is_cancelled_in_the_cluster_and_leaves_its_place(cluster: Cluster) -> None:
    async with service_of(cluster, at_once=1) as served:
        gate = cluster.hold()
        call = asyncio.create_task(served.embed("a"))
        await gate.full.wait()
        call.cancel()
        await gate.left.wait()
        cluster.emulator.faults.clear()
        while (again := await served.embed("b")).status == 503:
            pass  # the cluster has noticed a moment before the service is done with it
        assert again.status == 200


async def test_a_call_that_is_late_is_given_up_on_both_sides(cluster: Cluster) -> None:
    async with service_of(cluster, deadline=0.05) as served:
        gate = cluster.hold()
        late = await served.embed("a")
        assert (late.status, late.body["detail"]) == (504, "not done within 0.05 s")
        await gate.left.wait()


async def test_no_call_fails_when_a_node_dies_in_the_middle_of_them() -> None:
    dying, other = RelayNode(0), RelayNode(0)
    async with cluster_of([dying, other]) as cluster, service_of(cluster) as served:
        gate = cluster.hold(AT_ONCE)
        calls = [asyncio.create_task(served.embed(verse)) for verse in VERSES]
        await gate.full.wait()
        assert dying.connections == other.connections == AT_ONCE // 2
        await dying.kill()
        gate.open.set()
        assert {one.status for one in await asyncio.gather(*calls)} == {200}
        assert gate.here == AT_ONCE + AT_ONCE // 2  # half of them were sent once more, to the other node
        assert await served.health("ready") == 200

        await other.kill()
        assert (await served.health("ready"), await served.health("live")) == (503, 200)


# ---- its end ---------------------------------------------------------------------------------------------------------


async def test_a_shutdown_answers_the_calls_that_are_under_way_and_takes_no_more(
    cluster: Cluster, served: Served
) -> None:
    gate = cluster.hold(5)
    calls = [asyncio.create_task(served.embed("a")) for _ in range(5)]
    await gate.full.wait()
    url = served.url
    ending = asyncio.create_task(served.stop())
    await served.server.draining.wait()
    with pytest.raises(aiohttp.ClientConnectorError):
        await served.client.get(f"{url}/health/live")
    assert not ending.done()
    gate.open.set()
    assert [one.status for one in await asyncio.gather(*calls)] == [200] * 5
    await ending


async def test_the_documented_command_ends_by_sigterm_when_it_has_answered(cluster: Cluster) -> None:
    command = ["-W", "error", "-m", "uvicorn", "--app-dir", "examples", "--factory", "web_service:service"]
    command += ["--port", "0", "--ws", "none"]  # its old versions warn of the library of WebSockets
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env={**os.environ, "OPENSEARCH_URL": cluster.urls[0], "MODEL": cluster.model},
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    begun = await process.stderr.readuntil(b"(Press CTRL+C to quit)")
    (url,) = re.findall(r"running on (\S+)", begun.decode())
    gate = cluster.hold()
    async with aiohttp.ClientSession(headers={"authorization": ANN}) as client:
        call = asyncio.create_task(client.post(f"{url}/embed", json={"texts": ["a"]}))
        await gate.full.wait()
        process.send_signal(signal.SIGTERM)
        await process.stderr.readuntil(b"Waiting for connections to close")
        gate.open.set()
        async with await call as answer:
            assert answer.status == 200
    rest = await process.stderr.read()
    assert await process.wait() == -signal.SIGTERM
    assert b"Application shutdown complete" in rest
    assert b"Traceback" not in begun + rest


# ---- what it says ----------------------------------------------------------------------------------------------------


NOBODY = [None, "Basic !", "Bearer", "Bearer t\u00f6ken", "Digest a", "Basic Y29sb24="]
WRONG: list[tuple[str, Any, str]] = [
    ("/embed", {"texts": []}, "texts: List should have at least 1 item"),
    ("/embed", {"texts": ["a", 7]}, "texts.1: Input should be a valid string"),
    ("/embed", {"texts": ["a"] * 65}, "texts: List should have at most 64 items"),
    ("/embed", {"texts": ["secret " * 2000]}, "texts.0: String should have at most 10000 characters"),
    ("/embed", {}, "texts: Field required"),
    ("/embed", ["secret"], "the body: Input should be a valid dictionary"),
    ("/search", {"text": "a", "size": 0}, "size: Input should be greater than or equal to 1"),
    ("/search", {"text": ""}, "text: String should have at least 1 character"),
]


async def test_who_names_no_user_is_asked_for_one_and_nothing_is_sent(cluster: Cluster, served: Served) -> None:
    seen = noted(cluster)
    for whose in NOBODY:
        answer = await served.embed("a", whose=whose)
        assert answer.status == 401, whose
        assert "Basic" in answer.headers["www-authenticate"], whose
    assert seen == []


async def test_what_is_wrong_with_a_body_is_named_and_not_repeated(cluster: Cluster, served: Served) -> None:
    seen = noted(cluster)
    for path, body, words in WRONG:
        answer = await served.post(path, body)
        assert (answer.status, answer.body["detail"][: len(words)]) == (422, words)
        assert "secret" not in str(answer.body)
    assert seen == []


async def test_a_search_finds_what_was_written(cluster: Cluster) -> None:
    rows = [{"id": "ant", "text": "go to the ant, thou sluggard"}, {"id": "soft", "text": "a soft answer"}]
    await cluster.ml.ingest(rows, model=cluster.model, sink=IndexSink(cluster.ml, "proverbs", create=True))
    async with service_of(cluster, index="proverbs") as served:
        found = await served.post("/search", {"text": "a soft word", "size": 1})
        assert [(hit["id"], hit["text"]) for hit in found.body] == [("soft", "a soft answer")]


def throttled(cluster: Cluster) -> None:
    cluster.emulator.faults.throttle(retry_after=0, times=None)


def broken(cluster: Cluster) -> None:
    cluster.emulator.faults.fail(500, reason="at node-7.internal", times=None)


def gone(cluster: Cluster) -> None:
    cluster.emulator.faults.drop(times=None)


def denied(cluster: Cluster) -> None:
    cluster.emulator.cluster.security = Security("ann", denied=["cluster:*"])


def not_accepted(cluster: Cluster) -> None:
    cluster.emulator.faults.add(refuse(refused(401, "security_exception", "Unauthorized")), times=None)


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (throttled, 503, "the cluster is busy or starting; try again later"),
        (gone, 503, "the cluster is busy or starting; try again later"),
        (broken, 502, "the cluster cannot do this"),
        (denied, 403, "this user lacks a permission in the cluster"),
        (not_accepted, 401, "the cluster does not accept these credentials"),
    ],
)
async def test_an_error_of_the_cluster_is_clean_json_and_its_own_words_are_in_the_log(
    cluster: Cluster,
    served: Served,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[[Cluster], None],
    status: int,
    words: str,
) -> None:
    fault(cluster)
    answer = await served.embed("a text of Ann's")
    assert answer.status == status
    assert answer.body["detail"].startswith(words)
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
    assert not re.search(r"127\.0\.0\.1|node-7|_plugins|secret", str(answer.body))

    (line,) = [record.getMessage() for record in caplog.records if record.name == "web_service"]
    assert line.startswith(f"POST /embed: {status}: ")
    assert answer.body["id"] in line
    assert "secret-of-ann" not in line


async def test_a_model_that_is_not_there_is_no_fault_of_the_caller(cluster: Cluster) -> None:
    await cluster.ml.models.undeploy(cluster.model)
    async with service_of(cluster) as served:
        assert (await served.embed("a")).status == 503


async def test_a_defect_of_the_service_is_clean_json_too(
    cluster: Cluster, served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise ZeroDivisionError("with a secret")

    monkeypatch.setattr("aiomlcommons.Session.embed_many", fails)
    answer = await served.embed("a")
    assert (answer.status, "secret" in str(answer.body)) == (500, False)
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)


async def test_a_service_without_a_model_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL", raising=False)
    with pytest.raises(ValueError, match="MODEL is not set: it is the id of a deployed model"):
        module().service()


async def test_a_place_is_free_before_the_last_bytes_of_its_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        busy.append(guard.busy)

    busy: list[int] = []
    guard = module().Guard(app, 1, 60)
    await guard({"type": "http", "path": "/embed"}, receive, send)
    assert busy == [1, 1, 0]
    assert guard.busy == 0


# ---- what is written of it -------------------------------------------------------------------------------------------


def definitions(code: str) -> dict[str, str]:
    """Return each class, function and name of a module as code; of several of a name the last one."""
    found: dict[str, str] = {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            found[ast.unparse(target)] = ast.unparse(node)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = ast.unparse(node)
    return found


async def test_the_tutorial_builds_the_example() -> None:
    blocks = blocks_of(ROOT / "docs" / "tutorials" / "web-service.md")
    trial = re.compile("^(async )?with", re.MULTILINE)
    parts = [one.code for one in blocks if one.language == "python" and not trial.search(one.code)]
    example = definitions((ROOT / "examples" / "web_service.py").read_text())
    assert definitions("\n".join(parts)) == example
    assert len(example) > 20


async def test_the_benchmark_counts_calls_and_failures(cluster: Cluster, served: Served) -> None:
    loads = await measure(cluster.urls[0], cluster.model, served.url, callers=2, calls=10)
    assert [(len(load.seconds), load.failures) for load in loads.values()] == [(10, 0), (10, 0)]
    cluster.emulator.faults.fail(500, times=None)
    loads = await measure(cluster.urls[0], cluster.model, served.url, callers=2, calls=10)
    assert [load.failures for load in loads.values()] == [10, 10]
    report(2, loads)
