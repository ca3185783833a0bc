"""A server that answers as the headers of a request say: ``x-kind`` names the answer, ``x-seed`` its random numbers.

It runs in a process of its own, so that what it keeps ready is not counted as memory of the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.reliability.hostile.answers import prepare
from tests.reliability.hostile.kinds import KINDS
from tests.support.paths import ROOT

HEALTHY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


async def _answer(reader: StreamReader, writer: StreamWriter) -> None:
    # A client may disconnect at any time.
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            told = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            await reader.readexactly(int(told.get(b"content-length", b"0")))
            if (kind := told.get(b"x-kind")) is None:
                writer.write(HEALTHY)
                await writer.drain()
                continue
            random = Random(int(told[b"x-seed"]))  # noqa: S311 - a test
            await KINDS[kind.decode()].answer(random, writer)
            break
    writer.close()


async def _serve() -> None:
    prepare()
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the one who started it is gone
    server.close()


@contextmanager
def serving() -> Iterator[str]:
    """Start the server in a process of its own, and yield its URL."""
    command = [sys.executable, "-m", "tests.reliability.hostile.server"]
    # The command is this module.
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve())
