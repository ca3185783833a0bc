"""What holds for every test: nothing blocks the event loop, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import aioresponses.core
import coverage
import pytest
import pytest_asyncio
from blockbuster import BlockBusterFunction, blockbuster_ctx

OPEN_FILES = Path("/proc/self/fd")


class _Response(aiohttp.ClientResponse):
    # aioresponses 0.7.9 makes answers without this argument, which aiohttp 3.14 asks for.
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"stream_writer": SimpleNamespace(output_size=0), **options})


aioresponses.core.ClientResponse = _Response  # type: ignore[attr-defined]


# A shell that runs the tests in the background has Ctrl-C ignored, and programs that are started here would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What shares a server, or what a file makes once, goes to one of the processes that the tests are divided among.
    for item in items:
        shared = "opensearch" if "opensearch_url" in getattr(item, "fixturenames", ()) else item.location[0]
        item.add_marker(pytest.mark.xdist_group(shared))


def pytest_collection_finish() -> None:
    _let_hypothesis_register()
    # What the imports made stays until the end, and looking through it after each test would take most of the time.
    gc.freeze()


def _let_hypothesis_register() -> None:
    # At its first example it registers its random numbers, and warns if nothing seems to hold them: what is frozen does
    # not seem to, in Python 3.14.
    if "hypothesis" in sys.modules:
        from hypothesis import given, settings
        from hypothesis.strategies import none

        settings(max_examples=1, database=None)(given(none())(lambda _: None))()


@pytest.fixture(scope="session", autouse=True)
def _nothing_blocks() -> Iterator[None]:
    # Only under the package's own code: a test may read its files as it likes.
    with blockbuster_ctx("aiomlcommons") as blocking:
        # A question to the user: nothing else goes on while it is asked, and Ctrl-C must end it.
        blocking.functions["builtins.input"].can_block_in("cli/common.py", "confirmed")
        # One look at a path before a job: ml.ingest does it in a thread; a command, and a test, has nothing else to do.
        for package in ("sources", "sinks"):
            blocking.functions["os.stat"].can_block_in(f"ingest/{package}/__init__.py", "_of_path")
        # Who calls a synchronous session on an event loop, as in a notebook, wants this loop to wait.
        blocking.functions["threading.Lock.acquire"].can_block_in("aiomlcommons/portal.py", {"_task", "_result"})
        _let_coverage_wait(blocking.functions["threading.Lock.acquire"])
        yield


def _let_coverage_wait(acquire: BlockBusterFunction) -> None:
    # Coverage waits for itself in another thread, now and then, whatever line is being run. It asks for its lock from
    # C, so no frame on the stack tells who asks: the lock itself is known.
    may_wait = acquire.can_block_predicate

    def predicate(lock: Any, *arguments: Any, **options: Any) -> bool:
        return lock is _lock_of_coverage() or may_wait(lock, *arguments, **options)

    acquire.deactivate()
    acquire.can_block_predicate = predicate
    acquire.activate()


def _lock_of_coverage() -> Any:
    collector = getattr(coverage.Coverage.current(), "_collector", None)
    return getattr(collector, "data_lock", None)


@pytest.fixture(autouse=True)
def _same_chance() -> None:
    # Pauses are drawn at random: a test that fails by them fails again.
    random.seed(0)


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("_no_task_or_file_left")


@pytest_asyncio.fixture
async def _no_task_or_file_left() -> AsyncIterator[None]:
    tasks, files = asyncio.all_tasks(), _open_files()
    yield
    await _settle(tasks)
    gc.collect()  # a file or socket that nobody closed says so now, and a warning is an error
    await _closed(files)
    assert not _extra_tasks(tasks), f"tasks are left: {_extra_tasks(tasks)}"
    assert _open_files() <= files, f"{_open_files() - files} files or sockets are left open: {_targets()}"


def _extra_tasks(before: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - before - {asyncio.current_task()}


async def _settle(before: set[asyncio.Task[Any]]) -> None:
    # What was closed or cancelled at the test's last line ends within a few turns of the loop.
    for _ in range(20):
        await asyncio.sleep(0)
        if not _extra_tasks(before):
            return


async def _closed(before: int) -> None:
    # Threads that are not Python's, such as pyarrow's, may let go of a file a moment after they gave its last bytes.
    for _ in range(100):
        if _open_files() <= before:
            return
        await asyncio.sleep(0.01)


def _open_files() -> int:
    return sum(1 for _ in OPEN_FILES.iterdir()) if OPEN_FILES.exists() else 0


def _targets() -> list[str]:
    return sorted(str(link.readlink()) for link in OPEN_FILES.iterdir() if link.exists() or link.is_symlink())
