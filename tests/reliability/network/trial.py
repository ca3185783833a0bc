"""One trial: a fault at a moment of some work, and whether its promise was kept."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import attrs

from aiomlcommons import ApiError, Backoff, ConnectError, MLCommonsError, Session, Timeout
from aiomlcommons.errors import StreamCut, StreamFailed
from aiomlcommons.ingest.errors import SinkError, SourceError
from tests.reliability.network.kinds import Kind, Moment
from tests.reliability.network.operations import Operation
from tests.reliability.network.world import World

LIMIT = 240.0
"""Seconds after which work counts as hanging."""
FILES = Path("/proc/self/fd")
OF_STREAMS = (StreamCut, StreamFailed)


@attrs.frozen
class Outcome:
    """What became of a trial: ``loss`` is empty if the promise was kept; ``struck`` whether the fault was met."""

    loss: str
    struck: bool
    error: MLCommonsError | None = None


@attrs.frozen
class Trial:
    """A fault, some work, and a seed that decides the moment."""

    kind: Kind
    operation: Operation
    seed: int

    @property
    def key(self) -> str:
        """A name that no other trial uses."""
        return f"-{self.seed}"

    async def __call__(self, world: World) -> Outcome:
        """Try it."""
        tasks, files = _tasks(), _files()
        before, key, error = world.proxy.struck, f"{world.unique}{self.key}", None
        try:
            async with asyncio.timeout(LIMIT):
                error = await self._work(world, key)
                world.proxy.free()
                await world.proxy.empty()
                await _settled(tasks, files)
        except AssertionError as wrong:
            return Outcome(str(wrong) or repr(wrong), struck=True)
        except MLCommonsError as after:
            return Outcome(f"a call after the fault failed: {after!r}", struck=True)
        except TimeoutError:
            return Outcome(f"it hung for {LIMIT:.0f} s", struck=True)
        finally:
            world.proxy.disarm()
            world.proxy.cut(rst=True)
            await world.proxy.listen()
        return Outcome("", world.proxy.struck > before, error)

    async def _work(self, world: World, key: str) -> MLCommonsError | None:
        """Do the work with the fault, go on where it ended, and check the server and the session."""
        chance = random.Random(self.seed)  # noqa: S311 - not for cryptography
        async with self._session(world) as ml:
            if self.kind.warm or chance.random() < 0.7:
                await ml.info()
            skip = chance.randrange(self.operation.requests)
            self.kind.arm(world.proxy, Moment(chance, "", skip))
            if chance.random() < 0.5 or self.kind.settles:
                await _turns()
            error = await self._run(world, ml, key)
            if error is not None:
                self._check_error(error)
            world.proxy.disarm()
            await world.proxy.listen()
            if error is not None and self.operation.resumes:
                error_again = await self._run(world, ml, key)
                assert error_again is None, f"it could not be resumed: {error_again!r}"
            await self.operation.after(world, key, error)
            await _turns()
            await _works(world, ml)
        return error

    def _session(self, world: World) -> Session:
        patience = max(self.kind.patience, world.patience)
        return Session(
            world.proxy.url,
            timeout=Timeout(connect=patience, read=patience, total=10 * patience),
            backoff=Backoff(first=0.01, cap=0.1),
            wait=self.kind.wait,
            ca_certs=world.ca_certs,
        )

    async def _run(self, world: World, ml: Session, key: str) -> MLCommonsError | None:
        try:
            await self.operation.run(world, ml, key)
        except MLCommonsError as error:
            return error
        except (OSError, ValueError, RuntimeError, ExceptionGroup) as error:
            raise AssertionError(f"it raised {error!r}") from error
        return None

    def _check_error(self, error: MLCommonsError) -> None:
        kind, operation = self.kind, self.operation
        words = f"{type(error).__name__}: {error}"
        assert not kind.harmless, f"it should have succeeded: {words}"
        assert not (kind.unsent and not operation.streams), f"what was not sent is sent again: {words}"
        assert not (kind.mends and (operation.repeats)), f"it should have been repeated: {words}"
        allowed = (*kind.errors, *(OF_STREAMS if operation.streams else ()))
        cause: Any = error
        if isinstance(error, SourceError | SinkError):
            cause = error.__cause__ or error
        assert isinstance(cause, allowed), f"another error was promised: {words}"
        assert not isinstance(error, ConnectError) or "http" in str(error), f"it names no server: {words}"


async def _works(world: World, ml: Session) -> None:
    """Check that the next call succeeds at once, unless the server itself has trouble, such as an open breaker."""
    try:
        await ml.options(retries=0).models.get(world.model)
    except ApiError:
        await ml.options(wait=LIMIT).models.get(world.model)


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def _settled(tasks: set[asyncio.Task[Any]], files: int) -> None:
    """Wait until nothing is left of the trial; a task or a file that stays is a loss, by the limit of time."""
    while _tasks() - tasks or _files() > files:  # noqa: ASYNC110 - nothing tells when the last one ends
        await asyncio.sleep(0.01)


def _tasks() -> set[asyncio.Task[Any]]:
    """Return the tasks but for those of aiohttp's server, each of which lives as long as a connection."""
    return {
        task
        for task in asyncio.all_tasks()
        if not getattr(task.get_coro(), "__qualname__", "").startswith("RequestHandler.")
    }


def _files() -> int:
    """Count the open files; sockets are counted at the proxy, since those of the other session may come and go."""
    links = FILES.iterdir() if FILES.exists() else ()
    return sum(1 for link in links if link.is_symlink() and not str(link.readlink()).startswith("socket:"))
