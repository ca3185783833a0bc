"""Deletes around the switch: nobody sees them in an index afterwards, but the versions that they leave tell of them."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons.reembedding import steps
from aiomlcommons.reembedding.rounds import Rounds
from aiomlcommons.reembedding.switching import move
from tests.support.aliased_index import CREATED, NEW, World, world

pytestmark = pytest.mark.asyncio


async def _remembered(given: World) -> Any:
    return (await given.ml.indices.settings(CREATED))[CREATED].settings["index"].get("gc_deletes")


@pytest.mark.parametrize("deleted", [False, True], ids=["written", "deleted"])
async def test_what_is_deleted_just_after_the_switch_stays_deleted(
    monkeypatch: pytest.MonkeyPatch, deleted: bool
) -> None:

    async with world() as given:

        async def moved(*arguments: Any) -> None:
            # Both after everything was copied for the last time: the late rounds find them.
            await given.write({"id": "d3", "text": "late", "year": 3}, {"id": "d9", "text": "late too", "year": 9})
            await move(*arguments)
            if deleted:
                await given.delete("d3")

        monkeypatch.setattr(steps, "move", moved)
        await given.ml.reembed("docs", model=NEW, alias="live", sample=False)
        texts = await given.texts()
        assert texts.get("d3") == (None if deleted else "late")
        assert texts["d9"] == "late too"


@pytest.mark.parametrize("before", [None, "5s"])
async def test_deletes_are_remembered_until_late_writes_are_brought_over(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    late, during = Rounds.late, list[Any]()
    body = {"settings": {"index": {"number_of_replicas": 0, **({} if before is None else {"gc_deletes": before})}}}

    async with world(body) as given:

        async def looked(rounds: Rounds, marks: Any) -> Any:
            during.append(await _remembered(given))
            return await late(rounds, marks)

        monkeypatch.setattr(Rounds, "late", looked)
        await given.ml.reembed("docs", model=NEW, alias="live", sample=False)
        assert set(during) == {"1d"}
        assert await _remembered(given) == before


async def test_who_says_for_how_long_deletes_are_remembered_is_obeyed() -> None:
    async with world() as given:
        body = {"settings": {"index.gc_deletes": "7d"}}
        await given.ml.reembed("docs", model=NEW, alias="live", sample=False, body=body)
        assert await _remembered(given) == "7d"
