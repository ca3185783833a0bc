"""A provider of embeddings in a process of its own, in the form of OpenAI, which limits its callers and refuses texts.

    python -m benchmarks.provider [--dimension N] [--seconds S] [--most N]

It takes ``--seconds`` for a request, and answers 429 where more than ``--most`` are there at once. A request with a
text that has the word of POISON is refused with 400. It prints its URL.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import orjson
from aiohttp import web

from tests.support.serving import serving

POISON = "forbidden"
# Prepared vectors, of which each text gets one: the provider is not what is measured.
PREPARED = 1_009
THROTTLED = b'{"error":{"message":"Rate limit reached for requests","type":"requests","code":"rate_limit_exceeded"}}'
REFUSED = b'{"error":{"message":"The input is invalid","type":"invalid_request_error","code":"invalid_input"}}'


class Provider:
    """Answers requests; ``most_at_once``, ``throttled`` and ``requests`` say what it saw."""

    def __init__(self, dimension: int, seconds: float, most: int) -> None:
        draws = np.random.default_rng(0).normal(size=(PREPARED, dimension)).astype(np.float32)
        vectors = draws / np.linalg.norm(draws, axis=1, keepdims=True)
        self._vectors = [orjson.dumps([round(float(number), 7) for number in vector]) for vector in vectors]
        self._seconds, self._most = seconds, most
        self.at_once = self.most_at_once = self.throttled = self.requests = 0

    async def embeddings(self, request: web.Request) -> web.Response:
        """Answer one request."""
        texts = orjson.loads(await request.read())["input"]
        self.requests += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.at_once > self._most:
                self.throttled += 1
                return web.Response(status=429, body=THROTTLED, content_type="application/json")
            if self._seconds:
                await asyncio.sleep(self._seconds)
            if any(POISON in text for text in texts):
                return web.Response(status=400, body=REFUSED, content_type="application/json")
            rows = [b'{"embedding":%b}' % self._vectors[zlib.crc32(text.encode()) % PREPARED] for text in texts]
            return web.Response(body=b'{"data":[%b]}' % b",".join(rows), content_type="application/json")
        finally:
            self.at_once -= 1

    async def seen(self, _: web.Request) -> web.Response:
        """Answer with what was seen since the last time."""
        body = {"requests": self.requests, "throttled": self.throttled, "most_at_once": self.most_at_once}
        self.most_at_once = self.throttled = self.requests = 0
        return web.json_response(body)


async def serve(dimension: int, seconds: float, most: int) -> None:
    """Serve until the process is ended."""
    provider, app = Provider(dimension, seconds, most), web.Application()
    app.router.add_post("/v1/embeddings", provider.embeddings)
    app.router.add_get("/seen", provider.seen)
    async with serving(app) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


@contextmanager
def providing(dimension: int, seconds: float = 0.0, most: int = 1_000) -> Iterator[str]:
    """Yield the URL of a provider in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.provider", f"--dimension={dimension}"]
    command += [f"--seconds={seconds}", f"--most={most}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--most", type=int, default=1_000)
    options = parser.parse_args()
    asyncio.run(serve(options.dimension, options.seconds, options.most))
