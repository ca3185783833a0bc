"""Blocks of indices: settings by which a cluster refuses writes, reads, or changes of metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import attrs

from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.indices.state import UserIndex

Level = Literal["read", "write", "metadata_read", "metadata_write"]
FULL = "disk usage exceeded flood-stage watermark, index has read-only-allow-delete block"


@attrs.frozen
class Block:
    """A block: what it says, its status, and what it refuses."""

    words: str
    levels: frozenset[Level]
    status: int = 403


BLOCKS: Mapping[str, Block] = {
    "read_only_allow_delete": Block(f"TOO_MANY_REQUESTS/12/{FULL}", frozenset({"write", "metadata_write"}), 429),
    "read_only": Block("FORBIDDEN/5/index read-only (api)", frozenset({"write", "metadata_write"})),
    "read": Block("FORBIDDEN/7/index read (api)", frozenset({"read"})),
    "write": Block("FORBIDDEN/8/index write (api)", frozenset({"write"})),
    "metadata": Block("FORBIDDEN/9/index metadata (api)", frozenset({"metadata_read", "metadata_write"})),
}
# One of these alone can be changed whatever is blocked: else there would be no way back.
WAYS_OUT = {"blocks.read_only", "blocks.metadata", "blocks.read_only_allow_delete"}


def check(indices: Iterable[UserIndex], level: Level, *, but: str = "") -> None:
    """Raise Refused where one of the indices has a block of a level, ``but`` for one that does not matter here."""
    found = {index.name: own for index in indices if (own := _of(index, level, but))}
    if not found:
        return
    each = {name: ", ".join(block.words for block in own) for name, own in found.items()}
    words = "".join(f"index [{name}] blocked by: [{said}];" for name, said in each.items())
    # A block that passes by itself does not say so while there is another one.
    raise refused(min(block.status for own in found.values() for block in own), "cluster_block_exception", words)


def _of(index: UserIndex, level: Level, but: str) -> list[Block]:
    own = [name for name in BLOCKS if index.settings.get(f"blocks.{name}") == "true" and name != but]
    return [BLOCKS[name] for name in own if level in BLOCKS[name].levels]
