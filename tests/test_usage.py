"""What is used as something that it is not says what to write, and what is never entered leaves nothing."""

from __future__ import annotations

import asyncio
import gc
import re
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from aiomlcommons import FileModel, Session, SessionClosed, emulator
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.ingest import Job
from aiomlcommons.usage import Context, context, refuses

pytestmark = pytest.mark.asyncio


async def async_with(what: Any) -> None:
    async with what:
        pass


async def plain_with(what: Any) -> None:
    with what:
        pass


async def async_for(what: Any) -> None:
    async for _ in what:
        pass


async def plain_for(what: Any) -> None:
    for _ in what:
        pass


async def awaited(what: Any) -> None:
    await what


FORMS: dict[str, Callable[[Any], Any]] = {
    "async with": async_with,
    "with": plain_with,
    "async for": async_for,
    "for": plain_for,
    "await": awaited,
}
EMBED = "`async with ml.embed(...) as embedded:`, then `async for row, vector in embedded:`"
STREAM = "`async with ...{0}(...) as events:`, then `async for event in events:`"
# What is misused, how it is called in the message, what to write, and in which forms it is misused.
CASES: list[tuple[Callable[[Session], Any], str, str, set[str]]] = [
    (lambda ml: ml.embed("m", ["a"]), "ml.embed(...)", EMBED, {"with", "async for", "for", "await"}),
    (
        lambda ml: ml.ingest([], model="m", sink="a.npy"),
        "ml.ingest(...)",
        "`report = await ml.ingest(...)`, or `async with ml.ingest(...) as job:`",
        {"with", "async for", "for"},
    ),
    (
        lambda ml: ml.models.predict_stream("m"),
        "predict_stream(...)",
        STREAM.format("predict_stream"),
        {"with", "async for", "for", "await"},
    ),
    (
        lambda ml: ml.agents.execute_stream("a"),
        "execute_stream(...)",
        STREAM.format("execute_stream"),
        {"with", "async for", "for", "await"},
    ),
    (
        lambda ml: ml.models.deployed("m"),
        "ml.models.deployed(...)",
        "`async with ml.models.deployed(...) as model:`",
        {"with", "async for", "for", "await"},
    ),
    (
        lambda ml: ml.settings.temporarily(MLSettings()),
        "ml.settings.temporarily(...)",
        "`async with ml.settings.temporarily(...):`",
        {"with", "async for", "for", "await"},
    ),
    (
        lambda _: emulator.serve(),
        "serve(...)",
        "`async with emulator.serve() as url:`",
        {"with", "async for", "for", "await"},
    ),
    (
        lambda ml: ml.task("t"),
        "a Task",
        "`await ml.task(...)` for its end, or `async for info in ml.task(...)`",
        {"async with", "with", "for"},
    ),
    (
        lambda ml: ml.models.search(),
        "a Search",
        "`await` before it for one page, or `async for hit in` for every hit",
        {"async with", "with", "for"},
    ),
    (
        lambda ml: ml,
        "a Session",
        "`async with Session(...) as ml:`, or `ml = await Session(...).open()`",
        {"with", "await"},
    ),
]


@pytest.mark.parametrize(
    ("make", "name", "write", "form"),
    [(make, name, write, form) for make, name, write, forms in CASES for form in sorted(forms)],
)
async def test_each_misuse_says_what_to_write(make: Any, name: str, write: str, form: str) -> None:
    with pytest.raises(TypeError) as caught:
        await FORMS[form](make(Session("http://node:9200")))
    assert str(caught.value) == f"`{form}` is not for {name}: write {write}"


async def test_what_is_entered_says_what_to_write_too() -> None:
    async with emulator.serve() as url, Session(url) as ml, ml.embed("m", list[str]()) as embedded:
        for form in ("async with", "with", "for", "await"):
            with pytest.raises(TypeError, match="is not for an Embedded: write `async for row, vector in embedded:`"):
                await FORMS[form](embedded)


async def test_what_is_never_entered_warns_of_nothing_and_leaves_nothing() -> None:
    closed: list[str] = []

    async def rows() -> AsyncGenerator[str]:
        try:
            yield "a"
        finally:
            closed.append("begun")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ml = Session("http://node:9200")
        for make, *_ in CASES:
            make(ml)
        ml.embed("m", rows())
        ml.ingest(rows(), model="m", sink="a.npy")
        gc.collect()
    assert [str(one.message) for one in caught] == []
    assert closed == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_session_that_was_never_opened_is_named_before_a_row_is_read() -> None:
    read: list[str] = []

    def rows() -> Generator[str]:
        read.append("a")
        yield "a"

    session = Session("http://node:9200")
    for ml in (session, session.options(retries=0)):
        for wrong in (ml.embed("m", rows()), ml.ingest(rows(), model="m", sink="a.npy")):
            with pytest.raises(SessionClosed, match=r"the session is not open: use `async with Session\(...\) as ml:`"):
                await async_with(wrong)
        with pytest.raises(SessionClosed, match="the session is not open"):
            await ml.ingest("no-such.jsonl", model="m", sink="a.npy")
        file = FileModel(path="no-such.zip", name="m")
        for right in (ml.embed_many("m", ["a"]), ml.models.search(), ml.task("t"), ml.models.ensure(file)):
            with pytest.raises(SessionClosed, match="the session is not open"):
                await right
        for stream in (ml.models.predict_stream("m"), ml.models.deployed("m")):
            with pytest.raises(SessionClosed, match="the session is not open"):
                await async_with(stream)
    assert read == []


# ---- the mechanism ---------------------------------------------------------------------------------------------------


@context("numbers()", "`async with numbers() as number:`")
async def numbers(log: list[str], *, fails: bool = False) -> AsyncGenerator[int]:
    """Yield a number."""
    log.append("in")
    try:
        if fails:
            raise OSError("no numbers")
        yield 7
    finally:
        log.append("out")


async def test_a_context_is_entered_and_left() -> None:
    log: list[str] = []
    made = numbers(log)
    assert (repr(made), numbers.__doc__, log) == ("numbers()", "Yield a number.", [])
    async with made as number:
        assert (number, log) == (7, ["in"])
    assert log == ["in", "out"]
    with pytest.raises(RuntimeError, match=re.escape("numbers() was entered before: call it again")):
        await async_with(made)
    assert log == ["in", "out"]


async def test_errors_go_through_a_context() -> None:
    log: list[str] = []
    with pytest.raises(OSError, match="no numbers"):
        await async_with(numbers(log, fails=True))
    with pytest.raises(KeyError):
        async with numbers(log):
            raise KeyError
    with anyio.move_on_after(0):
        async with numbers(log):
            await anyio.sleep_forever()
    async with AsyncExitStack() as stack:
        assert await stack.enter_async_context(numbers(log)) == 7
    assert log == ["in", "out"] * 4


async def test_a_class_keeps_the_forms_that_it_has() -> None:
    @refuses("await", "for", write="`async for`")
    class Numbers:
        async def __aiter__(self) -> AsyncIterator[int]:
            yield 7

    assert [number async for number in Numbers()] == [7]
    with pytest.raises(TypeError, match="`await` is not for a Numbers: write `async for`"):
        await Numbers()  # type: ignore[misc]


async def test_a_job_is_awaited_only() -> None:
    for form in ("async with", "with", "async for", "for"):
        with pytest.raises(TypeError, match=f"`{form}` is not for a Job: write `report = await job`"):
            await FORMS[form](Job.__new__(Job))
    assert Context in type(Session("http://node:9200").ingest([], model="m", sink="a.npy")).__mro__
