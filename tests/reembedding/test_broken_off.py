"""Processes that are killed, refused or taken over at a bad moment: nothing stays blocked, and nothing is lost."""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import Any

import anyio
import attrs
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.emulator.errors import refused
from aiomlcommons.errors import Forbidden
from aiomlcommons.reembedding import job as jobs
from aiomlcommons.reembedding import steps
from aiomlcommons.reembedding.errors import AnotherRun, NotSwitched
from aiomlcommons.reembedding.owning import Owning, is_at_work
from aiomlcommons.reembedding.rounds import Rounds
from aiomlcommons.reembedding.state import Owner, State, StateFile
from aiomlcommons.reembedding.steps import Steps
from aiomlcommons.reembedding.switching import move
from tests.support.aliased_index import CREATED, NEW, World, world

pytestmark = pytest.mark.asyncio
OPTIONS: dict[str, Any] = {"model": NEW, "alias": "live", "sample": False}


class Killed(Exception):
    """The process ends, and does nothing more."""


async def state_of(given: World) -> State:
    """Return the state as the cluster has it."""
    state = await StateFile(given.ml, CREATED).read()
    assert state is not None
    return state


async def killed(monkeypatch: pytest.MonkeyPatch, given: World, place: Any, name: str, value: Any, **more: Any) -> None:
    """Run it all with something replaced that kills the process, which then mends nothing."""

    async def nothing(_: object) -> None:
        pass

    with monkeypatch.context() as patched:
        patched.setattr(Steps, "_let_write", nothing)
        patched.setattr(place, name, value)
        with pytest.raises(Killed):
            await given.ml.reembed("docs", **OPTIONS, **more)


async def test_what_comes_late_at_a_second_switch_is_brought_over_after_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def moved(*arguments: Any) -> None:
        await move(*arguments)
        raise Killed

    async with world() as given:
        async with given.ml.reembed("docs", **OPTIONS) as job:
            await job
            await job.rollback()
        await killed(monkeypatch, given, steps, "move", moved)
        assert await given.leads_to() == {CREATED}
        await given.write({"id": "late", "text": "past the alias"}, index="docs")
        await given.ml.reembed("docs", alias="live")
        assert (await given.texts())["late"] == "past the alias"


async def test_writes_are_allowed_again_if_the_alias_must_not_be_moved() -> None:
    async def refuses(_: Any, __: Any) -> Any:
        raise refused(403, "security_exception", "no permissions for [indices:admin/aliases]")

    async with world() as given:
        given.cluster.faults.add(refuses, on=lambda http: (http.method, http.path) == ("POST", "/_aliases"), times=None)
        async with given.ml.reembed("docs", freeze=True, **OPTIONS) as job:
            with pytest.raises(Forbidden):
                await job
            await given.write({"id": "new", "text": "not blocked"})
            assert not (await state_of(given)).frozen
        given.cluster.faults.clear()
        assert (await given.ml.reembed("docs", freeze=True, **OPTIONS)).phase == "switched"
        assert (await given.texts())["new"] == "not blocked"


async def test_a_process_that_was_killed_while_writes_were_blocked_blocks_nobody_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def moved(*_: Any) -> None:
        raise Killed

    async with world() as given:
        await killed(monkeypatch, given, steps, "move", moved, freeze=True)
        with pytest.raises(AssertionError, match="cluster_block"):
            await given.write({"id": "new", "text": "blocked"})
        async with given.ml.reembed("docs", freeze=True, **OPTIONS) as job:
            await job.prepare()  # which may be all for today
            await given.write({"id": "new", "text": "not blocked"})
            await job.switch()
            with pytest.raises(AssertionError, match="cluster_block"):
                await given.write({"id": "x", "text": "past the alias"}, index="docs")
        assert (await given.texts())["new"] == "not blocked"


