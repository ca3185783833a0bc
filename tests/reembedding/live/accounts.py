"""The accounts of a trial: each document of the new index is compared with what its writer was told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import numpy as np

from aiomlcommons import Session
from aiomlcommons.ingest import IndexSource
from aiomlcommons.ingest.types import BadRow
from tests.reembedding.live.ledger import Expected
from tests.reembedding.live.words import text_of
from tests.reembedding.live.world import World

# Vectors of one text differ in the last bits, by what else is in the request.
CLOSE = 1e-4
BATCH = 256


@attrs.define
class Accounts:
    """What became of the documents of a trial. All but ``right`` are ids of documents that are not as they must be.

    ``came_back`` were deleted by an acknowledged write, and are there.
    """

    right: int = 0
    lost: list[str] = attrs.field(factory=list)
    came_back: list[str] = attrs.field(factory=list)
    strange: list[str] = attrs.field(factory=list)
    stale: list[str] = attrs.field(factory=list)
    without_vector: list[str] = attrs.field(factory=list)
    wrong_vector: list[str] = attrs.field(factory=list)

    @property
    def wrong(self) -> int:
        """How many documents are not as they must be."""
        return sum(len(value) for name, value in attrs.asdict(self).items() if name != "right")


async def settle(ml: Session, made: World, expected: Expected) -> Accounts:
    """Compare the documents that the alias leads to with those that are expected, one by one."""
    await ml.indices.refresh(made.alias)
    accounts, seen = Accounts(), set[str]()
    async for rows in _pages(ml, made):
        seen.update(row["_id"] for row in rows)
        good = [row for row in rows if _is_right(accounts, made, row, expected)]
        vectors = np.asarray(await ml.embed_many(made.new, [row["text"] for row in good])) if good else np.empty((0, 0))
        for row, vector in zip(good, vectors, strict=True):
            if np.abs(np.asarray(row[made.field], np.float32) - vector).max() > CLOSE:
                accounts.wrong_vector.append(row["_id"])
            else:
                accounts.right += 1
    for key, numbers in expected.documents.items():
        if key in seen:
            continue
        if None in numbers:
            accounts.right += 1
        else:
            accounts.lost.append(key)
    return accounts


async def _pages(ml: Session, made: World) -> AsyncIterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    async for found in IndexSource(ml, made.alias).read():
        rows += [dict(row) for row in found.rows if not isinstance(row, BadRow)]
        if len(rows) >= BATCH:
            yield rows
            rows = []
    yield rows


def _is_right(accounts: Accounts, made: World, row: dict[str, Any], expected: Expected) -> bool:
    """Return whether a document is what its last write made it, and has a vector; note it where it is not."""
    key, numbers = row["_id"], expected.documents.get(row["_id"])
    number: int = row["n"]
    if numbers is None:
        accounts.strange.append(key)
    elif numbers == {None}:
        accounts.came_back.append(key)
    elif number not in numbers or row["text"] != text_of(key, number):
        accounts.stale.append(key)
    elif made.field not in row:
        accounts.without_vector.append(key)
    else:
        return True
    return False
