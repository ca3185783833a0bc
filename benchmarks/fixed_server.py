"""A server that costs nothing: it answers every request with the same CBOR body of embeddings.

As a program it prints its URL, and ends when its standard input is closed; `running` starts and ends it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import cbor2
import numpy as np
from aiohttp import web


def answer(count: int, dimension: int) -> bytes:
    """What a local dense model answers to `return_bytes`, with containers of open length as the real server's are."""
    vectors = np.linspace(-1, 1, count * dimension, dtype="<f4").reshape(count, dimension)
    results = [{"output": [_tensor(vector.tobytes(), dimension)]} for vector in vectors]
    return cbor2.dumps({"inference_results": results}, indefinite_containers=True)


def _tensor(array: bytes, dimension: int) -> dict[str, object]:
    buffer = {"array": array, "order": "LITTLE_ENDIAN"}
    return {"name": "sentence_embedding", "data_type": "FLOAT32", "shape": [dimension], "byte_buffer": buffer}


@contextmanager
def running(count: int, dimension: int) -> Iterator[str]:
    """The URL of such a server in a process of its own."""
    command = [sys.executable, __file__, str(count), str(dimension)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # Leaving closes both pipes, which ends the server.
        yield process.stdout.readline().strip() if process.stdout else ""


async def serve(body: bytes) -> None:
    """Answer until standard input is closed."""

    async def handle(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/cbor")

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(answer(*map(int, sys.argv[1:]))))
