"""A server without costs: it sends the same body to every request, embeddings as CBOR unless it is a sink.

As a program it prints its URL, and ends when its standard input is closed; `running` starts and ends it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import cbor2
import numpy as np
from aiohttp import web


def answer(count: int, dimension: int) -> bytes:
    """Return the response of a local dense model to `return_bytes`, with indefinite-length CBOR as on a real server."""
    vectors = np.linspace(-1, 1, count * dimension, dtype="<f4").reshape(count, dimension)
    results = [{"output": [_tensor(vector.tobytes(), dimension)]} for vector in vectors]
    return cbor2.dumps({"inference_results": results}, indefinite_containers=True)


def _tensor(array: bytes, dimension: int) -> dict[str, object]:
    buffer = {"array": array, "order": "LITTLE_ENDIAN"}
    return {"name": "sentence_embedding", "data_type": "FLOAT32", "shape": [dimension], "byte_buffer": buffer}


def running(count: int, dimension: int) -> AbstractContextManager[str]:
    """Yield the URL of such a server in its own process."""
    return _running(str(count), str(dimension))


def running_sink() -> AbstractContextManager[str]:
    """Yield the URL of a server that discards what it is sent, and reports the upload of a chunk."""
    return _running()


@contextmanager
def _running(*arguments: str) -> Iterator[str]:
    command = [sys.executable, __file__, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # The end of the context closes both pipes, which ends the server.
        yield process.stdout.readline().strip() if process.stdout else ""


async def serve(body: bytes, content_type: str) -> None:
    """Serve until standard input is closed."""

    async def handle(request: web.BaseRequest) -> web.Response:
        async for _ in request.content.iter_any():
            pass
        return web.Response(body=body, content_type=content_type)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    if numbers:
        asyncio.run(serve(answer(*numbers), "application/cbor"))
    else:
        asyncio.run(serve(b'{"status": "Uploaded", "model_state": "REGISTERING"}', "application/json"))
