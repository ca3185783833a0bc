"""Nodes that are killed, restarted and recovering while users write into them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import anyio
import attrs
import pytest
from anyio import to_thread

from aiomlcommons import BearerAuth, ConnectError, MLCommonsError, Session, Unavailable
from tests.opensearch.secured.case import Scene, collector
from tests.opensearch.secured.jobs import PATIENCE, SOON, Moment, Work, embedding, together
from tests.support.opensearch.secured import SecuredServer
from tests.support.opensearch.secured_config import ADMIN

CALLS = 20

CASES, case = collector()


@case(
    "kill -9 of the node during bulk writes of three users and a job over both nodes, and its start",
    "Every job goes on by itself; each document is there once, and no acknowledged one is lost.",
)
async def killed(scene: Scene) -> int:
    node = scene.cluster.one
    return await _outage(scene, "killed", node, node.kill)


@case(
    "a restart of the node during bulk writes of three users and a job over both nodes",
    "Every job goes on by itself; each document is there once, and no acknowledged one is lost.",
)
async def restarted(scene: Scene) -> int:
    node = scene.cluster.one
    return await _outage(scene, "restarted", node, node.stop)


@case(
    "one of two nodes killed during bulk writes, and its start",
    "No call over both nodes fails; every job goes on by itself, and each document is there once.",
)
async def one_of_two_killed(scene: Scene) -> int:
    two, urls = scene.cluster.two, scene.cluster.urls
    calls: list[int] = []
    async with scene.cluster.admin(urls, backoff=SOON) as ml, embedding() as model:
        works = [Work(model, scene.folder, f"two-{number}") for number in range(2)]

        async def strike() -> None:
            await to_thread.run_sync(two.kill)
            for _ in range(CALLS):
                calls.append((await ml.request("GET", "/")).status)

        async def then() -> None:
            await to_thread.run_sync(two.start)

        moment = Moment(strike, then, jobs=len(works))
        reports = await together(moment, *(partial(work.run, ml) for work in works))
        for work, report in zip(works, reports, strict=True):
            await work.check(ml, report)
        assert calls == [200] * CALLS
        # One call tries a node that was set aside, when its time has come.
        while not all(node.is_live for node in ml.nodes):
            await ml.info()
    return CALLS + len(works)


@case(
    "a primary shard that no node has",
    "A search is Unavailable; with wait=... it outlasts that, as a job does, and each document is there once.",
)
async def shards_missing(scene: Scene) -> int:
    async with embedding() as model, scene.cluster.admin() as ml:
        work = Work(model, scene.folder, "recovering")
        nowhere = {"index.routing.allocation.include._name": "nowhere", "number_of_replicas": 0}
        body = {"settings": nowhere, "mappings": {"properties": {"embedding": {"type": "rank_features"}}}}
        await ml.request("PUT", f"/{work.index}", query={"wait_for_active_shards": "0"}, body=body)
        search = f"/{work.index}/_search"
        found: list[Any] = []

        async def strike() -> None:
            with pytest.raises(Unavailable) as caught:
                await ml.options(retries=0).request("GET", search)
            assert caught.value.transient
            found.append(await ml.options(wait=PATIENCE, backoff=SOON).request("GET", search))

        async def allocate() -> None:
            await ml.request("PUT", f"/{work.index}/_settings", body=dict.fromkeys(list(nowhere)[:1]))

        # The first rows wait in the server, so the fault strikes before any is written.
        moment = Moment(strike, middle=0)

        async def release() -> None:
            await moment.due.wait()
            await allocate()

        (report, _) = await together(moment, partial(work.run, ml), lambda _: release())
        await work.check(ml, report)
    assert found[0].status == 200
    return 2


async def _outage(scene: Scene, name: str, node: SecuredServer, end: Callable[[], None]) -> int:
    """End a node during jobs, and start it again; return the number of jobs and calls that outlasted it."""
    watch = Watch(scene.cluster.admin(node.url, retries=0))
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(embedding())
        sessions = [await stack.enter_async_context(session) for session in await _users(scene)]
        admin = sessions[-1]
        works = [Work(model, scene.folder, f"{name}-{number}") for number in range(len(sessions))]

        async def call(ml: Session) -> None:
            await ml.options(wait=PATIENCE, backoff=SOON).info()

        async def then() -> None:
            async with watch.watching(), anyio.create_task_group() as group:
                for ml in sessions:
                    group.start_soon(call, ml)
                await to_thread.run_sync(node.start)

        moment = Moment(lambda: to_thread.run_sync(end), then, jobs=len(works))
        pairs = zip(works, sessions, strict=True)
        reports = await together(moment, *(partial(work.run, ml) for work, ml in pairs))
        for work, report in zip(works, reports, strict=True):
            await work.check(admin, report)
    watch.check()
    return 2 * len(works)


async def _users(scene: Scene) -> list[Session]:
    """Return the sessions of users with a password, a token, a certificate, and with the URLs of both nodes."""
    cluster = scene.cluster
    certificate = await to_thread.run_sync(cluster.certificate, "cyd")
    return [
        cluster.admin(backoff=SOON),
        cluster.session(auth=BearerAuth(cluster.token("ben")), backoff=SOON),
        cluster.session(client_cert=certificate, backoff=SOON),
        cluster.session(cluster.urls, auth=ADMIN, backoff=SOON),
    ]


@attrs.define
class Watch:
    """Calls without retries, one after the other, to a node that starts; their errors must all say that it passes."""

    session: Session
    errors: list[MLCommonsError] = attrs.field(factory=list)

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Call while the context is open."""
        async with self.session as ml, anyio.create_task_group() as group:
            group.start_soon(self._call, ml)
            yield
            group.cancel_scope.cancel()

    async def _call(self, ml: Session) -> None:
        while True:
            try:
                await ml.request("GET", "/_cluster/health")
            except MLCommonsError as error:
                self.errors.append(error)
            await anyio.sleep(0.05)  # a node that starts slowly is not to be kept from it

    def check(self) -> None:
        """Check the errors."""
        assert self.errors
        odd = [
            error for error in self.errors if not (isinstance(error, (ConnectError, Unavailable)) and error.transient)
        ]
        assert odd == []
