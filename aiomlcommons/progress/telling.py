"""What a call tells of its progress, brought to a callback, a display or the log at a bounded rate."""

from __future__ import annotations

import inspect
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeAlias

import anyio
import anyio.to_thread
import attrs

from aiomlcommons.concurrency import beside
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.progress.display import Display, Harmless, ToCallback
from aiomlcommons.progress.event import Callback, Phase, Progress
from aiomlcommons.progress.here import display_here

log = logging.getLogger("aiomlcommons")

EVERY = 0.25
"""Seconds between two looks at a count. A new step is told at once."""
_DISPLAYED = {Phase.TASK, Phase.READING, Phase.EMBEDDING, Phase.EVALUATING, Phase.FINISHING, Phase.FINISHED}
"""Phases that are no change of the cluster, and so are only displayed: jobs log what they do themselves."""
_RATED = {"bytes", "rows", "texts", "documents", "searches"}


class Teller(Protocol):
    """What a call tells its progress to, by calling it on the thread of the event loop. It neither blocks nor raises.

    An event whose phase, subject or words differ from the last one is a step, and is told; of others, which only count
    further, the newest.
    """

    def __call__(self, progress: Progress, /) -> None: ...

    def quietly(self, progress: Progress) -> None:
        """Tell what is no step of its own: only a live display shows it, or any if it takes long."""

    def watch(self, look: Callable[[], Progress] | None) -> None:
        """Look at a count with this function from now on, until the next step; None looks no more."""


Progressing: TypeAlias = "bool | Callback | Display | Teller"
"""What ``progress=`` takes: True, False or a callback; within the package a display or the teller of an outer call."""


def to_log(progress: Progress) -> None:
    """Log an event at INFO to the logger of the package."""
    log.info("%s", progress)


class Logging:
    """A teller to the log: the steps of a model's lifecycle, at INFO; the default."""

    def __call__(self, progress: Progress, /) -> None:
        if progress.phase not in _DISPLAYED:
            to_log(progress)

    def quietly(self, progress: Progress) -> None:
        """Leave it out."""

    def watch(self, look: Callable[[], Progress] | None) -> None:
        """Leave it out: a job's figures are in its report."""


@asynccontextmanager
async def telling(progress: Progressing, begun: Progress) -> AsyncGenerator[Teller]:
    """Give what a call tells its progress to; ``begun`` is what it does at first.

    What a callback raises cancels the body, and is raised. When the body fails, the callback is told what it was not
    yet told.

    Raises:
        InvalidRequest: ``progress`` is neither True nor False nor callable.
    """
    if isinstance(progress, Logging | Reporter):
        yield progress  # of the call that this one is a part of, which ends it
    elif progress is False:
        yield Logging()
    else:
        async with _reporting(await _display(progress), begun) as reporter:
            yield reporter


async def _display(progress: Progressing) -> Display:
    if isinstance(progress, Display):
        return Harmless(progress)
    if progress is True:
        return Harmless(await anyio.to_thread.run_sync(display_here))  # which may import rich
    if not callable(progress):
        raise InvalidRequest(f"progress must be True, False or a function that takes a Progress, not {progress!r}")
    return ToCallback(progress)


@asynccontextmanager
async def _reporting(display: Display, begun: Progress) -> AsyncGenerator[Reporter]:
    reporter = Reporter(display, begun)
    try:
        async with beside(reporter.run):
            with reporter.scope:
                try:
                    yield reporter
                except Exception as error:
                    # With an error of the display, this one only says that the call was cancelled for it.
                    if not reporter.failed:
                        await reporter.finish(error)
                        raise
            await reporter.finish()
            reporter.check()
    except BaseException as error:
        display.ended(error)
        raise
    display.ended(None)


class Reporter:
    """Tells a display of a call: steps in their order and at once, the newest count every ``EVERY`` seconds."""

    def __init__(self, display: Display, begun: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self.scope = anyio.CancelScope()
        self._display, self._clock = display, clock
        self._began = clock()
        self._look: Callable[[], Progress] | None = None
        self._queue: deque[tuple[Progress, bool]] = deque()
        self._woken, self._ended = anyio.Event(), anyio.Event()
        self._is_ending = self._uncounted = False
        self._error: Exception | None = None
        self._last: Progress | None = None
        self.quietly(begun)

    def __call__(self, progress: Progress, /) -> None:
        step = self._last is None or _subject(progress) != _subject(self._last)
        if step and self._uncounted:
            self._queue.append((self._timed(self._now()), False))  # how far the step before came
        self._set(progress, begins=step)
        self._last, self._uncounted = progress, not step
        if step:
            self._queue.append((self._timed(progress), True))
            self._woken.set()

    def quietly(self, progress: Progress) -> None:
        """Take an event as the present state, which is no step."""
        self._set(progress, begins=True)
        self._uncounted = False

    def watch(self, look: Callable[[], Progress] | None) -> None:
        """Look at the state with a function, until there is another event."""
        self._look, self._uncounted = look, look is not None

    async def run(self) -> None:
        """Tell the display until ``finish``. What the display raises cancels the scope of the call."""
        try:
            while not self._is_ending:
                with anyio.move_on_after(EVERY) as pause:
                    await self._woken.wait()
                self._woken = anyio.Event()
                await self._tell(counts=pause.cancelled_caught)
            await self._tell(counts=self._uncounted)
        except Exception as error:
            self._error = error
            if not self._is_ending:
                self.scope.cancel()
        finally:
            self._ended.set()

    @property
    def failed(self) -> bool:
        """Whether the display has raised an error, for which the call is cancelled."""
        return self._error is not None

    def check(self) -> None:
        """Raise the error of the display, if there is one."""
        if self._error is not None:
            raise self._error

    async def finish(self, error: Exception | None = None) -> None:
        """Tell what was not told yet, and stop; ``error`` is that of the call, which outranks one of the display."""
        self._is_ending = True
        self._woken.set()
        await self._ended.wait()
        if error is not None and self._error is not None:
            error.add_note(f"what was told of progress raised, too: {self._error!r}")

    async def _tell(self, *, counts: bool) -> None:
        while self._queue:
            progress, step = self._queue.popleft()
            await self._show(progress, step=step)
        if counts:
            self._uncounted = self._look is not None
            await self._show(self._timed(self._now()), step=False)

    async def _show(self, progress: Progress, *, step: bool) -> None:
        if inspect.isawaitable(result := self._display.heard(progress, step=step)):
            await result

    def _now(self) -> Progress:
        return self._state if self._look is None else self._look()

    def _set(self, progress: Progress, *, begins: bool) -> None:
        self._state, self._look = progress, None
        if begins:
            self._step_began, self._done_before = self._clock(), progress.done or 0

    def _timed(self, progress: Progress) -> Progress:
        """Return the event with the time since the call began, and the rate and the time left if it has none."""
        now = self._clock()
        rate, eta = progress.rate, progress.eta
        done = (progress.done or 0) - self._done_before
        if rate is None and progress.unit in _RATED and done > 0 and now > self._step_began:
            rate = done / (now - self._step_began)
            eta = None if progress.total is None else max(0, progress.total - self._done_before - done) / rate
        return attrs.evolve(progress, seconds=now - self._began, rate=rate, eta=eta)


def _subject(progress: Progress) -> tuple[object, ...]:
    return progress.phase, progress.name, progress.model_id, progress.words
