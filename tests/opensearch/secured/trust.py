"""Certificates of the cluster: trusted, foreign, for another host, pinned, expired, renewed."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import pytest
import trustme
from anyio import to_thread

from aiomlcommons import ApiError, ConnectError, Session
from tests.opensearch.secured.case import Scene, collector
from tests.opensearch.secured.jobs import Moment, Work, embedding, ended, together
from tests.support.authority import fingerprint
from tests.support.connect_proxy import proxying
from tests.support.opensearch.secured import Cluster, SecuredServer
from tests.support.opensearch.secured_config import ADMIN, ADMINISTRATOR

CONNECTIONS = 8

CASES, case = collector()


async def refused(session: Session) -> str:
    """Return the words of the error of a first call, which must be final, and nothing sent."""
    with pytest.raises(ConnectError) as caught:
        async with session as ml:
            await ml.info()
    assert (caught.value.transient, caught.value.sent) == (False, False)
    return str(caught.value)


async def enters(session: Session) -> bool:
    """Return whether a first call reaches the cluster."""
    async with session as ml:
        return (await ml.info()).cluster_name == "secured"


@case("a certificate by the cluster's own authority", "A session that names the authority in ca_certs gets in.")
async def own_authority(scene: Scene) -> int:
    for url in scene.cluster.urls:
        assert await enters(scene.cluster.admin(url))
    return 2


@case("an authority that nobody named", "The call fails at once, says how to trust it, and sends no password.")
async def unknown_authority(scene: Scene) -> int:
    for url in scene.cluster.urls:
        words = await refused(Session(url, auth=ADMIN))
        assert f"the certificate of {url} is not trusted: " in words
        assert "name its authority with ca_certs=" in words
    return 2


@case("another authority than the one that was named", "The call fails at once, and sends no password.")
async def wrong_authority(scene: Scene) -> int:
    for url in scene.cluster.urls:
        words = await refused(scene.cluster.admin(url, ca_certs=scene.cluster.stranger.ca_certs))
        assert f"the certificate of {url} is not trusted: " in words
    return 2


@case("a certificate for another host name", "The call fails at once, says so, and sends no password.")
async def wrong_host_name(scene: Scene) -> int:
    for url in scene.cluster.urls:
        url = url.replace("127.0.0.1", "localhost")
        assert f"the certificate of {url} is for another host" in await refused(scene.cluster.admin(url))
    return 2


@case("http:// to a port that speaks TLS", "The call fails, and says that the URL must begin with https.")
async def plain_http(scene: Scene) -> int:
    url = scene.cluster.one.url.replace("https:", "http:")
    with pytest.raises(ConnectError, match="the URL must begin with https"):
        async with Session(url, retries=0) as ml:
            await ml.info()
    return 1


@case("a pinned certificate, and one that is not it", "The pinned one gets in; the other one gets no request.")
async def pinned(scene: Scene) -> int:
    one, two = scene.cluster.one, scene.cluster.two
    issued = one.issue()
    async with showing(one, scene.cluster, issued):
        assert await enters(Session(one.url, auth=ADMIN, fingerprint=fingerprint(issued)))
        words = await refused(Session(two.url, auth=ADMIN, fingerprint=fingerprint(issued)))
    assert f"fingerprint={fingerprint(issued)} is expected; has it been renewed?" in words
    return 2


@case(
    "a certificate that expires while a session is open",
    "Calls over new connections fail at once and say so; after the renewal the same session goes on.",
)
async def expired(scene: Scene) -> int:
    one = scene.cluster.one
    async with showing(one, scene.cluster, one.issue()), scene.cluster.admin() as ml:
        await expire(one, scene.cluster)
        with pytest.raises(ConnectError, match="is out of date: certificate has expired; have it renewed") as caught:
            await ml.info()
        assert (caught.value.transient, caught.value.sent) == (False, False)
        await reload(one, scene.cluster, one.issue())
        assert (await ml.info()).cluster_name == "secured"
    return 1


@case(
    "a certificate that is renewed in the middle of a job",
    "The job goes on and loses nothing; calls over new connections go on; a session that pinned the old one says so.",
)
async def renewed(scene: Scene) -> int:
    one, old, new = scene.cluster.one, scene.cluster.one.issue(), scene.cluster.one.issue()
    async with showing(one, scene.cluster, old), scene.cluster.admin() as ml, embedding() as model:
        work = Work(model, scene.folder, "renewed")
        async with Session(one.url, auth=ADMIN, fingerprint=fingerprint(old), retries=0) as pinning:
            await pinning.info()
            (report,) = await together(Moment(lambda: reload(one, scene.cluster, new)), partial(work.run, ml))
            await work.check(ml, report)
            answers = await gathered(ml)
            failures = [one for one in await gathered(pinning) if one is not None]
    assert answers == [None] * CONNECTIONS
    assert failures
    assert all(fingerprint(old) in str(error) and fingerprint(new) in str(error) for error in failures)
    return 1 + CONNECTIONS


@case(
    "another authority in the middle of a job, and all connections cut",
    "The job ends with an error that says so; with the new authority it resumes, and loses nothing.",
)
async def authority_changed(scene: Scene) -> int:
    one, stranger = scene.cluster.one, scene.cluster.stranger
    foreign = stranger.ca.issue_cert("127.0.0.1")
    async with showing(one, scene.cluster, one.issue()), embedding() as model, proxying() as proxy:
        work = Work(model, scene.folder, "foreign")

        async def strike() -> None:
            await reload(one, scene.cluster, foreign)
            await proxy.close()  # the tunnels, not the proxy

        async with scene.cluster.admin(proxy=proxy.url) as ml:
            error = await ended(Moment(strike), partial(work.run, ml))
        assert isinstance(error, ConnectError)
        assert "is not trusted" in str(error)
        async with scene.cluster.admin(ca_certs=stranger.ca_certs) as ml:
            await work.check(ml, await work.run(ml))
    return 1


@case(
    "a node of two with a certificate by another authority",
    "Every call is answered by the other node, and the state of this one says why it is set aside.",
)
async def one_of_two(scene: Scene) -> int:
    two, foreign = scene.cluster.two, scene.cluster.stranger.ca.issue_cert("127.0.0.1")
    async with showing(two, scene.cluster, foreign), scene.cluster.admin(scene.cluster.urls) as ml:
        assert await gathered(ml) == [None] * CONNECTIONS
        (state,) = [node for node in ml.nodes if node.url == two.url]
        assert not state.is_live, str(state)
        assert "is not trusted" in state.error, str(state)
    return CONNECTIONS


# ---- certificates that are replaced ----------------------------------------------------------------------------------


@asynccontextmanager
async def showing(node: SecuredServer, cluster: Cluster, issued: trustme.LeafCert) -> AsyncGenerator[None]:
    """Have a node show a certificate; at the end it shows a good one again."""
    try:
        await reload(node, cluster, issued)
        yield
    finally:
        await reload(node, cluster, node.issue())


async def reload(node: SecuredServer, cluster: Cluster, issued: trustme.LeafCert) -> None:
    """Have a node show a certificate from now on, as its administrator does."""
    # It may show a bad one now, which only its fingerprint tells.
    known, mine = fingerprint(node.shown), await to_thread.run_sync(cluster.certificate, ADMINISTRATOR)
    before = node.shown
    async with Session(node.url, fingerprint=known, client_cert=mine) as administrator:
        try:
            await to_thread.run_sync(node.show, issued)
            await administrator.request("PUT", "/_plugins/_security/api/ssl/http/reloadcerts")
        except ApiError:
            await to_thread.run_sync(node.show, before)
            raise


async def expire(node: SecuredServer, cluster: Cluster) -> None:
    """Have a node show a certificate that has expired."""
    for seconds in (2, 10, 60):
        # The node takes none that has expired before it is read, so this waits for a real clock.
        end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        try:
            await reload(node, cluster, node.issue(not_after=end))
        except ApiError:
            continue
        await anyio.sleep((end - dt.datetime.now(dt.UTC)).total_seconds() + 1)
        return
    raise AssertionError("the node is too slow to read a certificate before it expires")


async def gathered(ml: Session) -> list[Exception | None]:
    """Make calls at once, so that some need new connections; return their errors."""
    errors: list[Exception | None] = [None] * CONNECTIONS

    async def call(number: int) -> None:
        try:
            await ml.info()
        except ConnectError as error:
            errors[number] = error

    async with anyio.create_task_group() as group:
        for number in range(CONNECTIONS):
            group.start_soon(call, number)
    return errors
