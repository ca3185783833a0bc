"""Ctrl-C, SIGTERM and SIGHUP: good order at the first, an end at the second, the exit code of a shell."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import orjson
import pytest

from aiomlcommons.emulator.faults import PREDICTIONS, Where
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from tests.support.jobs import JobsOnAnEmulator, documents, outputs

pytestmark = [pytest.mark.asyncio, pytest.mark.skipif(sys.platform == "win32", reason="no signals")]

EACH = pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (1, 129, "hung up")],  # SIGHUP is 1
)


async def signalled(
    world: JobsOnAnEmulator, *words: str, on: Where, number: int, every: int = 1
) -> tuple[int | None, list[str]]:
    """Run a command whose n-th request hangs, and send it a signal then; return its exit code and errors."""
    process: Process | None = None

    async def send(_: Any, go: Any) -> Any:
        assert process is not None
        process.send_signal(number)
        await asyncio.Event().wait()

    world.emulator.faults.add(send, on=on, times=1, every=every)
    command = (sys.executable, "-m", "aiomlcommons", *words, "--url", world.ml.url)
    process = await asyncio.create_subprocess_exec(*command, cwd=world.folder, stdout=PIPE, stderr=PIPE)
    _, errors = await process.communicate()
    assert b"Traceback" not in errors, errors
    return process.returncode, errors.decode().splitlines()


def ingest(world: JobsOnAnEmulator) -> tuple[str, ...]:
    (world.folder / "in.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in documents(100)))
    return ("ingest", "in.jsonl", "--model", "all-MiniLM-L6-v2", "--out", "out.npy", "--batch", "8")


@EACH
async def test_a_job_says_where_it_is_and_how_it_is_continued(
    world: JobsOnAnEmulator, number: int, code: int, word: str
) -> None:
    words = await asyncio.to_thread(ingest, world)
    got, errors = await signalled(world, *words, "--text", "{text} ", on=PREDICTIONS, number=number, every=6)
    assert (got, errors[-1], errors[-3]) == (code, word, "progress is kept; this continues it:")
    assert re.fullmatch(r"so far: \d+ read, \d+ written, 0 deduplicated, 0 skipped, 0 failed", errors[-4])
    process = await asyncio.create_subprocess_shell(errors[-2], cwd=world.folder, stdout=PIPE, stderr=PIPE)
    out, _ = await process.communicate()
    assert (process.returncode, out.startswith(b"100 read = 100 written")) == (0, True)


@EACH
async def test_before_a_job_has_begun_there_is_nothing_to_continue(
    world: JobsOnAnEmulator, number: int, code: int, word: str
) -> None:
    words = await asyncio.to_thread(ingest, world)
    got, errors = await signalled(world, *words, on=lambda _: True, number=number)
    assert (got, errors) == (code, [word])
    assert await asyncio.to_thread(lambda: [path.name for path in world.folder.iterdir()]) == ["in.jsonl"]


@EACH
async def test_a_second_signal_kills_a_command_that_does_not_end(
    world: JobsOnAnEmulator, number: int, code: int, word: str
) -> None:
    # A read of a pipe without a writer blocks a thread, for which nothing can wait.
    del word
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STUBBORN, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(number)
    await process.stdout.readline()
    process.send_signal(number)
    await process.communicate()
    assert process.returncode == -number


STUBBORN = """
import asyncio
from aiomlcommons.cli import signals

async def main():
    with signals.cancelling():
        print("begun", flush=True)
        try:
            await asyncio.sleep(3600)
        finally:
            print("told", flush=True)
            await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_a_retry_of_dead_letters_is_continued_too(world: JobsOnAnEmulator) -> None:
    dead: Path = world.folder / "a.dead.jsonl"
    lines = [DeadLetter(row, f"d{row}", "away", {"text": f"text {row}"}).line() for row in range(60)]
    await asyncio.to_thread(dead.write_bytes, b"".join(lines))
    words = ("dead-letters", "retry", dead.name, "--model", "all-MiniLM-L6-v2", "--out", "out.npy", "--batch", "4")
    got, errors = await signalled(world, *words, on=PREDICTIONS, number=signal.SIGTERM, every=6)
    assert (got, errors[-1], errors[-3]) == (143, "terminated", "progress is kept; this continues it:")
    process = await asyncio.create_subprocess_shell(errors[-2], cwd=world.folder, stdout=PIPE, stderr=PIPE)
    out, _ = await process.communicate()
    assert (process.returncode, out.startswith(b"60 read = 60 written")) == (0, True)
    left = await asyncio.to_thread(lambda: {path.name for path in world.folder.iterdir()})
    assert left == outputs(world.folder / "out.npy")


@EACH
async def test_any_command_ends_without_a_traceback(world: JobsOnAnEmulator, number: int, code: int, word: str) -> None:
    assert await signalled(world, "models", "list", on=lambda _: True, number=number) == (code, [word])


@EACH
async def test_the_emulator_ends_without_a_traceback(number: int, code: int, word: str) -> None:
    command = (sys.executable, "-m", "aiomlcommons", "emulator", "--port", "0")
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(number)
    _, errors = await process.communicate()
    assert (process.returncode, errors.decode().splitlines()) == (code, [word])


async def test_a_command_that_nohup_runs_is_not_ended_by_a_closed_terminal(world: JobsOnAnEmulator) -> None:
    words = await asyncio.to_thread(ingest, world)
    process: Process | None = None

    async def send(_: Any, go: Any) -> Any:
        assert process is not None
        process.send_signal(1)
        return await go()

    world.emulator.faults.add(send, on=PREDICTIONS, times=3)
    command = ("nohup", sys.executable, "-m", "aiomlcommons", *words, "--url", world.ml.url)
    process = await asyncio.create_subprocess_exec(*command, cwd=world.folder, stdout=PIPE, stderr=PIPE)
    out, errors = await process.communicate()
    assert (process.returncode, out.startswith(b"100 read = 100 written")) == (0, True), errors
