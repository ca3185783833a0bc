"""Fakes around a job for the model-based test: rows, a model and sinks in memory, and threads.

Nothing here happens by itself: a request to the model waits until it is answered, and time advances on request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import attrs
import numpy as np

from aiomlcommons.errors import ConnectError, MLCommonsError, RequestTimeout
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.types import BadRow, Documents, Refused, Row
from tests.support.scripted_model import REQUEST, api

T = TypeVar("T")
TICK = 0.001  # seconds that blocking work takes
AGES = 100.0  # seconds that a hanging write takes
DIMENSION = 32  # of vectors; longer texts are not given
POISON, UNWANTED = "poison", "unwanted"

# The kinds of rows; ``i`` is the number of a row and ``j`` that of an earlier one.
KINDS: Mapping[str, Callable[[int, int], Row | BadRow]] = {
    "good": lambda i, j: {"id": f"d{i}", "text": f"text number {i}"},
    "alike": lambda i, j: {"id": f"d{i}", "text": f"text number {j}"},
    "again": lambda i, j: {"id": f"d{j}", "text": f"text number {i}"},
    "poison": lambda i, j: {"id": f"d{i}", "text": f"{POISON} {i}"},
    "unwanted": lambda i, j: {"id": f"d{i}", "text": f"{UNWANTED} {i}"},
    "empty": lambda i, j: {"id": f"d{i}", "text": " "},
    "number": lambda i, j: {"id": f"d{i}", "text": i},
    "no text": lambda i, j: {"id": f"d{i}"},
    "no id": lambda i, j: {"text": f"text number {i}"},
    "bad": lambda i, j: BadRow("is not JSON", f"line {i}", "{"),
}

# The responses to a request other than vectors. ``FINAL`` ones blame the texts.
FINAL: Mapping[str, Callable[[], MLCommonsError]] = {
    "400": lambda: api(400, "the text cannot be translated"),
    "500": lambda: api(500, "translate_exception"),
}
ERRORS: Mapping[str, Callable[[], MLCommonsError]] = {
    **FINAL,
    "429": lambda: api(429, "throttled"),
    "429 and a time": lambda: api(429, "throttled", **{"retry-after": "7"}),
    "503": lambda: api(503, "unavailable"),
    "connector": lambda: api(500, "Error communicating with remote model: it is away"),
    "not ready": lambda: api(400, "Model not ready yet. Please deploy it first"),
    "timeout": lambda: RequestTimeout("no answer in 30 s", REQUEST),
    "dropped": lambda: ConnectError("dropped", REQUEST),
    "gone": lambda: api(404, "Failed to find model"),
}


def vector(text: str) -> Vectors:
    """Return a vector that is unique for each text."""
    return np.frombuffer(text.encode().ljust(DIMENSION, b"\0"), dtype=np.uint8).astype(np.float32)


@attrs.define(eq=False)
class Question:
    """Texts of a request to the model, and the future of its response."""

    texts: list[str]
    answer: asyncio.Future[None]

    @property
    def poisoned(self) -> bool:
        return any(text.startswith(POISON) for text in self.texts)


@attrs.define(eq=False)
class Model:
    """A model that responds on request. ``blamed`` are texts that failed alone, so that they may be dead letters.

    ``check`` is called with the texts of each request.
    """

    check: Callable[[list[str]], None]
    questions: list[Question] = attrs.field(factory=list)
    blamed: set[str] = attrs.field(factory=set)

    async def embed(self, texts: list[str]) -> Vectors:
        self.check(texts)
        question = Question(texts, asyncio.get_running_loop().create_future())
        self.questions.append(question)
        try:
            await question.answer
        finally:
            self.questions.remove(question)
        return np.stack([vector(text) for text in texts])

    def tell(self, question: Question, error: str = "") -> None:
        """Respond with vectors or an error; a poison text has no vectors."""
        error = error or ("400" if question.poisoned else "")
        if error in FINAL and len(question.texts) == 1:
            self.blamed.update(question.texts)
        if error:
            question.answer.set_exception(ERRORS[error]())
        else:
            question.answer.set_result(None)


@attrs.define(eq=False)
class Tape:
    """A sink like a file: it is appended to, and ``open`` truncates what the checkpoint does not cover.

    A write takes time and is half done for a while. ``fails`` lists the next errors. ``check`` is called with each
    batch.
    """

    check: Callable[[Documents], None]
    concurrent: bool = False
    held: list[str] = attrs.field(factory=list)
    durable: int = 0
    fails: str = ""
    complete: bool = False
    name: str = "tape"

    async def open(self, state: Any) -> None:
        self.complete = False
        self._trouble("open")
        await anyio.sleep(TICK)
        self._back_to(state)

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        self.check(batch)
        refused = [Refused(i, UNWANTED) for i, text in enumerate(batch.texts) if text.startswith(UNWANTED)]
        kept = [batch.ids[i] for i, text in enumerate(batch.texts) if not text.startswith(UNWANTED)]
        self._trouble("write")
        self._take(kept[::2])
        await anyio.sleep(AGES if self._told("hang") else TICK)
        self._trouble("half")
        self._take(kept[1::2])
        await anyio.sleep(TICK)
        return refused

    async def flush(self) -> Any:
        await anyio.sleep(TICK)
        self._trouble("flush")
        state = self._made_durable()
        await anyio.sleep(TICK)
        return state

    async def close(self, *, complete: bool) -> None:
        await anyio.sleep(TICK)
        self._trouble("close")
        self.complete = complete

    def up_to(self, state: Any) -> list[str]:
        """Return what is durable at a state of the sink in a checkpoint."""
        return self.held[: state or 0]

    def after_crash(self, more: int) -> Tape:
        """Return the content after a crash: what is durable, and a number of further documents."""
        return attrs.evolve(self, held=self.held[: self.durable + more], fails="")

    def _trouble(self, moment: str) -> None:
        if self._told(moment):
            raise OSError(28, f"no space left for {moment}")

    def _told(self, moment: str) -> bool:
        told = self.fails == moment
        if told:
            self.fails = ""
        return told

    def _back_to(self, state: Any) -> None:
        assert (state or 0) <= len(self.held), "documents were noted that are not durable"
        del self.held[state or 0 :]
        self.durable = len(self.held)

    def _take(self, ids: list[str]) -> None:
        self.held += ids

    def _made_durable(self) -> Any:
        self.durable = len(self.held)
        return self.durable


class Index(Tape):
    """A sink like an index: a write is stored at once under its id, and is durable."""

    def up_to(self, state: Any) -> list[str]:
        return self.held

    def after_crash(self, more: int) -> Tape:
        return attrs.evolve(self, held=list(self.held), fails="")

    def _back_to(self, state: Any) -> None:
        assert state is None

    def _take(self, ids: list[str]) -> None:
        self.held += [key for key in ids if key not in self.held]

    def _made_durable(self) -> Any:
        return None


SINKS: Mapping[str, Callable[[Callable[[Documents], None]], Tape]] = {
    "tape": Tape,
    "tapes": partial(Tape, concurrent=True),
    "index": Index,
    "indices": partial(Index, concurrent=True),
}


@contextmanager
def off_the_loop() -> Iterator[None]:
    """Run a block as in a thread, where no event loop is running and files may be read."""
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)


@attrs.define
class Threads:
    """Replaces ``anyio.to_thread.run_sync``: the work is done at once, between two pauses.

    Real threads would end in a different order each time, and no failure would be reproducible. As with threads,
    cancellation waits for the end of the work. ``fails`` is the number of calls until one finds the disk full.
    """

    fails: int = 0
    late: bool = False

    async def __call__(self, work: Callable[..., T], *args: Any, **options: Any) -> T:
        await anyio.lowlevel.checkpoint()
        with anyio.CancelScope(shield=True):
            try:
                await anyio.sleep(TICK)
            finally:  # asyncio's own cancel waits for nothing, and the thread goes on
                result = self._done(work, args)
            await anyio.sleep(TICK)
        return result  # pyright: ignore[reportReturnType] - nothing cancels the scope, so the work has been done

    def _done(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        self.fails -= 1
        name = getattr(work, "__name__", "")
        # A file is closed even where that fails; and opening returns either a file or an error.
        late = name == "close" or (self.late and name in {"write", "flush"})
        if not self.fails and not late:
            raise OSError(28, "no space left before it was done")
        with off_the_loop():
            result = work(*args)
        if not self.fails:
            raise OSError(5, "an error when it was done")
        return result
