"""Runs a page: its blocks in order, in one namespace, against an emulator over a socket."""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import json
import linecache
import logging
import os
import re
import shlex
import sys
import tomllib
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar, cast

import attrs
import yaml

from aiomlcommons import cli
from tests.pages.blocks import Block, blocks_of
from tests.pages.worlds import Place, emulator_of, world_of
from tests.support.paths import ROOT
from tests.support.threaded_emulator import ThreadedEmulator

T = TypeVar("T")

SHOWN_URL = "http://localhost:9200"
_LOCAL = re.compile(r"https?://(?:localhost|127\.0\.0\.1):9200")
_ID = re.compile(r"\b[A-Z]+(?:_[A-Z]+)*_ID\b")
_PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
}
# Variables by which a machine would change what a page does.
_FOREIGN = ("OPENSEARCH_", "AIOMLCOMMONS_", "OTEL_", "AWS_")


class WrongPage(AssertionError):
    """A block does not do what its page says."""


def run_page(page: Path, folder: Path) -> list[Block]:
    """Run a page in an empty folder; return its blocks. Raises WrongPage, which names the line of the block."""
    blocks = blocks_of(page)
    with closing(ThreadedEmulator(emulator_of(page))) as served, _environment(folder, served.url):
        asyncio.run(_run(page, blocks, Place(served.emulator, served.url, folder)))
    return blocks


async def _run(page: Path, blocks: list[Block], place: Place) -> None:
    with ThreadPoolExecutor(1) as thread:
        async with world_of(page, place) as names:
            running = _Running(place, thread, {"__name__": "__main__", **names})
            for block in blocks:
                await running.block(block)
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        raise WrongPage(f"{page.relative_to(ROOT)} leaves tasks behind: {left}")


@attrs.frozen
class _Running:
    place: Place
    thread: ThreadPoolExecutor
    names: dict[str, object]

    async def block(self, block: Block) -> None:
        if block.lacks:
            return
        code = _LOCAL.sub(self.place.url, block.code)
        if block.file:
            _write(self.place.folder / block.file, code)
        elif block.language in _PARSERS:
            _PARSERS[block.language](code)
        elif block.language == "python":
            await self._python(block, code)
        elif block.language == "sh":
            await self._shell(block, self._filled(code))

    async def _python(self, block: Block, code: str) -> None:
        compiled = _compiled(block, code)
        error: Exception | None = None
        with _printed() as printed:
            try:
                if compiled.co_flags & inspect.CO_COROUTINE:
                    await eval(compiled, self.names)  # noqa: S307 - they are our own pages
                else:
                    await self._in_thread(exec, compiled, self.names)
            except Exception as failed:
                error = failed
                printed.write("".join(traceback.format_exception_only(error)))
        if error is not None and "raises" not in block.words:
            raise WrongPage(f"{block.where}: the block raises {error!r}, after {printed.getvalue()!r}") from error
        if error is None and "raises" in block.words:
            raise WrongPage(f"{block.where}: the block raises nothing")
        self._compare(block, printed.getvalue())

    async def _shell(self, block: Block, code: str) -> None:
        if (commands := _commands(code)) is not None:
            status, said = await self._in_thread(_in_process, commands)
        else:
            status, said = await _by_sh(code, self.place.folder)
        if (status != 0) != ("fails" in block.words):
            raise WrongPage(f"{block.where}: the exit code is {status}: {said}")
        self._compare(block, said)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *arguments)

    def _filled(self, code: str) -> str:
        return _ID.sub(lambda found: str(self.names.get(found[0].lower(), found[0])), code)

    def _compare(self, block: Block, said: str) -> None:
        said = said.replace(self.place.url, SHOWN_URL)
        if block.output is not None and not agrees(said, block.output):
            raise WrongPage(f"{block.where} prints\n{said}\nand the page shows\n{block.output}")


def agrees(said: str, shown: str) -> bool:
    """Whether output is what a page shows, in which ``...`` stands for anything, and blanks at the ends for none."""
    parts = [re.escape(part) for part in _trimmed(_LOCAL.sub(SHOWN_URL, shown)).split("...")]
    return re.fullmatch(".*?".join(parts), _trimmed(said), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def _compiled(block: Block, code: str) -> CodeType:
    # Under the name of the page, and at its line, so that a traceback shows where it is.
    name = str(block.page)
    padded = "\n" * block.line + code
    linecache.checkcache(name)
    code_object: CodeType = compile(padded, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return code_object


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _commands(code: str) -> list[list[str]] | None:
    """Return the commands of a block in which there are only some of this program, which needs no shell then."""
    lines = [line for line in code.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    if any(not line.startswith("aiomlcommons ") or re.search(r"[|<>&;$`*]", line) for line in lines):
        return None
    return [shlex.split(line, comments=True)[1:] for line in lines]


def _in_process(commands: list[list[str]]) -> tuple[int, str]:
    with _printed() as printed:
        for command in commands:
            try:
                status = cli.main(command)
            except SystemExit as exit_:  # of wrong arguments
                status = exit_.code if isinstance(exit_.code, int) else 1
            if status:
                return status, printed.getvalue()
    return 0, printed.getvalue()


async def _by_sh(code: str, folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        "sh", "-e", "-c", code, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


class _Printed(io.TextIOWrapper):
    """What is printed, as text or as bytes: commands write their JSON to the ``buffer`` of standard output."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def getvalue(self) -> str:
        return cast(io.BytesIO, self.buffer).getvalue().decode()


@contextmanager
def _printed() -> Iterator[_Printed]:
    """Collect what is printed, to either stream, in its order."""
    text, root = _Printed(), logging.getLogger()
    # Warnings are printed where nothing else takes them, as in a program; pytest has handlers at the root.
    handlers, root.handlers = root.handlers, []
    try:
        with redirect_stdout(text), redirect_stderr(text):
            yield text
    finally:
        root.handlers = handlers


@contextmanager
def _environment(folder: Path, url: str) -> Iterator[None]:
    """Let a page run in a folder, with the emulator's URL, and with nothing of the machine's own settings."""
    before, here = dict(os.environ), Path.cwd()
    programs = folder / ".bin"
    for name, call in (("aiomlcommons", "-m aiomlcommons"), ("python", "")):
        _write(programs / name, f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {call} "$@"\n')
        (programs / name).chmod(0o755)
    try:
        for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
            del os.environ[name]
        os.environ.update(
            OPENSEARCH_URL=url,
            HOME=str(folder / ".home"),
            XDG_CONFIG_HOME=str(folder / ".home" / ".config"),
            PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
            PYTHONPATH=str(ROOT),
        )
        os.chdir(folder)
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)