async def test_what_another_process_has_left_is_known_to_one_that_entered_before() -> None:
    async with world() as given:
        async with given.ml.reembed("docs", **OPTIONS) as job:
            await job.prepare()
        async with given.ml.reembed("docs", **OPTIONS) as job:
            await StateFile(given.ml, CREATED).write(attrs.evolve(await state_of(given), frozen=True))
            await given.ml.indices.put_settings("docs", {"index.blocks.write": True})
            await job
            await job.finish()
        await given.write({"id": "x", "text": "past the alias"}, index="docs")


@pytest.mark.parametrize("is_there", [True, False], ids=["at work", "gone again"])
async def test_a_process_that_was_taken_for_dead_writes_no_older_state(is_there: bool) -> None:
    async with world() as given:
        async with given.ml.reembed("docs", **OPTIONS) as job:
            await job.prepare()
            other = Owner(token="x", host="elsewhere", pid=1, beat=time.time()) if is_there else None
            newer = attrs.evolve(await state_of(given), owner=other, rate=7.0)
            await StateFile(given.ml, CREATED).write(newer)
            with pytest.raises(
                AnotherRun, match="process 1 on elsewhere" if is_there else "another process has worked"
            ):
                await job.switch()
            assert await state_of(given) == newer
        assert await state_of(given) == newer
        assert await given.leads_to() == {"docs"}


async def test_who_goes_on_later_catches_up_before_anything_is_measured_and_a_check_that_fails_counts() -> None:
    queries: dict[str, Any]
    async with world() as given:
        async with given.ml.reembed("docs", **OPTIONS) as job:
            await job.prepare()
        await given.write({"id": "d1", "text": "changed"}, {"id": "new", "text": "since yesterday"})
        queries = {"queries": {"q": "text number 3"}, "judgments": {"q": {"d3": 1}}, "old_model": given.old}
        async with given.ml.reembed("docs", require="ndcg@10 >= old + 0.1", **queries, **OPTIONS) as job:
            with pytest.raises(NotSwitched, match="not as required"):
                await job.prepare()
            assert await given.texts(CREATED) == await given.texts("docs")
            with pytest.raises(InvalidRequest, match="not checked yet"):
                await job.switch()
        async with given.ml.reembed("docs", alias="live") as job:
            assert job.report.unmet  # is told by every later process, too


async def test_the_end_does_not_wait_for_a_cluster_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(_: Owning) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(Owning, "release", hangs)
    monkeypatch.setattr(jobs, "BEAT", 0.01)
    async with world() as given:
        with pytest.raises(Killed):
            async with given.ml.reembed("docs", **OPTIONS):
                raise Killed


async def test_for_how_long_deletes_are_remembered_is_known_after_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(*_: Any) -> None:
        raise Killed

    async with world() as given:
        await killed(monkeypatch, given, Rounds, "late", late, body={"settings": {"index": {"gc_deletes": "7d"}}})
        await given.ml.reembed("docs", alias="live")
        assert (await given.ml.indices.settings(CREATED))[CREATED].settings["index"]["gc_deletes"] == "7d"


async def test_no_process_is_signalled_where_that_would_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", None)
    owner = Owner(token="x", host=socket.gethostname(), pid=os.getpid() + 1, beat=time.time())
    with monkeypatch.context() as patched:
        patched.setattr(sys, "platform", "win32")
        works = is_at_work(owner, "mine")
    assert works


async def test_what_waits_in_a_queue_while_the_alias_moves_is_brought_over(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = list[str]()
    late = Rounds.late

    async def looked(one: Rounds, marks: Any) -> Any:
        found = await late(one, marks)
        rounds.append("late")
        if len(rounds) < 3:  # after it has looked
            await given.write({"id": f"queued {len(rounds)}", "text": "led there by the alias"}, index="docs")
        return found

    monkeypatch.setattr(Rounds, "late", looked)
    async with world() as given:
        await given.ml.reembed("docs", **OPTIONS)
        assert {key for key in await given.texts() if key.startswith("queued")} == {"queued 1", "queued 2"}
        assert len(rounds) == 4  # the last one finds nothing, and nothing came since
