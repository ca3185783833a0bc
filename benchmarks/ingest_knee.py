"""Documents per second and latency of a job: fixed concurrency beside that which the job finds by itself.

    python -m benchmarks.ingest_knee [--url URL] [--model ID] [--seconds N] [--rounds N] [--only local ...]

Three servers: ``local``, a model that works on two requests at once and lets the others wait; ``provider``, a remote
model that takes any number and needs 0.2 s for each; ``refuses``, a remote model with as slow a provider that answers
429 above 8 requests at once. The cluster is an emulator in its own process, or the one at ``--url``, where ``--model``
is a model that is heavy enough to keep its cores busy; the provider runs in this program's other process.

The concurrencies take turns in rounds, and the medians count. Each job runs for so many seconds; what it did in its
first third counts in the column of all its time only. The best fixed concurrency is the smallest with 0.97 of the most
documents/s. The latency is the job's smoothed one, and the limits are the least, the usual and the highest.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import attrs
from aiohttp import web

from aiomlcommons import RemoteModel, Session, connectors
from aiomlcommons.emulator import Emulator
from aiomlcommons.ingest import Documents

MODEL = "all-MiniLM-L6-v2"
WORKERS, SERVICE = 2, 0.3
PROVIDER_SECONDS, PROVIDER_MOST, DIMENSION = 0.2, 8, 64
FIXED = (1, 2, 4, 8, 16)
NOISE = 0.97
TICK = 0.05
SETTINGS = {
    "plugins.ml_commons.trusted_connector_endpoints_regex": [".*"],
    "plugins.ml_commons.connector.private_ip_enabled": True,
}
HEAD = ("concurrency", "documents/s", "of the best", "of all its time", "latency", "of the best", "retries", "limit")
Concurrency: TypeAlias = int | tuple[int, int]


@attrs.frozen
class Run:
    """The result of a job: documents per second, of all of it and once settled; the median of the latency as the
    job's statistics have it; retries; and the least, usual and highest limit."""

    whole: float
    rate: float
    latency: float
    retried: float
    limits: Sequence[float]

    @classmethod
    def median(cls, runs: Sequence[Run]) -> Run:
        """Return the medians of several runs."""
        each = [[getattr(run, name) for run in runs] for name in ("whole", "rate", "latency", "retried")]
        whole, rate, latency, retried = map(median, each)
        limits = [median(some) for some in zip(*(run.limits for run in runs), strict=True)]
        return cls(whole, rate, latency, retried, limits)


Job: TypeAlias = Callable[[Concurrency], Coroutine[Any, Any, Run]]


# ---- the servers -----------------------------------------------------------------------------------------------------


async def serve() -> None:
    """Print the URLs of an emulator and of two providers, and serve until standard input is closed."""
    emulator = Emulator()
    async with (
        emulator.serve() as url,
        Session(url) as ml,
        provider(None) as any_number,
        provider(PROVIDER_MOST) as few,
    ):
        await ml.settings.allow_first_model()
        await ml.models.ensure(MODEL)
        print(url, any_number, few, flush=True)
        # Only the local model has two workers: the other predictions of the emulator wait for their provider.
        pool = emulator.faults.limit(WORKERS, seconds=SERVICE, queue=float("inf"))
        while line := await asyncio.to_thread(sys.stdin.readline):
            pool.resize(WORKERS if line.strip() == "local" else 10_000)
            pool.seconds = SERVICE if line.strip() == "local" else 0.0
            print("ready", flush=True)


@asynccontextmanager
async def provider(most: int | None) -> AsyncGenerator[str]:
    """Serve embeddings as OpenAI does, each request in 0.2 s, and refuse more than ``most`` at once."""
    busy = 0

    async def answer(request: web.BaseRequest) -> web.Response:
        nonlocal busy
        texts = (await request.json())["input"]
        if most is not None and busy >= most:
            return web.json_response({"error": {"message": "Rate limit reached", "type": "requests"}}, status=429)
        busy += 1
        try:
            await asyncio.sleep(PROVIDER_SECONDS)
        finally:
            busy -= 1
        vector = [round(0.01 * n, 2) for n in range(DIMENSION)]
        data = [{"object": "embedding", "index": n, "embedding": vector} for n in range(len(texts))]
        return web.json_response({"object": "list", "data": data, "model": "m", "usage": {}})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}/v1/embeddings".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


