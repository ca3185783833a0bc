"""What a user may do, and what becomes of a job whose user loses a password or a right in its middle."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest

from aiomlcommons import BasicAuth, BearerAuth, Forbidden, Session, Unauthorized
from aiomlcommons.http import HttpRequest, HttpResponse
from aiomlcommons.ingest import SinkError
from tests.opensearch.secured.case import Scene, collector
from tests.opensearch.secured.jobs import Moment, Work, embedding, ended, together
from tests.support.opensearch.secured_config import PATTERNS, WRITER, WRITERS, role

API = "/_plugins/_security/api"

CASES, case = collector()


@case("a user without any right", "The call fails at once, names the missing permission, and is sent once.")
async def no_right(scene: Scene) -> int:
    async with scene.cluster.session(auth=BearerAuth(scene.cluster.token("dee"))) as ml:
        with pytest.raises(Forbidden, match=r"no permissions for \[cluster:monitor/health\]") as caught:
            await ml.request("GET", "/_cluster/health")
        assert (caught.value.status, caught.value.transient, caught.value.attempts) == (403, False, 1)
        with pytest.raises(Forbidden, match=r"no permissions for \[indices:data/read/search\]"):
            await ml.request("GET", "/jobs-none/_search")
        assert await ml.ping()
    return 2


@case(
    "a job whose user may not write into the index",
    "The job ends and names the permission, without a dead letter; with the right it runs, and loses nothing.",
)
async def job_without_right(scene: Scene) -> int:
    ann = BearerAuth(scene.cluster.token("eve"))
    async with embedding() as model, scene.cluster.session(auth=ann) as ml, scene.cluster.admin() as admin:
        work = Work(model, scene.folder, "unwritable")
        with pytest.raises((Forbidden, SinkError), match=r"no permissions for \[indices:"):
            await work.run(ml)
        async with writers(admin, *WRITERS, "eve"):
            await work.check(admin, await work.run(ml))
    return 1


@case(
    "a password that is changed in the middle of a job",
    "The job ends with Unauthorized, which holds neither password; with the new one it resumes, and loses nothing.",
)
async def password_changed(scene: Scene) -> int:
    async with embedding() as model, scene.cluster.admin() as admin, user(admin, "ann") as change:
        work, old, new = Work(model, scene.folder, "password"), await change(), ""

        async def strike() -> None:
            nonlocal new
            new = await change()

        async with scene.cluster.session(auth=("ann", old)) as ml:
            error = await ended(Moment(strike), partial(work.run, ml))
        assert isinstance(error, Unauthorized)
        assert not any(secret in f"{error!r} {error} {vars(error)}" for secret in (old, new))
        async with scene.cluster.session(auth=("ann", new)) as ml:
            await work.check(admin, await work.run(ml))
    return 1


@case(
    "a password that is changed in the middle of a job, which the program's own auth knows",
    "The job goes on without an end, and loses nothing.",
)
async def password_rotated(scene: Scene) -> int:
    async with embedding() as model, scene.cluster.admin() as admin, user(admin, "ann") as change:
        rotated = Rotated(await change())

        async def strike() -> None:
            rotated.next = await change()

        work = Work(model, scene.folder, "rotated")
        async with scene.cluster.session(auth=rotated) as ml:
            (report,) = await together(Moment(strike), partial(work.run, ml))
            await work.check(admin, report)
        assert rotated.next == rotated.password
    return 1


@case(
    "the right to use _bulk, or to write into the index, taken away in the middle of a job",
    "The job ends and names the permission, without a dead letter; with the right it resumes, and loses nothing.",
)
async def right_taken(scene: Scene) -> int:
    ben = BearerAuth(scene.cluster.token("ben"))
    async with embedding() as model, scene.cluster.session(auth=ben) as ml, scene.cluster.admin() as admin:
        taken = {"bulk": writers(admin, "ann", "cyd"), "index": pattern(admin, "elsewhere-*")}
        for name, away in taken.items():
            work = Work(model, scene.folder, f"right-{name}")
            async with AsyncExitStack() as stack:
                moment = Moment(partial(stack.enter_async_context, away))
                error = await ended(moment, partial(work.run, ml))
            assert isinstance(error, (Forbidden, SinkError))
            assert "no permissions for [indices:" in str(error)
            await work.check(admin, await work.run(ml))
    return len(taken)


class Rotated:
    """Credentials of a program that learns of a new password when the old one is refused."""

    def __init__(self, password: str) -> None:
        self.password = self.next = password

    async def headers(self, request: HttpRequest) -> Mapping[str, str]:
        return await BasicAuth("ann", self.password).headers(request)

    async def rejected(self, request: HttpRequest, response: HttpResponse) -> bool:
        self.password = self.next
        return (await self.headers(request))["authorization"] != request.headers["authorization"]


@asynccontextmanager
async def user(admin: Session, name: str) -> AsyncGenerator[Callable[[], Awaitable[str]]]:
    """Yield a function that gives a user another password, and returns it; remove the user at the end."""

    async def change() -> str:
        password = f"Pw-{secrets.token_urlsafe(18)}!1a"
        await admin.request("PUT", f"{API}/internalusers/{name}", body={"password": password})
        return password

    try:
        yield change
    finally:
        await admin.request("DELETE", f"{API}/internalusers/{name}")


@asynccontextmanager
async def writers(admin: Session, *names: str) -> AsyncGenerator[None]:
    """Have other users be writers for a while."""
    try:
        await admin.request("PUT", f"{API}/rolesmapping/{WRITER}", body={"users": list(names)})
        yield
    finally:
        await admin.request("PUT", f"{API}/rolesmapping/{WRITER}", body={"users": list(WRITERS)})


@asynccontextmanager
async def pattern(admin: Session, other: str) -> AsyncGenerator[None]:
    """Have writers use other indices for a while."""
    try:
        await admin.request("PUT", f"{API}/roles/{WRITER}", body=role(other))
        yield
    finally:
        await admin.request("PUT", f"{API}/roles/{WRITER}", body=role(PATTERNS[WRITER]))
