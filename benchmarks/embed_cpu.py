"""CPU cost of an embedding for the client: `ml.embed` compared with a bare aiohttp loop over the same bytes.

    python -m benchmarks.embed_cpu [--rounds N] [--batches N]

The bare loop sends prebuilt requests and reads the responses without decoding them: the lower bound over aiohttp. The
variants take turns in this process, against a server in another one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import TypeAlias

import aiohttp

from aiomlcommons import HttpRequest, Session
from aiomlcommons.api.predict import Predict
from aiomlcommons.http import CBOR
from aiomlcommons.wire.codec import to_http
from benchmarks.fixed_server import running

BATCH = 64
DIMENSION = 384
IN_FLIGHT = 4
MODEL = "a-model"
TEXT = "A soft answer turneth away wrath: but grievous words stir up anger. This is text {} of many."

Way: TypeAlias = Callable[[], Awaitable[int]]
"""Fetches the vectors of all texts and returns their number."""


def ready_made(texts: Sequence[str]) -> list[HttpRequest]:
    """Return the requests that `ml.embed` will send."""
    parts = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    asked = [Predict("text_embedding", MODEL, text_docs=t, return_bytes=True, return_number=False) for t in parts]
    return [to_http(request).with_headers({"accept": CBOR}) for request in asked]


def bare(client: aiohttp.ClientSession, requests: Sequence[HttpRequest]) -> Way:
    """Send the requests, and read the bytes."""

    async def work(left: Iterator[HttpRequest]) -> int:
        count = 0
        for request in left:
            async with client.post(request.path, data=request.body, headers=request.headers) as answer:
                count += BATCH if await answer.read() else 0
        return count

    async def run() -> int:
        left = iter(requests)
        return sum(await asyncio.gather(*(work(left) for _ in range(IN_FLIGHT))))

    return run


def by_batch(ml: Session, texts: Sequence[str]) -> Way:
    """Run `ml.embed` by batches."""

    async def run() -> int:
        async with ml.embed(MODEL, texts, batch=BATCH, concurrency=IN_FLIGHT) as embedded:
            return sum([batch.vectors.shape[0] async for batch in embedded.batches()])

    return run


def by_row(ml: Session, texts: Sequence[str]) -> Way:
    """Run `ml.embed` row by row."""

    async def run() -> int:
        async with ml.embed(MODEL, texts, batch=BATCH, concurrency=IN_FLIGHT) as embedded:
            return sum([vector.ndim async for _, vector in embedded])

    return run


async def cpu(way: Way, expected: int) -> float:
    """Return the CPU seconds of this process for each embedding."""
    gc.collect()
    started = time.process_time()
    count = await way()
    spent = time.process_time() - started
    if count != expected:
        raise RuntimeError(f"{count} embeddings came back for {expected} texts")
    return spent / count


async def measure(url: str, rounds: int, batches: int) -> dict[str, list[float]]:
    """Return the costs of each variant, after a warm-up round."""
    texts = [TEXT.format(i) for i in range(batches * BATCH)]
    async with aiohttp.ClientSession(url) as client, Session(url) as ml:
        ways = {
            "bare aiohttp": bare(client, ready_made(texts)),
            "ml.embed, by batch": by_batch(ml, texts),
            "ml.embed, by row": by_row(ml, texts),
        }
        turns = [{name: await cpu(way, len(texts)) for name, way in ways.items()} for _ in range(rounds + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in ways}


def report(costs: Mapping[str, Sequence[float]]) -> None:
    """Print a table of costs and of their ratio to the bare loop, the median over all rounds."""
    base = costs["bare aiohttp"]
    print(f"{'CPU for each embedding':24} {'median':>9} {'fastest':>9} {'ratio':>6}")
    for name, some in costs.items():
        ratio = median(cost / least for cost, least in zip(some, base, strict=True))
        print(f"{name:24} {1e6 * median(some):6.2f} us {1e6 * min(some):6.2f} us {ratio:6.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batches", type=int, default=200, help=f"of {BATCH} texts, in each turn")
    options = parser.parse_args()
    with running(BATCH, DIMENSION) as server:
        report(asyncio.run(measure(server, options.rounds, options.batches)))
