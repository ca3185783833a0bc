"""What an index says of its shards: how far their copies have all writes, and what was written later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.reembedding.errors import ReembeddingError
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client


async def checkpoints(ml: Client, index: str) -> dict[int, int]:
    """Return the global checkpoint of each shard of an index. Raises ReembeddingError if one is down, ApiError."""
    path = f"/{quoted(index)}/_stats"
    answer = (await ml.request("GET", path, query={"level": "shards", "filter_path": "indices.*.shards"})).json()
    found: dict[int, int] = {}
    for shards in answer.get("indices", {}).values():
        for number, copies in shards["shards"].items():
            found |= {int(number): copy["seq_no"]["global_checkpoint"] for copy in copies if copy["routing"]["primary"]}
    settings = (await ml.indices.settings(index))[index].settings["index"]
    if len(found) < int(settings["number_of_shards"]):
        raise ReembeddingError(
            f"index {index}: a primary shard is down; see to the health of the cluster, and try again"
        )
    return found


async def refreshed(ml: Client, *indices: str) -> None:
    """Have searches see all that is written in the indices. Raises ApiError."""
    for index in dict.fromkeys(indices):
        await ml.indices.refresh(index)
