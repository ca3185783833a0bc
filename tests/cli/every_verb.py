"""Every verb with --json, piped through jq: ``python -m tests.cli.every_verb`` prints a table of what jq finds.

Without jq, or with the argument ``--no-jq``, Python's json module judges.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from pathlib import Path

import attrs

from aiomlcommons.cli.arguments import verbs
from tests.cli.example_world import World, example_world
from tests.support.paths import ROOT

# They change what later ones need.
LAST = ("models undeploy", "models delete", "model-groups delete", "connectors delete", "agents delete")
# What jq prints of a document: its type and size, and the keys of an object or of an array's first object.
FILTER = (
    '"\\(type) of \\(length): \\(if type == "array" then (.[0] // {}) else . end | if type == "object" '
    'then (keys_unsorted | .[:4] | join(", ")) else tostring end)"'
)


@attrs.frozen
class Judged:
    """A command, its exit code, and what jq says of its standard output."""

    command: str
    code: int
    found: str
    errors: str


def commands() -> list[str]:
    """Return the examples of each verb with --json, in an order in which all of them work."""
    found = {name: verb.examples for name, verb in verbs()}
    ordered = [*(name for name in found if name not in LAST), *LAST]
    return [_with_json(example) for name in ordered for example in found[name]]


def _with_json(example: str) -> str:
    command, redirect, file = example.partition(" < ")
    return f"{command}{'' if '--json' in command else ' --json'}{redirect}{file}"


async def judged(folder: Path, *, jq: bool) -> AsyncGenerator[Judged]:
    """Run each command as a shell does, and judge its output."""
    async with example_world(folder) as world:
        for command in commands():
            yield await _judge(world, command, folder, jq=jq)


async def _judge(world: World, command: str, folder: Path, *, jq: bool) -> Judged:
    program = f'"{sys.executable}" -m aiomlcommons {world.filled(command)}'
    if command.startswith("emulator"):
        return await judge_emulator(command, folder, jq=jq)
    process = await asyncio.create_subprocess_shell(
        program, cwd=folder, env=_environment(world), stdout=PIPE, stderr=PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    out, errors = await process.communicate()
    return Judged(command, process.returncode or 0, await found_in(out, jq=jq), errors.decode())


async def judge_emulator(command: str, folder: Path, *, jq: bool) -> Judged:
    """Start the emulator, judge its first line, and end it."""
    words = [sys.executable, "-m", "aiomlcommons", "emulator", "--port", "0", "--json"]
    process = await asyncio.create_subprocess_exec(*words, cwd=folder, env=_environment(None), stdout=PIPE, stderr=PIPE)
    assert process.stdout
    line = await process.stdout.readline()
    process.terminate()
    _, errors = await process.communicate()
    return Judged(command, process.returncode or 0, await found_in(line, jq=jq), errors.decode())


def _environment(world: World | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENSEARCH_")}
    return {**kept, "PYTHONPATH": str(ROOT), **({} if world is None else {"OPENSEARCH_URL": world.url})}


async def found_in(data: bytes, *, jq: bool) -> str:
    """Return what jq, or Python, says of one JSON document; ``NO JSON`` if it is none, or there are several."""
    if not jq:
        return type(json.loads(data)).__name__
    process = await asyncio.create_subprocess_exec(
        "jq", "-s", "-r", f"if length == 1 then .[0] | {FILTER} else error end", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, errors = await process.communicate(data)
    return out.decode().strip() if not process.returncode else f"NO JSON: {errors.decode().strip()}"


async def _main() -> int:
    jq = shutil.which("jq") is not None and "--no-jq" not in sys.argv
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        async for one in judged(Path(folder), jq=jq):
            print(f"{one.code:>3}  {one.command:<74}  {one.found}")
            bad += one.found.startswith("NO JSON") or one.code not in {0, 143}
    return bad


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