@contextmanager
def serving() -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Yield the process of the servers, and their URLs."""
    command = [sys.executable, "-m", "benchmarks.ingest_knee", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # The end of the context closes both pipes, which ends the server.
        yield process, process.stdout.readline().split() if process.stdout else []


# ---- the jobs --------------------------------------------------------------------------------------------------------


def rows() -> Iterator[Mapping[str, str]]:
    """Yield documents without end."""
    return ({"text": f"document {n} tells of {n * 7919 % 10007} things in the valley"} for n in itertools.count())


async def run(url: str, model: str, concurrency: Concurrency, batch: int, seconds: float) -> Run:
    """Run a job until its time is over."""
    latencies: list[float] = []
    limits: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"batch": batch, "concurrency": concurrency, "ordered": False, "id": None}
        options["dead_letters"] = Path(folder) / "dead.jsonl"
        async with Session(url) as ml, ml.ingest(rows(), model=model, sink=taken, **options) as job:
            begun, settled = 0, 0.0
            for tick in range(int(seconds / TICK)):
                await asyncio.sleep(TICK)
                if tick == int(seconds / TICK / 3):
                    begun, settled = job.stats.embedded, job.stats.seconds
                if settled:
                    latencies.append(job.stats.latency)
                    limits.append(job.stats.limit)
            rate = (job.stats.embedded - begun) / (job.stats.seconds - settled)
            whole = job.stats.embedded / job.stats.seconds
            return Run(
                whole, rate, median(latencies), job.stats.retried, (min(limits), round(median(limits)), max(limits))
            )


async def taken(_: Documents) -> None:
    """Discard documents: a sink without costs, since the model is measured."""


@asynccontextmanager
async def remote(url: str, endpoint: str) -> AsyncGenerator[str]:
    """Yield the id of a remote model at an endpoint; remove it afterwards."""
    async with Session(url) as ml:
        await ml.request("PUT", "/_cluster/settings", body={"persistent": SETTINGS})
        connector = connectors.openai_embeddings("m", "k", endpoint=endpoint)
        model = await ml.models.ensure(RemoteModel(name=f"knee at {endpoint}", connector=connector))
        try:
            yield model.model_id
        finally:
            await ml.models.undeploy(model.model_id)
            await ml.models.delete(model.model_id)


def measure(name: str, job: Job, fixed: Sequence[int], most: int, rounds: int) -> None:
    """Let the concurrencies take turns in rounds, and print a line of medians for each."""
    choices: list[Concurrency] = [*fixed, (1, most)]
    turns = [{concurrency: asyncio.run(job(concurrency)) for concurrency in choices} for _ in range(rounds)]
    found = {concurrency: Run.median([turn[concurrency] for turn in turns]) for concurrency in choices}
    top = max(found[count].rate for count in fixed)
    best = found[min(count for count in fixed if found[count].rate >= NOISE * top)]
    print(f"\n{name}\n" + "| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for concurrency, one in found.items():
        words = "found" if isinstance(concurrency, tuple) else f"{concurrency}{' (best)' if one is best else ''}"
        rates = f"{one.rate:,.0f} | {one.rate / best.rate:.2f} | {one.whole:,.0f}"
        latency = f"{1000 * one.latency:,.0f} ms | {one.latency / best.latency:.2f}"
        limits = "-".join(f"{limit:.0f}" for limit in one.limits)
        print(f"| {words} | {rates} | {latency} | {one.retried:.0f} | {limits} |")
    sys.stdout.flush()


async def with_provider(url: str, endpoint: str, batch: int, seconds: float, concurrency: Concurrency) -> Run:
    """Run a job with the remote model at an endpoint."""
    async with remote(url, endpoint) as model:
        return await run(url, model, concurrency, batch, seconds)


async def with_local(url: str, model: str, batch: int, seconds: float, concurrency: Concurrency) -> Run:
    """Run a job with a model of the cluster."""
    return await run(url, model, concurrency, batch, seconds)


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a real cluster")
    parser.add_argument("--model", default=MODEL, help="id or name of its local model")
    parser.add_argument("--seconds", type=float, default=9, help="for each job")
    parser.add_argument("--local-seconds", type=float, default=20, help="for each job with the local model")
    parser.add_argument("--fixed", type=int, nargs="+", default=FIXED)
    parser.add_argument("--most", type=int, default=64, help="upper bound of the concurrency to be found")
    parser.add_argument(
        "--only", nargs="+", choices=("local", "provider", "refuses"), default=("local", "provider", "refuses")
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--local-batch", type=int, default=4)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    with serving() as (process, (emulated, any_number, few)):
        url = options.url or emulated
        for name in options.only:
            if process.stdin is None or process.stdout is None:
                raise AssertionError("the servers have no pipes")
            print(name, file=process.stdin, flush=True)
            process.stdout.readline()
            if name == "local":
                job: Job = partial(with_local, url, options.model, options.local_batch, options.local_seconds)
            else:
                endpoint = few if name == "refuses" else any_number
                job = partial(with_provider, url, endpoint, options.batch, options.seconds)
            measure(name, job, options.fixed, options.most, options.rounds)


if __name__ == "__main__":
    main()
