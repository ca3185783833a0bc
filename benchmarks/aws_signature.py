"""Cost of a signature of AWS, and what of it is on the event loop's thread: AwsAuth beside opensearch-py and botocore.

    python -m benchmarks.aws_signature [--rounds N]

opensearch-py's signer and botocore's ``add_auth`` are given the same request with the headers that a client sends. They
run where they are called, which is the event loop in an async program. The variants take turns in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from statistics import median

import botocore.session
from anyio.to_thread import run_sync
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from opensearchpy import AWSV4SignerAsyncAuth

from aiomlcommons import AwsAuth, HttpRequest

REGION, SERVICE = "eu-west-1", "es"
BASE = f"https://search-mine-abcdefghijklmnopqrstuvwxyz.{REGION}.es.amazonaws.com"
PATH = "/_plugins/_ml/_predict/text_embedding/LWGLqZkBfWJjFPYd3fHa"
HEADERS = {"content-type": "application/json", "accept": "application/cbor", "x-opaque-id": "a" * 45}
SIZES = {"small body (500 B)": 500, "5 MB": 5 * 2**20}

Way = Callable[[], Awaitable[object]]


def ways(body: bytes) -> Mapping[str, Way]:
    """Return what is compared: ways to sign one request."""
    session = botocore.session.Session()
    session.set_credentials("ASIAEXAMPLEEXAMPLE00", "s" * 40, "t" * 900)
    credentials = session.get_credentials()
    request = HttpRequest("POST", PATH, {}, body, HEADERS, BASE)
    ours = AwsAuth(REGION, "es", session)
    theirs = AWSV4SignerAsyncAuth(credentials, REGION, SERVICE)

    async def by_botocore() -> object:
        made = AWSRequest("POST", BASE + PATH, HEADERS, body)
        SigV4Auth(credentials.get_frozen_credentials(), SERVICE, REGION).add_auth(made)
        return made

    async def by_opensearch_py() -> object:
        return theirs("POST", BASE + PATH, body, dict(HEADERS))

    return {
        "AwsAuth": lambda: ours.headers(request),
        "opensearch-py": by_opensearch_py,
        "botocore": by_botocore,
    }


async def cost(way: Way, times: int) -> tuple[float, float]:
    """Return the seconds of a signature, and those of the event loop's thread."""
    started, spent = time.perf_counter(), time.thread_time()
    for _ in range(times):
        await way()
    return (time.perf_counter() - started) / times, (time.thread_time() - spent) / times


async def measure(size: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return the costs of each way in each round, after a warm-up."""
    compared = ways(b"x" * size)
    times = max(3, min(500, 20_000_000 // (size + 1)))
    turns = [{name: await cost(way, times) for name, way in compared.items()} for _ in range(rounds + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in compared}


def report(title: str, costs: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Print a table: the median of a signature, of the loop's thread, and the ratios to opensearch-py."""
    base = costs["opensearch-py"]
    print(f"{title:20} {'whole':>10} {'on the loop':>12} {'ratio':>6} {'on the loop':>12}")
    for name, some in costs.items():
        whole, loop = (
            median(own[part] / other[part] for own, other in zip(some, base, strict=True)) for part in (0, 1)
        )
        seconds, on_loop = (median(own[part] for own in some) for part in (0, 1))
        print(f"{name:20} {1e6 * seconds:7.0f} us {1e6 * on_loop:9.0f} us {whole:6.2f} {loop:12.2f}")


async def hashing(rounds: int) -> None:
    """Print what a body costs the loop's thread if it is hashed there, and in a thread: why ``net.aws.LARGE``."""
    for size in (32, 64, 128, 256, 512):
        body = b"x" * (size * 1024)

        async def here(body: bytes = body) -> object:
            return sha256(body)

        async def in_thread(body: bytes = body) -> object:
            return await run_sync(sha256, body)

        pairs = [((await cost(here, 200))[1], (await cost(in_thread, 200))[1]) for _ in range(rounds)]
        direct, hop = (1e6 * median(pair[part] for pair in pairs) for part in (0, 1))
        print(f"hash of {size:4} KiB on the loop: {direct:5.0f} us; in a thread: {hop:5.0f} us of the loop's")


async def main(rounds: int) -> None:
    """Print all tables."""
    for title, size in SIZES.items():
        report(title, await measure(size, rounds))
    await hashing(rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    asyncio.run(main(parser.parse_args().rounds))
