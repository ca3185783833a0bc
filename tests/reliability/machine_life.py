"""A life of sessions, nodes, calls and a job, and what has to hold of them at any moment and at the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from aiomlcommons import Backoff, MLCommonsError, NotFound, Session
from aiomlcommons.emulator import AT_ONCE, Emulator
from aiomlcommons.inference.vectors import Vectors
from tests.support.relay_node import RelayNode

MODEL = "all-MiniLM-L6-v2"
NOW = Backoff(first=0, cap=0)
TEXTS = tuple(f"text {number}" for number in range(24))
PATIENCE = 30.0
"""Seconds after which something counts as hanging; nothing in a life takes any."""


@attrs.define(eq=False)
class World:
    """What lives share: an event loop, and an emulator with a deployed model and the embeddings of the texts."""

    runner: asyncio.Runner
    emulator: Emulator
    port: int
    model_id: str
    vectors: Vectors
    close: Callable[[], None]

    @classmethod
    def open(cls) -> World:
        runner = asyncio.Runner()
        emulator = Emulator(refresh=AT_ONCE)
        serving = emulator.serve()
        url: str = runner.run(serving.__aenter__())

        async def prepare() -> tuple[str, Vectors]:
            async with Session(url) as ml:
                await ml.settings.allow_first_model()
                model_id = (await ml.models.ensure(MODEL)).model_id
                return model_id, await ml.embed_many(model_id, TEXTS)

        model_id, vectors = runner.run(prepare())

        def close() -> None:
            runner.run(serving.__aexit__(None, None, None))
            runner.close()

        return cls(runner, emulator, int(url.rpartition(":")[2]), model_id, vectors, close)


@attrs.define(eq=False)
class Call:
    """A call that runs in the background, and what its result has to be."""

    name: str
    session: Session
    task: asyncio.Task[Any]
    check: Callable[[Any], bool]
    cancelled: bool = False

    def settle(self, met: Counter[str]) -> None:
        """Look at a call that has ended: a right result, or an error of the package."""
        if self.task.cancelled():
            assert self.cancelled, f"{self.name} was cancelled by nobody"
            met["cancelled"] += 1
        elif (error := self.task.exception()) is not None:
            assert isinstance(error, MLCommonsError), f"{self.name} raised {error!r}"
            met[type(error).__name__] += 1
        else:
            assert self.check(self.task.result()), f"{self.name} returned {self.task.result()!r}"
            met["result"] += 1


@attrs.define(eq=False)
class Life:
    """Nodes, sessions, calls and a job; each method is something that happens."""

    world: World
    folder: Path
    met: Counter[str]
    nodes: list[RelayNode] = attrs.field(factory=list)
    sessions: list[Session] = attrs.field(factory=list)
    calls: list[Call] = attrs.field(factory=list)
    job: Call | None = None
    job_done: bool = False
    written: list[tuple[str, Vectors]] = attrs.field(factory=list)
    ahead: float = 0.0
    steps: int = 0
    _tasks: set[asyncio.Task[Any]] = attrs.field(factory=set)
    _files: Mapping[str, str] = attrs.field(factory=dict)

    def run(self, work: Awaitable[Any]) -> Any:
        """Let the event loop run until some work has ended."""

        async def bounded() -> Any:
            async with asyncio.timeout(PATIENCE):
                return await work

        return self.world.runner.run(bounded())

    def begin(self, nodes: int) -> None:
        """Begin with so many nodes."""
        self._files = open_files()
        self._tasks = set(asyncio.all_tasks(self.world.runner.get_loop()))
        self.run(self._start(nodes))

    async def _start(self, count: int) -> None:
        self.nodes = [RelayNode(self.world.port) for _ in range(count)]
        for node in self.nodes:
            await node.start()

    # ---- what happens ----------------------------------------------------------------------------------------------

    def open_session(self, retries: int, pool_size: int, hedged: bool) -> None:
        """Open a session with all nodes, which looks at a clock of ours."""
        ml = Session(
            [node.url for node in self.nodes],
            retries=retries,
            pool_size=pool_size,
            backoff=NOW,
            timeout=PATIENCE,
            hedge=0.001 if hedged else None,
        )
        ml._exchange.nodes.clock = lambda: time.monotonic() + self.ahead
        self.run(ml.__aenter__())
        self.sessions.append(ml)

    def close_session(self, which: int) -> None:
        """Close a session, whatever it does."""
        self.run(self.sessions.pop(which % len(self.sessions)).close())
        self.met["closed"] += 1

    def call(self, which: int, kind: str, view: bool, texts: int, batch: int) -> None:
        """Begin a call."""
        ml = self.sessions[which % len(self.sessions)]
        found = ml.options(retries=1, opaque_id="a view") if view else ml
        make, check = self._kinds(found, texts, batch)[kind]
        self.calls.append(Call(kind, ml, self._begun(make), check))

    def _begun(self, make: Callable[[], Awaitable[Any]]) -> asyncio.Task[Any]:
        async def awaited() -> Any:
            return await make()

        async def begin() -> asyncio.Task[Any]:
            return asyncio.get_running_loop().create_task(awaited())

        task: asyncio.Task[Any] = self.run(begin())
        return task

    def _kinds(self, ml: Session, texts: int, batch: int) -> dict[str, tuple[Callable[[], Awaitable[Any]], Any]]:
        model_id, some = self.world.model_id, TEXTS[:texts]

        async def missing() -> bool:
            try:
                await ml.models.get("missing")
            except NotFound:
                return True
            return False

        async def rows() -> bool:
            async with ml.embed(model_id, some, batch=batch, concurrency=3) as embedded:
                pairs = [pair async for pair in embedded]
            return [text for text, _ in pairs] == list(some) and self._are_right([v for _, v in pairs])

        async def deployed() -> Any:
            return await ml.task(await ml.models.deploy(model_id), backoff=NOW)

        async def hits() -> list[str]:
            return [hit.id async for hit in ml.models.search()]

        return {
            "info": (ml.info, lambda info: info.version.distribution == "opensearch"),
            "get": (lambda: ml.models.get(model_id), lambda model: model.name is not None),
            "missing": (missing, bool),
            "search": (hits, lambda found: found == [model_id]),
            "ping": (ml.ping, lambda answers: isinstance(answers, bool)),
            "embed_one": (lambda: ml.embed_one(model_id, TEXTS[0]), lambda vector: self._are_right([vector])),
            "embed_many": (lambda: ml.embed_many(model_id, some, batch=batch, concurrency=3), self._are_right),
            "embed": (rows, bool),
            "deploy": (deployed, lambda info: str(info.state).startswith("COMPLETED")),
        }

    def _are_right(self, vectors: Sequence[Vectors] | Vectors) -> bool:
        return np.array_equal(np.asarray(vectors), self.world.vectors[: len(vectors)])

    def cancel(self, which: int) -> None:
        """Cancel a call, if one runs."""
        if not self.calls:
            return
        call = self.calls[which % len(self.calls)]
        call.cancelled = call.task.cancel()

    def time_passes(self, seconds: float) -> None:
        """Let the nodes' clock go on."""
        self.ahead += seconds

    def turns(self, count: int) -> None:
        """Let the event loop turn so many times."""

        async def some() -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        self.run(some())

    def start_job(self, which: int, batch: int) -> None:
        """Begin the job of this life, or go on with it from its checkpoint; unless it runs or is done."""
        if self.job is not None or self.job_done:
            return
        ml = self.sessions[which % len(self.sessions)]
        rows = [{"id": f"d{number}", "text": text} for number, text in enumerate(TEXTS)]

        async def write(documents: Any) -> None:
            await asyncio.sleep(0)
            self.written += zip(documents.ids, documents.vectors, strict=True)

        async def run() -> Any:
            return await ml.ingest(
                rows,
                model=self.world.model_id,
                sink=write,
                checkpoint=self.folder / "job",
                dead_letters=self.folder / "dead",
                batch=batch,
                concurrency=2,
                backoff=NOW,
                checkpoint_every=1,
                stall_timeout=PATIENCE,
            )

        self.job = Call("job", ml, self._begun(run), lambda report: report.balanced and not report.failed)
        self.met["job begun"] += 1

    def leave_job(self) -> None:
        """Leave the job before its end; a later one goes on with it."""
        if self.job is not None:
            self.job.cancelled = self.job.task.cancel()

    # ---- what has to hold ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Check what holds at any moment."""
        self.steps += 1
        for call in [call for call in self.calls if call.task.done()]:
            call.settle(self.met)
            self.calls.remove(call)
        if self.job is not None and self.job.task.done():
            self.job.settle(self.met)
            self.job_done = self.job_done or self.job_succeeded()
            self.job = None
        for ml in self.sessions:
            for node in ml.nodes:
                assert 0 <= node.in_flight <= node.calls
                assert node.is_live == (node.failures == 0)
        for key, vector in self.written:
            assert np.array_equal(vector, self.world.vectors[int(key[1:])]), f"another vector was written for {key}"

    def job_succeeded(self) -> bool:
        task = self.job.task if self.job is not None else None
        return task is not None and not task.cancelled() and task.exception() is None

    def to_the_end(self) -> None:
        """Let every node work and all that runs end; then nothing may be left over, and every session works."""
        self.world.emulator.faults.clear()
        self.run(self._to_the_end())
        self.check()
        assert not self.calls
        for ml in self.sessions:
            assert all(node.in_flight == 0 for node in ml.nodes), f"requests are counted for ever: {ml.nodes}"
            assert not taken(ml), f"{taken(ml)} connections were never returned"
            self.ahead += 1_000
            self.run(self._visits_all(ml))
        if self.met["job begun"] and self.sessions and not self.job_done and (self.folder / "job").exists():
            self.start_job(0, 5)
            assert self.job is not None
            self.run(asyncio.wait([self.job.task]))
            self.check()
        if self.job_done:
            lost = {f"d{number}" for number in range(len(TEXTS))} - {key for key, _ in self.written}
            assert not lost, f"the job is done, and never wrote {lost}"

    async def _to_the_end(self) -> None:
        for node in self.nodes:
            await node.start()
        self.ahead += 1_000
        running = [call.task for call in (*self.calls, *filter(None, [self.job]))]
        if running:
            await asyncio.wait(running)

    async def _visits_all(self, ml: Session) -> None:
        """Call as often as there are nodes, and some more: each must get calls again."""
        before = [node.calls for node in ml.nodes]
        for _ in range(3 * len(self.nodes)):
            assert (await ml.info()).version.distribution == "opensearch"
        after = [node.calls for node in ml.nodes]
        assert all(node.is_live for node in ml.nodes), f"a node that works gets no calls: {ml.nodes}"
        assert all(now > then for now, then in zip(after, before, strict=True)), f"a node gets no calls: {ml.nodes}"

    def end(self) -> None:
        """Close everything, and check that no task, socket or file is left over."""
        try:
            self.run(self._closed())
        except TimeoutError:
            raise AssertionError(f"left open of {self._files} files: {open_files()}; nodes: {self.nodes}") from None
        left = asyncio.all_tasks(self.world.runner.get_loop()) - self._tasks
        assert not left, f"tasks are left over: {left}"

    async def _closed(self) -> None:
        for ml in self.sessions:
            await ml.close()
        self.sessions.clear()
        running = [call.task for call in (*self.calls, *filter(None, [self.job]))]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        while any(node.connections for node in self.nodes if node.state == "up"):  # noqa: ASYNC110
            await asyncio.sleep(0)  # a client that has closed leaves no connection, once the socket has told it
        for node in self.nodes:
            await node.kill()
        while len(open_files()) > len(self._files):  # noqa: ASYNC110
            await asyncio.sleep(0)  # the emulator notices that its clients are gone


def taken(ml: Session) -> int:
    """Return how many connections of a session's pool are in use."""
    transport: Any = ml._exchange.transport
    return len(transport._client.connector._acquired)


def open_files() -> Mapping[str, str]:
    """Return the files and sockets that this process has open, by their numbers."""
    found = {}
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the folder itself is gone by now
            found[path.name] = str(path.readlink())
    return found
