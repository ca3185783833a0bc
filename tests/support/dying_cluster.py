"""A cluster that crashes: ``python -m tests.support.dying_cluster FOLDER PORT PREDICTIONS HOW``.

It serves a cluster and an index, and prints its URL. Its state is in the folder, as on a disk. At the given prediction
it is killed (``kill``) or stops (``stop``); the next process continues with the stored state, as after a restart:
records survive, the state of the node is lost, and shards recover for a while. With 0 predictions it runs until it is
ended.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Any

import attrs
import orjson
from aiohttp import web

from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.http import HttpRequest
from tests.support.bulk_server import BulkServer

# The number of requests that are refused after a start.
RECOVERING = 7
KEPT = ("uuid", "node_id", "settings", "credentials", "chunks", "_next_id")
INDEX = "/verses"
RANKS = {"properties": {"embedding": {"type": "rank_features"}}}


@attrs.define
class Disk:
    """The durable state of a cluster: its records, in a file replaced atomically, and the documents of its index."""

    folder: Path

    @property
    def state(self) -> Path:
        """The file of the records."""
        return self.folder / "cluster.pickle"

    def keep(self, emulator: Emulator) -> None:
        """Store all records."""
        cluster = emulator.cluster
        records = {index.name: {key: one.source for key, one in index.documents.items()} for index in cluster.indices()}
        part = self.state.with_suffix(".part")
        part.write_bytes(pickle.dumps(({name: getattr(cluster, name) for name in KEPT}, records)))
        part.replace(self.state)

    def restore(self, emulator: Emulator) -> None:
        """Load the stored records."""
        cluster = emulator.cluster
        if not self.state.exists():
            return
        kept, records = pickle.loads(self.state.read_bytes())  # noqa: S301 - we wrote it ourselves
        for name, value in kept.items():
            setattr(cluster, name, value)
        for index in cluster.indices():
            for key, source in records.get(index.name, {}).items():
                index.put(key, source)
        emulator.restart(recovering=RECOVERING)

    def documents(self) -> dict[str, Any]:
        """Return the documents of the index by id, without a half-written one, which was never acknowledged."""
        path = self.folder / "documents.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return dict(map(orjson.loads, lines))

    def append(self, documents: dict[str, Any]) -> None:
        """Append documents of the index."""
        with (self.folder / "documents.jsonl").open("ab") as file:
            file.writelines(orjson.dumps(pair, option=orjson.OPT_APPEND_NEWLINE) for pair in documents.items())


@attrs.define
class Mortal:
    """An emulator that ends at a prediction, without a response to it."""

    disk: Disk
    left: int
    how: str
    emulator: Emulator = attrs.field(factory=Emulator)
    index: BulkServer = attrs.field(factory=lambda: BulkServer({"mappings": RANKS}))
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def predicts(self, _: web.BaseRequest, go: Any) -> Any:
        """Answer a prediction, or end."""
        self.left -= 1
        if self.left == 0 and self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.left == 0:
            self.ended.set()
            await asyncio.Event().wait()
        return await go()

    async def changes(self, _: web.BaseRequest, go: Any) -> Any:
        """Answer, and store what has changed."""
        answer = await go()
        self.disk.keep(self.emulator)
        return answer

    async def indexes(self, request: web.BaseRequest, _: Any) -> Any:
        """Answer a request to the index; acknowledged documents are durable."""
        before = dict(self.index.documents)
        answer = await self.index.handle(request)
        self.disk.append({key: row for key, row in self.index.documents.items() if before.get(key) is not row})
        return answer

    async def serve(self, port: int) -> None:
        """Serve until the end."""
        self.disk.restore(self.emulator)
        self.index.documents = self.disk.documents()
        faults = self.emulator.faults
        faults.add(self.predicts, on=PREDICTIONS, times=None)
        faults.add(self.changes, on=_may_change, times=None)
        faults.add(self.indexes, on=lambda http: http.path.startswith(INDEX), times=None)
        async with self.emulator.serve(port=port) as url:
            print(url, flush=True)
            await self.ended.wait()


def _may_change(http: HttpRequest) -> bool:
    return "/_predict" not in http.path and not http.path.startswith(INDEX)


if __name__ == "__main__":
    place, at, predictions, how = sys.argv[1:]
    asyncio.run(Mortal(Disk(Path(place)), int(predictions), how).serve(int(at)))
