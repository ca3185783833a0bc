"""The cluster of a soak, as a process: ``python -m tests.reliability.soak_cluster FOLDER PORT PROVIDER_PORT``.

It is an emulator with an index and a provider of chats, whose state is in the folder as on a disk, so that it can be
killed and started again. What is asked under ``/_soak`` tells it how to misbehave, and looks into its index. It prints
its port and that of the provider.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from aiohttp import web

from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.emulator.errors import HEAP_FULL, Refused, breaker_open, circuit_broken, refused
from aiomlcommons.emulator.faults import Action, cut_answer, drop_connection, latency, refuse
from tests.support import model_server
from tests.support.bulk_server import BulkServer, answer, knn
from tests.support.dying_cluster import Disk, Mortal

DIMENSION = 384
CONTROL = "/_soak"


async def garbage(request: web.BaseRequest, _: Any) -> web.StreamResponse:
    """Answer in another protocol."""
    assert request.transport is not None
    request.transport.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    request.transport.close()
    return web.Response()


TROUBLE: Mapping[str, Action] = {
    "429": refuse(refused(429, "status_exception", "Request is throttled at model level.")),
    "429 with Retry-After": refuse(Refused(429, None, {"retry-after": "1"})),
    "500": refuse(refused(500, "status_exception", "boom")),
    "503": refuse(Refused(503, None)),
    "the parent breaker is open": refuse(circuit_broken()),
    "the heap breaker is open": refuse(breaker_open(HEAP_FULL)),
    "connections are dropped": drop_connection,
    "answers are cut off": cut_answer,
    "answers are garbage": garbage,
    "answers are slow": latency(0.4),
}
"""What may become of half of the requests, by name."""


@attrs.define
class SoakCluster(Mortal):
    """A cluster that misbehaves as it is told: ``trouble`` is what becomes of half of the requests, if anything."""

    trouble: str = ""

    async def troubles(self, request: web.BaseRequest, go: Any) -> Any:
        """Answer a request, or misbehave."""
        if self.trouble and self.emulator.faults.random.random() < 0.5:
            return await TROUBLE[self.trouble](request, go)
        return await go()

    async def controls(self, request: web.BaseRequest, _: Any) -> Any:
        """Take a trouble, show the documents whose ids have a prefix, or forget them."""
        what, prefix = request.path.removeprefix(f"{CONTROL}/"), request.query.get("prefix", "")
        if what == "trouble":
            self.trouble = request.query.get("name", "")
        chosen = {key: one for key, one in self.index.documents.items() if key.startswith(prefix)}
        if what == "forget":
            self.index.documents = {key: one for key, one in self.index.documents.items() if key not in chosen}
            self.index.writes.clear()
            self.index.sizes.clear()
            (self.disk.folder / "documents.jsonl").unlink(missing_ok=True)
            self.disk.append(self.index.documents)
        return answer(chosen if what == "documents" else {"acknowledged": True})

    async def soak(self, port: int, provider_port: int) -> None:
        """Serve until it is killed."""
        self.emulator.faults.add(self.controls, on=lambda http: http.path.startswith(CONTROL), times=None)
        self.emulator.faults.add(self.troubles, on=lambda http: not http.path.startswith(CONTROL), times=None)
        async with model_server.serve(port=provider_port) as url:
            print(url.rpartition(":")[2], flush=True)
            await self.serve(port)


def trim(folder: Path) -> None:
    """Cut off the line that was being written when the process was killed: it was not acknowledged."""
    path = folder / "documents.jsonl"
    if path.exists():
        data = path.read_bytes()
        path.write_bytes(data[: data.rfind(b"\n") + 1])


def main(folder: Path, port: int, provider_port: int) -> None:
    """Serve with the state in the folder."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # of clients that left, and troubles of ours
    trim(folder)
    emulator, index = Emulator(Cluster(version="3.8.0", streams=True)), BulkServer(knn(DIMENSION))
    cluster = SoakCluster(Disk(folder), 0, "kill", emulator=emulator, index=index)
    asyncio.run(cluster.soak(port, provider_port))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
