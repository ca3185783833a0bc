"""The machine that the node runs on, and the circuit breakers that watch it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from aiomlcommons.emulator.errors import DISK_FULL, HEAP_FULL
from aiomlcommons.typed import typed_fields

if TYPE_CHECKING:
    from aiomlcommons.emulator.settings.store import SettingStore

GB = 1 << 30
DATA_NODE = ("cluster_manager", "data", "ingest", "remote_cluster_client")
_SIZES = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": GB, "tb": 1 << 40}


@attrs.define(field_transformer=typed_fields)
class Machine:
    """What the node's statistics say: percentages of memory, JVM heap and CPU in use, and bytes of disk.

    ``heap`` and ``free_disk`` open the breakers of ML Commons. ``memory`` opens none: servers since 2.9 do not watch
    it, whatever the setting.
    """

    roles: tuple[str, ...] = DATA_NODE
    memory: int = 50
    heap: int = 10
    cpu: int = 5
    disk: int = 100 * GB
    free_disk: int = 60 * GB

    def open_breaker(self, settings: SettingStore) -> str | None:
        """Return the message of the breaker of ML Commons that is open, or None."""
        limit = settings.number("jvm_heap_memory_threshold")
        if limit < 100 and self.heap > limit:
            return HEAP_FULL
        return DISK_FULL if self.free_disk < _size(settings.value("disk_free_space_threshold")) else None


def _size(text: str) -> float:
    found = re.fullmatch(r"(\d+)([kmgt]?b)", text.strip().lower())
    return int(found[1]) * _SIZES[found[2]] if found else -1
