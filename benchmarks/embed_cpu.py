"""CPU cost of an embedding for the client: ``ml.embed`` compared with a bare aiohttp loop over the same bytes.

    python -m benchmarks.embed_cpu [--rounds N] [--texts N] [--uvloop]

The bare loop sends prebuilt requests and reads the responses without decoding them: the lower bound over aiohttp. The
others make numpy arrays: the package, opensearch-py as it is usually used (the client parses JSON, and numpy takes the
lists), and a loop by hand over aiohttp and orjson. The variants take turns in this process, against a replay server in
another one. Local models answer with bytes in CBOR to those that ask for them, and with numbers in JSON to the others;
remote models with numbers, in CBOR or JSON.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import aiohttp
import attrs
import numpy as np
import orjson
from opensearchpy import AsyncOpenSearch

from aiomlcommons import HttpRequest, Session
from aiomlcommons.api.predict import Predict
from aiomlcommons.http import CBOR
from aiomlcommons.wire.codec import to_http
from benchmarks.loops import run
from benchmarks.replay.limit import TEXT
from benchmarks.replay.server import replaying
from benchmarks.turns import Table, Way, in_turns

IN_FLIGHT = 4
BARE = "bare aiohttp reads the bytes"
PATH = "/_plugins/_ml/_predict/text_embedding/{}"


@attrs.frozen
class Case:
    """A model, and how many texts travel in a request. ``usual`` is the model whose answers others read, as JSON."""

    name: str
    model: str
    batch: int
    usual: str


CASES = (
    Case("local, 384 dims, 32 a batch", "local-384", 32, "json-384"),
    Case("local, 768 dims, 64 a batch", "local-768", 64, "json-768"),
    Case("remote, CBOR numbers, 384 dims, 32 a batch", "remote-384", 32, "json-384"),
    Case("remote, CBOR numbers, 768 dims, 64 a batch", "remote-768", 64, "json-768"),
    Case("remote, JSON numbers, 384 dims, 32 a batch", "json-384", 32, "json-384"),
    Case("remote, JSON numbers, 768 dims, 64 a batch", "json-768", 64, "json-768"),
)


@attrs.frozen
class Clients:
    """The clients of a comparison, which all have a connection pool of their own."""

    ml: Session
    http: aiohttp.ClientSession
    opensearch: AsyncOpenSearch


def ready_made(case: Case, texts: Sequence[str]) -> list[HttpRequest]:
    """Return the requests that ``ml.embed`` sends."""
    parts = batches(case, texts)
    asked = [Predict("text_embedding", case.model, text_docs=t, return_bytes=True, return_number=False) for t in parts]
    return [to_http(request).with_headers({"accept": CBOR}) for request in asked]


def batches(case: Case, texts: Sequence[str]) -> list[Sequence[str]]:
    """Return the texts in batches."""
    return [texts[start : start + case.batch] for start in range(0, len(texts), case.batch)]


def at_once(items: Sequence[Any], one: Callable[[Any], Awaitable[int]]) -> Way:
    """Work on the items, some at once."""

    async def work(left: Iterator[Any]) -> int:
        return sum([await one(item) for item in left])

    async def all_of_them() -> int:
        left = iter(items)
        return sum(await asyncio.gather(*(work(left) for _ in range(IN_FLIGHT))))

    return all_of_them


def bare(clients: Clients, case: Case, texts: Sequence[str]) -> Way:
    """Send ready-made requests, and read the bytes."""

    async def one(request: HttpRequest) -> int:
        async with clients.http.post(request.path, data=request.body, headers=request.headers) as answer:
            return case.batch if await answer.read() else 0

    return at_once(ready_made(case, texts), one)


def by_hand(clients: Clients, case: Case, texts: Sequence[str]) -> Way:
    """Post by aiohttp, parse by orjson, and make an array."""
    headers = {"content-type": "application/json"}

    async def one(batch: Sequence[str]) -> int:
        body = orjson.dumps({"text_docs": batch, "return_number": True})
        async with clients.http.post(PATH.format(case.usual), data=body, headers=headers) as answer:
            return len(_array(orjson.loads(await answer.read())))

    return at_once(batches(case, texts), one)


def opensearch_py(clients: Clients, case: Case, texts: Sequence[str]) -> Way:
    """Ask opensearch-py's transport, and make an array of the lists it returns."""

    async def one(batch: Sequence[str]) -> int:
        body = {"text_docs": batch, "return_number": True}
        return len(
            _array(await clients.opensearch.transport.perform_request("POST", PATH.format(case.usual), body=body))
        )

    return at_once(batches(case, texts), one)


def _array(answer: Mapping[str, Any]) -> Any:
    tensors = [tensor["data"] for result in answer["inference_results"] for tensor in result["output"]]
    return np.array(tensors, np.float32)


def by_batch(clients: Clients, case: Case, texts: Sequence[str]) -> Way:
    """Run ``ml.embed`` by batches."""

    async def embed() -> int:
        async with clients.ml.embed(case.model, texts, batch=case.batch, concurrency=IN_FLIGHT) as embedded:
            return sum([batch.vectors.shape[0] async for batch in embedded.batches()])

    return embed


def by_row(clients: Clients, case: Case, texts: Sequence[str]) -> Way:
    """Run ``ml.embed`` row by row."""

    async def embed() -> int:
        async with clients.ml.embed(case.model, texts, batch=case.batch, concurrency=IN_FLIGHT) as embedded:
            return sum([vector.ndim async for _, vector in embedded])

    return embed


WAYS: Mapping[str, Callable[[Clients, Case, Sequence[str]], Way]] = {
    BARE: bare,
    "ml.embed, by batch": by_batch,
    "ml.embed, by row": by_row,
    "aiohttp and orjson by hand, to numpy": by_hand,
    "opensearch-py async, to numpy": opensearch_py,
}


async def measure(url: str, cases: Sequence[Case], rounds: int, count: int, loop: str = "") -> list[Table]:
    """Return a table for each case."""
    tables = []
    async with aiohttp.ClientSession(url) as http, Session(url) as ml, AsyncOpenSearch(url) as opensearch:
        for case in cases:
            texts = [TEXT.format(i) for i in range(count // case.batch * case.batch)]
            ways = {name: way(Clients(ml, http, opensearch), case, texts) for name, way in WAYS.items()}
            costs = await in_turns(ways, rounds, len(texts))
            tables.append(Table(case.name + loop, "embedding", costs, dict.fromkeys(costs, (BARE,))))
            tables[-1].show()
    return tables


def tables(rounds: int, texts: int, *, uvloop: bool = False, cases: Sequence[Case] = CASES) -> list[Table]:
    """Measure against a new server; print the tables and return them."""
    with replaying() as url:
        return run(measure(url, cases, rounds, texts, ", uvloop" if uvloop else ""), uvloop=uvloop)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=6400, help="in each turn")
    parser.add_argument("--uvloop", action="store_true", help="with the event loop of that package")
    options = parser.parse_args()
    tables(options.rounds, options.texts, uvloop=options.uvloop)
