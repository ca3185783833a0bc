"""The replay server: HTTP/1.1 with keep-alive by a bare asyncio protocol, each response one prebuilt `bytes`.

    python -m benchmarks.replay.server [--version 3.9.0] [--delay S] [--processes N] [--uvloop]

It prints its URL, and ends when its standard input is closed; ``replaying`` starts and ends it from a benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from benchmarks.replay.answers import Handler, routes

ROOM = 1 << 17
END_OF_HEAD = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
MISSING = b'HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"status":404}'


class Replies:
    """The handler of each request line, looked up once. Requests that nobody answers are told on standard error."""

    def __init__(self, version: str, delay: float) -> None:
        self.delay = delay
        self._routes = routes(version)
        self._known: dict[bytes, tuple[Handler, float]] = {}

    def to(self, line: bytes) -> tuple[Handler, float]:
        """Return what answers a request line, and after how many seconds."""
        if line not in self._known:
            self._known[line] = self._found(line)
        return self._known[line]

    def _found(self, line: bytes) -> tuple[Handler, float]:
        method, target = line.decode().split(" ")[:2]
        asked = f"{method} {target.partition('?')[0]}"
        for pattern, maker in self._routes.items():
            if match := pattern.fullmatch(asked):
                return maker(*match.groups()), self.delay if "_predict" in asked else 0.0
        print(f"the replay server has no answer to {asked}", file=sys.stderr, flush=True)
        return (lambda *_: MISSING), 0.0


class Connection(asyncio.BufferedProtocol):
    """One connection. A request is received into a buffer of its own size, and answered when it is complete."""

    def __init__(self, replies: Replies) -> None:
        self._replies, self._room, self._size, self._head, self._needed = replies, bytearray(ROOM), 0, 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is not a subclass

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return the room that is left, which is enough for the request, or for its head while that is not known."""
        return memoryview(self._room)[self._size :]

    def buffer_updated(self, nbytes: int) -> None:
        """Answer the request if it is complete. A client that waits for answers sends nothing after it."""
        self._size += nbytes
        if not self._needed:
            self._measure()
        if self._needed and self._size >= self._needed:
            handler, delay = self._replies.to(bytes(self._room[: self._room.find(b"\r\n")]))
            answer = handler(self._room, self._head, self._needed)
            self._size = self._needed = 0
            if delay:
                asyncio.get_running_loop().call_later(delay, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _measure(self) -> None:
        """Find the end of the head, and the size of the request in it; make room for that."""
        end = self._room.find(END_OF_HEAD, 0, self._size)
        if end >= 0:
            length = LENGTH.search(self._room, 0, end + 2)
            self._head = end + len(END_OF_HEAD)
            self._needed = self._head + (int(length[1]) if length else 0)
        least = max(self._needed, self._size + 1)
        if len(self._room) < least:
            # A new one, because the event loop still holds the old.
            self._room = self._room + bytes(least - len(self._room))


def listening() -> socket.socket:
    """Return a socket at a free port, which the processes share."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    bound.listen(128)
    bound.setblocking(False)
    return bound


async def serve(bound: socket.socket, version: str, delay: float) -> None:
    """Serve until standard input is closed."""
    replies = Replies(version, delay)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(replies), sock=bound)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


@contextmanager
def replaying(*, version: str = "3.8.0", delay: float = 0.0, processes: int = 1, uvloop: bool = False) -> Iterator[str]:
    """Yield the URL of a replay server in its own process."""
    command = [sys.executable, "-m", "benchmarks.replay.server", "--version", version, "--delay", str(delay)]
    command += ["--processes", str(processes), *(["--uvloop"] if uvloop else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # The end of the context closes both pipes, which ends the server.
        yield process.stdout.readline().strip() if process.stdout else ""


def main() -> None:
    """Parse the options, and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="3.8.0", help="of the server, as it tells it")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before a prediction is answered")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--uvloop", action="store_true", help="with the event loop of that package")
    options = parser.parse_args()
    bound = listening()
    print(f"http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
    for _ in range(options.processes - 1):
        if not os.fork():
            break
    if options.uvloop:
        import uvloop

        uvloop.run(serve(bound, options.version, options.delay))
    else:
        asyncio.run(serve(bound, options.version, options.delay))


if __name__ == "__main__":
    main()
