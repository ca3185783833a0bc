"""CPU cost of spans and metrics for a call: without OpenTelemetry, with its API only, and with a recording SDK.

    python -m benchmarks.tracing [--rounds N] [--calls N]

The transport answers in this process, so that nothing but the package's own work is measured. Each way is a fresh
Python, because a provider can be set only once; they take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median
from typing import TypeAlias

import numpy as np
import orjson

from aiomlcommons import HttpRequest, HttpResponse, Session, Timeout

DIMENSION = 384
OFF, SWITCHED_OFF, NO_OP, SAMPLED_OUT, RECORDING = "off", "switched off", "no-op API", "not sampled", "recording"
WAYS = (OFF, SWITCHED_OFF, NO_OP, SAMPLED_OUT, RECORDING)
"""No OpenTelemetry; the SDK, but not for this package; the API without a provider; the SDK, sampling none; all."""

Call: TypeAlias = Callable[[], Awaitable[object]]


def _set_up(way: str) -> Callable[[], None]:
    """Set OpenTelemetry up, and return what forgets the spans that were recorded."""
    if way == OFF:
        return lambda: None
    from opentelemetry import metrics, trace

    if way == NO_OP:
        return lambda: None
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

    exporter = InMemorySpanExporter()
    tracers = TracerProvider(sampler=ALWAYS_OFF if way == SAMPLED_OUT else ALWAYS_ON)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracers)
    if way != SAMPLED_OUT:
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    return exporter.clear


async def _respond(request: HttpRequest, _: Timeout) -> HttpResponse:
    if "_predict" not in request.path:
        return HttpResponse(200, b'{"name": "m", "model_state": "DEPLOYED"}', {"content-type": "application/json"})
    return HttpResponse(200, VECTOR, {"content-type": "application/json"})


VECTOR = orjson.dumps(
    {"inference_results": [{"output": [{"data_type": "FLOAT32", "shape": [DIMENSION], "data": [0.5] * DIMENSION}]}]}
)


async def _cost(call: Call, calls: int) -> float:
    """Return the CPU seconds of a call."""
    gc.collect()
    started = time.process_time()
    for _ in range(calls):
        await call()
    return (time.process_time() - started) / calls


async def one_way(way: str, calls: int) -> list[float]:
    """Return the microseconds of ``models.get``, and of ``embed_many`` of one text, the least of some runs."""
    forget = _set_up(way)
    async with Session("http://cluster", transport=_respond) as ml:

        async def get() -> object:
            return await ml.models.get("m")

        async def embed() -> object:
            return await ml.embed_many("m", ["a"])

        least = []
        for call in (get, embed):
            some = []
            for _ in range(5):
                some.append(await _cost(call, calls))
                forget()
            least.append(1e6 * min(some))
    return least


def in_turns(rounds: int, calls: int) -> Mapping[str, Sequence[Sequence[float]]]:
    """Return the costs of each way in each round."""
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            command = [sys.executable, "-m", "benchmarks.tracing", "--calls", str(calls), "--way", way]
            switch = {"OTEL_PYTHON_INSTRUMENTATION_AIOMLCOMMONS_ENABLED": "false" if way == SWITCHED_OFF else "true"}
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env={**os.environ, **switch})
            found[way].append(orjson.loads(done.stdout))
    return found


def report(found: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Print a table: the cost of each call, what the way adds to it, and the ratio, all medians of the rounds."""
    heads = "".join(f"{call:>12} {'added':>9} {'ratio':>6} " for call in ("models.get", "embed_many"))
    print(f"{'CPU for each call':14}{heads}")
    base = [np.median(column) for column in zip(*found[OFF], strict=True)]
    for way, turns in found.items():
        print(f"{way:17}", end="")
        for number, column in enumerate(zip(*turns, strict=True)):
            cost = median(column)
            print(f"{cost:9.1f} us {cost - base[number]:6.1f} us {cost / base[number]:6.2f}", end=" ")
        print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--way", choices=WAYS, help="print the costs of one way as JSON")
    options = parser.parse_args()
    if options.way:
        print(orjson.dumps(asyncio.run(one_way(options.way, options.calls))).decode())
    else:
        report(in_turns(options.rounds, options.calls))
