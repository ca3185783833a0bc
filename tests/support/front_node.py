"""A node of a cluster as a process of its own: ``python -m tests.support.front_node PORT BACKEND``.

It passes connections on to a cluster at a port of this machine, so that all nodes have the same state; with BACKEND 0
it answers every request with 503. Port 0 is any free port. It prints its port, and runs until it is killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial

import attrs

UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@attrs.define
class Node:
    """A node that can be killed, stopped, and started again at the same address. ``backend`` is a port."""

    backend: int
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, refusing: bool = False) -> None:
        """Start it, and wait until it listens."""
        backend = 0 if refusing else self.backend
        command = [sys.executable, "-m", "tests.support.front_node", str(self.port), str(backend)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own module
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def pause(self) -> None:
        """Have it hang: it accepts connections, and never responds."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill it, with -9, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
        self.process = None


@contextmanager
def nodes(backend: int, count: int) -> Generator[list[Node]]:
    """Run nodes in front of a cluster."""
    made = [Node(backend) for _ in range(count)]
    try:
        for node in made:
            node.start()
        yield made
    finally:
        for node in made:
            node.kill()


async def _serve(port: int, backend: int) -> None:
    server = await asyncio.start_server(partial(_pass_on, backend) if backend else _refuse, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _refuse(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(UNAVAILABLE)
        await writer.drain()
    writer.close()


async def _pass_on(backend: int, reader: StreamReader, writer: StreamWriter) -> None:
    try:
        there, back = await asyncio.open_connection("127.0.0.1", backend)
    except OSError:  # the cluster is down
        writer.close()
        return
    await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(2**16):
            writer.write(piece)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
