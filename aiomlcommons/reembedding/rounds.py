"""The rounds of a re-embedding: each makes the target as it should be, as far as it looks, and can be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiomlcommons.progress.telling import Progressing
from aiomlcommons.reembedding.counts import Differences, Round
from aiomlcommons.reembedding.task import Pace, Task

if TYPE_CHECKING:
    from aiomlcommons.client import Client


class Rounds:
    """The rounds of one task. One runs at a time."""

    def __init__(self, ml: Client, task: Task, pace: Pace, tell: Progressing = False) -> None:
        self._ml, self._task, self._pace, self._tell = ml, task, pace, tell

    async def marks(self) -> dict[int, int]:
        """Return the global checkpoint of each shard of the source: up to there all copies have all writes."""
        raise NotImplementedError

    async def whole(self) -> Round:
        """Make the target what the source is, before the switch: copy, embed, and delete what is gone."""
        raise NotImplementedError

    async def since(self, marks: Mapping[int, int]) -> tuple[Round, dict[int, int]]:
        """Copy what was written in the source after ``marks``, before the switch; return the next marks too."""
        raise NotImplementedError

    async def late(self, marks: Mapping[int, int]) -> Round:
        """After the switch, bring over what the source got after ``marks`` (deletes too), unless others wrote it since.

        ``marks`` are those up to which the source was copied when the alias was switched: always the same ones.
        """
        raise NotImplementedError

    async def follow(self, marks: Mapping[int, int] | None = None) -> tuple[Round, dict[int, int]]:
        """Embed what others wrote into the target without a right vector after ``marks`` (of the target; None: all)."""
        raise NotImplementedError

    async def back(self, marks: Mapping[int, int]) -> Round:
        """Bring what others wrote in the target since the switch into the source; ``marks`` as for ``late``."""
        raise NotImplementedError

    async def clear(self) -> Round:
        """Remove the vectors of the second field, and their fingerprints, from all documents."""
        raise NotImplementedError

    async def differences(self) -> Differences:
        """Compare source and target, and write nothing."""
        raise NotImplementedError
