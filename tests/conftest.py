"""What holds for every test: nothing blocks the event loop, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import aioresponses.core
import coverage
import pytest
import pytest_asyncio
from blockbuster import BlockBusterFunction, blockbuster_ctx

from tests.support.opensearch.table import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]

OPEN_FILES = Path("/proc/self/fd")

# Measuring coverage takes as long as the tests themselves. Once so many cases of a test in a row have run nothing new,
# its other cases are not measured: the figure can only be lower for it.
MEASURED = 3
idle: Counter[str] = Counter()


class _Response(aiohttp.ClientResponse):
    # aioresponses 0.7.9 makes answers without this argument, which aiohttp 3.14 asks for.
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"stream_writer": SimpleNamespace(output_size=0), **options})


aioresponses.core.ClientResponse = _Response  # type: ignore[attr-defined]


# Containers often have this set, and each of the hundreds of processes that tests start would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Haystack would tell its makers of each pipeline that runs here.
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "false")

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


@pytest.fixture(scope="module", autouse=True)
def _what_stays_is_not_searched() -> None:
    # What imports and caches made stays until the end, and looking through it after each test would take most of the
    # time. Nothing of a test is among it between two modules.
    gc.collect()
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
        # Of two sessions in threads of their own, one waits while the other imports what both need first.
        importing = {"_find_and_load", "_lock_unlock_module"}
        blocking.functions["threading.Lock.acquire"].can_block_in("<frozen importlib._bootstrap>", importing)
        # What a program of Haystack left is collected whenever it is, also while the package's own code runs.
        blocking.functions["threading.Lock.acquire"].can_block_in("in_memory/document_store.py", "__del__")
        _let_coverage_wait(blocking.functions["threading.Lock.acquire"])
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if idle[item.nodeid.partition("[")[0]] >= MEASURED:
        item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    before = _arcs_run()
    try:
        return (yield)
    finally:
        test = item.nodeid.partition("[")[0]
        idle[test] = 0 if _arcs_run() > before else idle[test] + 1


def _arcs_run() -> int:
    """Return how many steps from line to line of the package coverage has seen."""
    collector = _collector_of_coverage()
    return sum(map(len, list(collector.data.values()))) if collector else 0


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
    return getattr(_collector_of_coverage(), "data_lock", None)


def _collector_of_coverage() -> Any:
    return getattr(coverage.Coverage.current(), "_collector", None)


@pytest.fixture(autouse=True)
def _same_chance() -> None:
    # Pauses are drawn at random: a test that fails by them fails again.
    random.seed(0)


@pytest.fixture(autouse=True)
def _the_log_is_as_before() -> Iterator[None]:
    # A test that makes the log quieter would take from others of the same process what they look for in it.
    log, root = logging.getLogger("aiomlcommons"), logging.getLogger()
    before = log.level, list(log.handlers), log.disabled, log.propagate, root.manager.disable
    yield
    log.handlers[:], log.disabled, log.propagate = before[1:4]
    log.setLevel(before[0])
    logging.disable(before[4])


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
