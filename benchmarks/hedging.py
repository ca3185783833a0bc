"""The tail of predictions with hedging and without it, where one of three nodes is slow.

    python -m benchmarks.hedging [--calls N] [--callers N]

Three nodes respond after 10 ms. One of them is slow, by 0.5 s: in 3 %, 10 % or all of its requests. Requests that are
sent twice are counted in the nodes.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import numpy as np
import orjson
from aiohttp import web

from aiomlcommons import Hedge, Session
from tests.support.serving import serving

SERVICE, SLOW = 0.01, 0.5
SHARES = (0.03, 0.1, 1.0)
CHOICES = (None, Hedge(after=0.05), Hedge(after=0.05, cap=0.5))
BODY = orjson.dumps({"inference_results": [{"output": [{"name": "sentence_embedding", "data": [0.5] * 4}]}]})
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]


def node(share: float) -> web.Application:
    """Return a node that is slow in a share of its requests."""
    chance = random.Random(0)  # noqa: S311 - the same in each run

    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(SERVICE + (SLOW if chance.random() < share else 0))
        return web.Response(body=BODY, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def measure(share: float, hedge: Hedge | None, calls: int, callers: int) -> str:
    """Return a line of the table."""
    seconds: list[float] = []
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(node(slow))) for slow in (share, 0, 0)]
        ml = await stack.enter_async_context(Session(urls, hedge=hedge))
        left = iter(range(calls))

        async def caller() -> None:
            while next(left, None) is not None:
                began = time.perf_counter()
                await ml.predict("text_embedding", "m", text_docs=["a text"])
                seconds.append(time.perf_counter() - began)

        await asyncio.gather(*(caller() for _ in range(callers)))
        sent = [one.calls for one in ml.nodes]
    p50, p99, most = np.percentile(np.array(seconds) * 1000, [50, 99, 100])
    twice = (sum(sent) - calls) / calls
    return (
        f"{share:>5.0%} {_named(hedge):<22} {p50:>7.1f} {p99:>7.1f} {most:>7.1f} ms   {twice:>6.2%} sent twice  {sent}"
    )


def _named(hedge: Hedge | None) -> str:
    return "not hedged" if hedge is None else f"after {hedge.after} s, cap {hedge.cap:.0%}"


async def table(calls: int, callers: int) -> None:
    """Print the table."""
    print(f"{'slow':>5} {'':<22} {'p50':>7} {'p99':>7} {'most':>7}")
    for share in SHARES:
        for hedge in CHOICES:
            print(await measure(share, hedge, calls, callers), flush=True)


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=3_000)
    parser.add_argument("--callers", type=int, default=8)
    options = parser.parse_args()
    asyncio.run(table(options.calls, options.callers))


if __name__ == "__main__":
    main()
