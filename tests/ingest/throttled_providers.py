"""Jobs over providers that throttle 30 % of all requests, each in its own way.

``python -m tests.ingest.throttled_providers [DOCUMENTS [URL]]`` prints how many documents each job lost, and its
requests beside those of the same job where the provider sends a plain 429. It runs on the emulator, or on the cluster
at the URL.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from aiomlcommons import Backoff, RemoteModel, Session, connectors, emulator
from aiomlcommons.ingest import Documents
from aiomlcommons.ingest.stats import Report
from tests.support.provider_examples import Example
from tests.support.throttling_provider import WAYS, Provider, throttling

BATCH = 8
SETTINGS = {
    "plugins.ml_commons.trusted_connector_endpoints_regex": [".*"],
    "plugins.ml_commons.connector.private_ip_enabled": True,
}
HEAD = ("provider", "status", "documents", "written", "lost", "requests", "throttled", "with plain 429")


@attrs.frozen
class Outcome:
    """A job's report, what its provider counted, and the status with which it throttled."""

    report: Report
    provider: Provider
    status: int


@asynccontextmanager
async def remote_model(url: str, endpoint: str) -> AsyncGenerator[tuple[Session, str]]:
    """Open a session with a cluster, and yield it with the id of a remote model at an endpoint."""
    async with Session(url) as ml:
        await ml.request("PUT", "/_cluster/settings", body={"persistent": SETTINGS})
        connector = connectors.openai_embeddings("m", "k", endpoint=endpoint)
        model = await ml.models.ensure(RemoteModel(name=f"throttled at {endpoint}", connector=connector))
        try:
            yield ml, model.model_id
        finally:
            await ml.models.undeploy(model.model_id)
            await ml.models.delete(model.model_id)


async def job(url: str, refusal: Example, documents: int, folder: Path, **options: Any) -> Outcome:
    """Run a job of some documents against a provider that throttles; return its outcome."""
    written: list[str] = []

    async def sink(batch: Documents) -> None:
        written.extend(batch.ids)

    provider = throttling(refusal)
    rows = [{"id": str(number), "text": f"text number {number}"} for number in range(documents)]
    settings = {"batch": BATCH, "backoff": Backoff(first=0, cap=0), "dead_letters": folder / "dead", **options}
    async with provider.serve() as endpoint, remote_model(url, endpoint) as (ml, model_id):
        async with ml.ingest(rows, model=model_id, sink=sink, **settings) as running:
            report = await running
    assert len(set(written)) == len(written) == report.written
    return Outcome(report, provider, refusal.status)


async def outcomes(ways: Sequence[str], documents: int, url: str | None = None) -> dict[str, Outcome]:
    """Run a job for each way of throttling; return the outcomes by name."""
    with TemporaryDirectory() as folder:
        if url is not None:
            return {name: await job(url, WAYS[name], documents, Path(folder)) for name in ways}
        async with emulator.serve() as emulated:
            return {name: await job(emulated, WAYS[name], documents, Path(folder)) for name in ways}


def main(documents: int, url: str | None) -> int:
    """Print the table; return the number of jobs that lost documents."""
    # A status that OpenSearch does not know is never answered by a real cluster.
    found = asyncio.run(outcomes([name for name in WAYS if url is None or WAYS[name].status != 529], documents, url))
    plain = found["plain 429"].provider.requests
    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for name, outcome in found.items():
        report, provider = outcome.report, outcome.provider
        counts = (documents, report.written, report.failed, provider.requests, provider.refused, plain)
        print("| " + " | ".join(map(str, (name, outcome.status, *counts))) + " |")
    return sum(outcome.report.written < documents for outcome in found.values())


if __name__ == "__main__":
    count, address = [*sys.argv[1:], *(None, None)][:2]
    sys.exit(main(int(count or 1000), address))
