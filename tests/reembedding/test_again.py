"""To the new model, back, and to it once more: what was written in the old index meanwhile counts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from aiomlcommons.reembedding.counts import Round
from aiomlcommons.reembedding.rounds import Rounds
from aiomlcommons.reembedding.task import of
from tests.support.aliased_index import CREATED, NEW, world


@pytest.mark.asyncio
async def test_after_a_rollback_the_new_index_is_made_as_the_old_one_is_now() -> None:
    async with world() as given:
        async with given.ml.reembed("docs", model=NEW, alias="live", old_model=given.old) as job:
            await job
            changed = [{"id": key, "text": "since the switch"} for key in ("d1", "d5", "new", "gone")]
            await given.write(*changed)
            await given.delete("d2")
            await job.follow()
            await job.rollback()
        await given.write({"id": "d1", "text": "since the rollback"}, {"id": "d3", "text": "since the rollback"})
        await given.write({"id": "d2", "text": "made anew"})
        await given.delete("d4", "gone")
        expected = await given.texts()
        assert expected["new"] == "since the switch"
        report = await given.ml.reembed("docs", model=NEW, alias="live")
        assert report.phase == "switched"
        assert await given.leads_to() == {CREATED}
        assert await given.texts() == expected
        assert {kind: count for kind, count in report.differences.items() if count} == {}
        async for hit in given.ml.search("live"):
            assert hit.source[of("embedding")]


@pytest.mark.asyncio
async def test_the_alias_may_go_to_and_fro_in_one_job() -> None:
    async with world() as given, given.ml.reembed("docs", model=NEW, alias="live", old_model=given.old) as job:
        for turn in range(3):
            await job
            await given.write({"id": "d1", "text": f"new {turn}"}, {"id": f"n{turn}", "text": "a new one"})
            await given.delete(f"d{turn + 2}")
            await job.rollback()
            await given.write({"id": "d1", "text": f"old {turn}"}, {"id": f"o{turn}", "text": "an old one"})
            await given.delete(f"n{turn}")
        expected = await given.texts()
        assert len(expected) == 10
        await job
        assert await given.texts() == expected


@pytest.mark.asyncio
async def test_what_is_deleted_after_the_switch_is_not_brought_back_by_a_late_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = Rounds.late

    async def late_after_writes(rounds: Rounds, marks: Mapping[int, int]) -> Round:
        await given.write(*({"id": key, "text": "past the alias"} for key in ("d1", "d2")), index="docs")
        await given.delete("d1")
        monkeypatch.undo()
        return await late(rounds, marks)

    monkeypatch.setattr(Rounds, "late", late_after_writes)
    async with world() as given, given.ml.reembed("docs", model=NEW, alias="live", old_model=given.old) as job:
        await job
        texts = await given.texts()
        assert "d1" not in texts
        assert texts["d2"] == "past the alias"
        await given.delete("d2")
        await job.rollback()
        assert not {"d1", "d2"} & (await given.texts()).keys()
        await job
        assert len(await given.texts()) == 8
