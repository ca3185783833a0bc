"""The way back, and the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.errors import NotFound
from aiomlcommons.reembedding.errors import CannotReembed
from aiomlcommons.reembedding.freezing import unfreeze
from aiomlcommons.reembedding.rounds import Rounds
from aiomlcommons.reembedding.run import Run
from aiomlcommons.reembedding.state import Phase
from aiomlcommons.reembedding.steps import ROUNDS, kept
from aiomlcommons.reembedding.switching import move

if TYPE_CHECKING:
    from aiomlcommons.client import Client


class Ending:
    """How a run ends: back at the old index, or for good at the new one."""

    def __init__(self, ml: Client, run: Run, rounds: Rounds) -> None:
        self._ml, self._run, self._rounds = ml, run, rounds

    async def back(self) -> None:
        """Let the alias lead to the old index again, with all that was written since the switch."""
        run, task = self._run, self._run.task
        if run.scene.source is None:
            raise CannotReembed(
                f"the old index {task.source} is deleted, and there is no way back to it: re-embed {task.target} with "
                "the old model"
            )
        await unfreeze(self._ml, run)
        if run.state.phase is not Phase.ROLLING_BACK:
            await run.reached(Phase.ROLLING_BACK, until=None)
        marks = run.state.known_marks
        if run.state.until is None:
            run.counted(await self._rounds.back(marks))
            # What comes into the old index after this is newer than all that is in the new one.
            await run.keep(until=kept(await self._rounds.marks()))
        await move(self._ml, run.state.alias or "", task.target, task.source)
        for _ in range(ROUNDS):
            if not run.counted(await self._rounds.back(marks, run.state.known_until)).changed:
                break
        await run.reached(Phase.ROLLED_BACK)

    async def drop(self) -> None:
        """Delete the new index, to which no alias leads."""
        run = self._run
        await unfreeze(self._ml, run)
        try:
            leading = (await self._ml.indices.aliases(run.task.target))[run.task.target].aliases
            if leading:
                raise CannotReembed(
                    f"the alias {', '.join(leading)} leads to {run.task.target}, which is to be deleted: take it away "
                    "first (ml.indices.update_aliases)"
                )
            await self._ml.indices.delete(run.task.target)
        except NotFound:  # a rollback that was killed has deleted it
            pass
        run.state, run.dropped = run.state.reached(Phase.ROLLED_BACK), True

    async def clear(self) -> None:
        """Remove the second field from all documents."""
        run = self._run
        run.counted(await self._rounds.clear())
        await run.reached(Phase.ROLLED_BACK)

    async def unfreeze(self) -> None:
        """Allow writes into the old index again, if this run has blocked them."""
        await unfreeze(self._ml, self._run)

    async def delete_old(self) -> None:
        """Delete the old index. Raises CannotReembed if an alias leads to it."""
        source = self._run.task.source
        try:
            leading = (await self._ml.indices.aliases(source))[source].aliases
        except NotFound:
            await self._run.keep(is_deleted=True)
            return
        if leading:
            raise CannotReembed(
                f"the alias {', '.join(leading)} still leads to {source}: let it lead to {self._run.task.target} first "
                "(ml.indices.update_aliases), or keep the old index"
            )
        await self._ml.indices.delete(source)
        await self._run.keep(is_deleted=True, frozen=False)
