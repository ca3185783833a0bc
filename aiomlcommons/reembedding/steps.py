"""The steps of a run up to the switch, each of which can be repeated: copy, catch up, compare, check, switch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import anyio

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.ingest.state.dead_letters import ENDING
from aiomlcommons.progress.event import Phase as Told
from aiomlcommons.progress.event import Progress
from aiomlcommons.progress.telling import Teller
from aiomlcommons.reembedding.counts import WRONG, Differences
from aiomlcommons.reembedding.errors import NotSwitched
from aiomlcommons.reembedding.facts import where_leads
from aiomlcommons.reembedding.freezing import freeze, unfreeze
from aiomlcommons.reembedding.judging import judged
from aiomlcommons.reembedding.rounds import Rounds
from aiomlcommons.reembedding.run import Run, command
from aiomlcommons.reembedding.state import Phase
from aiomlcommons.reembedding.switching import move
from aiomlcommons.reembedding.wanted import Wanted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

log = logging.getLogger("aiomlcommons")
FEW = 100
"""Documents that writers change during a round: when so few are left, catching up is as good as done."""
DAY = "1d"
QUIET = 1.0
"""Seconds in which nothing comes into the old index: what the alias led there may wait in the queue of a node."""
ROUNDS, _COMPARISONS = 20, 3


class Steps:
    """The steps of a run, in which a job is put together."""

    def __init__(self, ml: Client, wanted: Wanted, run: Run, rounds: Rounds, tell: Teller) -> None:
        self._ml, self._wanted, self._run, self._rounds, self._tell = ml, wanted, run, rounds, tell

    def _says(self, words: str) -> None:
        task = self._run.task
        self._tell(Progress(phase=Told.CHECKING, name=f"{task.source} -> {task.target}", words=words))

    # ---- before the switch -------------------------------------------------------------------------------------------

    async def copy(self) -> None:
        """Embed every document, and go on until few are behind."""
        run, rounds = self._run, self._rounds
        if run.state.phase is not Phase.COPYING:
            await run.reached(Phase.COPYING)
        if run.task.in_place:
            found, marks = await rounds.follow(None)
            run.counted(found)
        else:
            marks = await rounds.marks()
            run.counted(await rounds.whole(again=run.state.was_given_back))
        marks = await self.catch_up(marks)
        await run.reached(Phase.CAUGHT_UP, marks=kept(marks))

    async def go_on(self) -> None:
        """Catch up with what was written since an earlier process had done so: days may have gone by."""
        run = self._run
        await run.reached(Phase.CAUGHT_UP, marks=kept(await self.catch_up(run.state.known_marks)))

    async def catch_up(self, marks: Mapping[int, int]) -> dict[int, int]:
        """Embed what was written after the marks, until few documents are left; return the new marks."""
        before: int | None = None
        since = partial(self._rounds.since, again=self._run.state.was_given_back)
        next_round = self._rounds.follow if self._run.task.in_place else since
        for _ in range(ROUNDS):
            found, marks = await next_round(marks)
            changed = self._run.counted(found).changed
            # Where writers are faster than a round, more rounds do not help.
            if changed <= FEW or (before is not None and changed >= before):
                break
            before = changed
        return dict(marks)

    async def check(self) -> None:
        """Compare both indices, and measure the new one. Raises NotSwitched if it is not as required."""
        run, task = self._run, self._run.task
        self._says("whether both are the same")
        await self._compare()
        self._says("the vectors of a sample")
        measured = run.measured(await judged(self._ml, self._wanted, task, seed=run.state.run))
        if measured.unmet:
            await run.keep()
            raise NotSwitched(
                f"the new vectors are not as required, and {self._still()}: {'; '.join(measured.unmet)}. Go back "
                f"with `{command(run.state, '--rollback')}`, or require less",
                run.report(),
            )
        await run.reached(Phase.CHECKED)

    async def _compare(self) -> None:
        """Compare until nothing differs but what writers change meanwhile. Raises NotSwitched for what stays so."""
        run, rounds = self._run, self._rounds
        found, staying = Differences(), dict[str, set[str]]()
        for number in range(_COMPARISONS):
            # Of a second field the marks are from before its own writes.
            marks = await rounds.marks() if run.task.in_place else run.state.known_marks
            found = run.compared(await rounds.differences(again=run.state.was_given_back))
            newer = await rounds.written_after(marks)
            now = {kind: set(getattr(found, kind).ids) - newer for kind in WRONG}
            staying = now if not number else {kind: staying[kind] & now[kind] for kind in WRONG}
            if not self._wrong(found, staying):
                return
            if number + 1 == _COMPARISONS:
                break
            if run.task.in_place:
                run.counted((await rounds.follow(None))[0])
            else:
                run.counted(await rounds.whole(again=run.state.was_given_back))
                await run.keep(marks=kept(await self.catch_up(run.state.known_marks)))
        await run.keep()
        raise NotSwitched(f"{'; '.join(self._wrong(found, staying))}, and {self._still()}", run.report())

    def _wrong(self, found: Differences, staying: Mapping[str, set[str]]) -> list[str]:
        """Return in words what differs though nobody writes it, and did so in each comparison."""
        words: list[str] = []
        failed, allowed = len(found.unembedded), self._wanted.max_failures
        if failed > allowed and staying["unembedded"]:
            words.append(
                f"{failed:,} documents that have a text have no vector of it, such as {_some(staying['unembedded'])}: "
                f"{self._dead_letters()}, and max_failures= (--max-failures) allows {allowed:g}"
            )
        return words + [
            f"{len(getattr(found, kind)):,} documents of the new index are {kind}, such as {_some(staying[kind])}, "
            "though nobody wrote them meanwhile: look at one of them, and run it again"
            for kind in WRONG
            if kind != "unembedded" and staying[kind]
        ]

    def _dead_letters(self) -> str:
        path = self._wanted.pace.dead_letters or f"{self._run.task.target}{ENDING}"
        return f"{path} says why the model refuses them"

    def _still(self) -> str:
        alias = self._run.state.alias
        return "the query is not to be switched yet" if alias is None else f"{alias} still leads to the old index"

    # ---- the switch --------------------------------------------------------------------------------------------------

    async def switch(self) -> None:
        """Catch up for the last time, and let the alias lead to the new index."""
        run, task = self._run, self._run.task
        try:
            if self._wanted.freeze:
                await freeze(self._ml, run)
            marks = await self.catch_up(run.state.known_marks)
            if run.state.frozen:
                run.counted(await self._rounds.whole(again=run.state.was_given_back))  # deletes are not seen otherwise
                await self._compare()
            # Before the alias moves, for a killed process does nothing after it: late writes are still to come.
            await run.keep(marks=kept(marks), is_settled=False)
            if run.state.alias is not None:
                await self._remember_deletes()
                await move(self._ml, run.state.alias, task.source, task.target)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._let_write()
            raise
        await run.reached(Phase.SWITCHED)

    async def _let_write(self) -> None:
        """Allow writes into the old index again, unless the alias has been moved after all; raises nothing."""
        run = self._run
        try:
            if run.state.frozen and not await self.is_switched():
                await unfreeze(self._ml, run)
        except MLCommonsError as error:  # what kept it from being switched is raised
            log.warning(
                "writes into %s may still be blocked, until it is switched or rolled back: %s", run.task.source, error
            )

    async def settle(self) -> None:
        """Bring over what writers still sent to the old index, until there is nothing; then never again.

        What is deleted in the new index, long after the switch, would come back.
        """
        run = self._run
        if run.state.is_settled:
            return
        for _ in range(ROUNDS):
            before = await self._rounds.marks()
            if run.counted(await self._rounds.late(run.state.known_marks)).changed:
                continue
            await anyio.sleep(QUIET)
            if await self._rounds.marks() == before:
                break
        await self._remember_deletes(done=True)
        await run.keep(is_settled=True)

    async def _remember_deletes(self, *, done: bool = False) -> None:
        """Set for how long the new index remembers deletes, by which ``settle`` knows what others deleted there.

        Without that it is a minute, and who goes on after a crash may come later. What the user's own body says stays.
        """
        source, target = self._run.scene.source, self._run.task.target
        usual = None if source is None else source.settings.get("gc_deletes")
        before, after = (DAY, usual) if done else (usual, DAY)
        if (await self._ml.indices.settings(target))[target].settings["index"].get("gc_deletes") == before:
            await self._ml.indices.put_settings(target, {"index.gc_deletes": after})

    async def is_switched(self) -> bool:
        """Return whether the alias leads to the new index; of a second field whether the phase says so."""
        run = self._run
        if run.state.alias is None:
            return run.state.phase in {Phase.SWITCHED, Phase.FINISHED}
        return run.task.target in await where_leads(self._ml, run.state.alias)


def kept(marks: Mapping[int, int]) -> dict[str, int]:
    """Return marks as the state keeps them."""
    return {str(shard): mark for shard, mark in marks.items()}


def _some(keys: set[str]) -> str:
    return ", ".join(sorted(keys)[:3])
