"""Standard streams that are closed or full: the job itself goes on, or is refused before anything is embedded."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import orjson
import pytest

from aiomlcommons.emulator.faults import PREDICTIONS
from tests.support.jobs import JobsOnAnEmulator, documents

pytestmark = [pytest.mark.asyncio, pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")]


async def shell(world: JobsOnAnEmulator, words: str, streams: str) -> tuple[int | None, str]:
    """Run a job in a shell with its streams redirected; return the exit code and the errors."""
    lines = b"".join(orjson.dumps(row) + b"\n" for row in documents(20))
    await asyncio.to_thread((world.folder / "in.jsonl").write_bytes, lines)
    command = shlex.join([sys.executable, "-m", "aiomlcommons", "ingest", *words.split(), "--url", world.ml.url])
    command += f" --model {world.model_id} {streams}"
    # What a full stream did not take is still in Python's buffer when the command ends, unless there is none.
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    process = await asyncio.create_subprocess_shell(
        command, cwd=world.folder, env=buffered, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    _, errors = await process.communicate()
    assert b"Traceback" not in errors, errors
    return process.returncode, errors.decode()


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-"])
async def test_a_job_does_not_need_a_stream_that_is_closed(world: JobsOnAnEmulator, streams: str) -> None:
    assert (await shell(world, "in.jsonl --out out.jsonl", streams))[0] == 0
    lines = await asyncio.to_thread((world.folder / "out.jsonl").read_bytes)
    assert [orjson.loads(line)["id"] for line in lines.splitlines()] == [row["id"] for row in documents(20)]


@pytest.mark.parametrize(
    ("streams", "why"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")]
)
async def test_documents_for_a_closed_or_full_output_are_not_embedded(
    world: JobsOnAnEmulator, streams: str, why: str
) -> None:
    if "full" in streams and not Path("/dev/full").exists():
        pytest.skip("no device that is full")

    async def never(_: Any, __: Any) -> Any:
        raise AssertionError("embedded")

    world.emulator.faults.add(never, on=PREDICTIONS, times=None)
    code, errors = await shell(world, "in.jsonl --out -", streams)
    assert (code, errors.splitlines()[-1]) == (1, f"aiomlcommons: SinkError: standard output cannot be written: {why}")


async def test_a_closed_input_is_not_one_without_rows(world: JobsOnAnEmulator) -> None:
    code, errors = await shell(world, "- --out out.jsonl", "<&-")
    assert (code, "Bad file descriptor" in errors, (world.folder / "out.jsonl").exists()) == (1, True, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
async def test_a_job_goes_on_without_a_place_for_its_progress(world: JobsOnAnEmulator) -> None:
    assert (await shell(world, "in.jsonl --out out.jsonl", "2>/dev/full"))[0] == 0
