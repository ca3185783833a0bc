"""The real server of the benchmarks: whether it is idle, its CPU time, and its search results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import attrs

from aiomlcommons import Backoff, Session
from benchmarks.bulk import Document

# Background work of an index after its documents are written; an idle server does none of it.
BACKGROUND = ("refresh", "flush", "force_merge", "write")
POLL = Backoff(first=0.1, cap=1)
TOLERANCE = 1e-5


@attrs.frozen
class Target:
    """A real server, through a session."""

    ml: Session

    async def rest(self) -> None:
        """Wait until no index is merged, refreshed or flushed any more."""
        for pause in POLL:
            got = (await self.ml.request("GET", "/_nodes/stats/indices,thread_pool")).json()
            if not any(map(_busy, got["nodes"].values())):
                return
            await anyio.sleep(pause)

    async def cpu(self) -> float:
        """Return the CPU seconds of the server since its start."""
        nodes = (await self.ml.request("GET", "/_nodes/stats/process")).json()["nodes"].values()
        return sum(float(node["process"]["cpu"]["total_in_millis"]) for node in nodes) / 1000

    async def refresh(self, index: str) -> int:
        """Refresh an index; return the number of its documents."""
        await self.ml.request("GET", f"/{index}/_refresh")
        count: int = (await self.ml.request("GET", f"/{index}/_count")).json()["count"]
        return count

    async def remove(self, index: str) -> None:
        """Delete an index, and wait until the server is idle."""
        await self.ml.request("DELETE", f"/{index}")
        await self.rest()

    async def nearest(self, index: str, vector: Sequence[float], k: int) -> list[Document]:
        """Return the nearest documents of a k-NN search."""
        return await self._hits(index, {"knn": {"embedding": {"vector": list(vector), "k": k}}}, k)

    async def exactly(self, index: str, vector: Sequence[float], k: int, ids: Sequence[str] = ()) -> list[float]:
        """Return the scores of the nearest documents by exact comparison, of all or of those with given ids."""
        among = {"ids": {"values": list(ids)}} if ids else {"match_all": {}}
        parameters = {"field": "embedding", "query_value": list(vector), "space_type": "cosinesimil"}
        script = {"lang": "knn", "source": "knn_score", "params": parameters}
        hits = await self._hits(index, {"script_score": {"query": among, "script": script}}, k)
        return [hit["_score"] for hit in hits]

    async def recall(self, index: str, vector: Sequence[float], k: int) -> float:
        """Return how many of the nearest documents are as near as the exact ones; ties count."""
        found = await self.nearest(index, vector, k)
        least = (await self.exactly(index, vector, k))[-1]
        scores = await self.exactly(index, vector, k, [hit["_id"] for hit in found])
        return sum(score >= least - TOLERANCE for score in scores) / k

    async def _hits(self, index: str, query: Any, size: int) -> list[Document]:
        body = {"size": size, "query": query, "_source": {"excludes": ["embedding"]}}
        hits: list[Document] = (await self.ml.request("POST", f"/{index}/_search", body=body)).json()["hits"]["hits"]
        return hits


def _busy(node: Any) -> bool:
    pools = node["thread_pool"]
    return node["indices"]["merges"]["current"] > 0 or any(pools[name]["active"] for name in BACKGROUND)
