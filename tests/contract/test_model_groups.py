"""Contract tests: model groups."""

from __future__ import annotations

import pytest

from aiomlcommons import BadRequest, NotFound, Session
from tests.support.contract.undoing import afterwards, deleted

pytestmark = [pytest.mark.asyncio, pytest.mark.since("2.12", "looking a model group up")]


async def test_a_group_is_registered_changed_found_and_deleted(ml: Session, unique: str) -> None:
    group = await ml.model_groups.register(unique, description="first")
    async with afterwards(lambda: deleted(ml.model_groups.delete(group.model_group_id))):
        await ml.model_groups.update(group.model_group_id, description="second")
        found = await ml.model_groups.get(group.model_group_id)
        assert (found.name, found.description, found.latest_version, found.extra) == (unique, "second", 0, {})
        with pytest.raises(BadRequest, match="already being used by a model group with ID"):
            await ml.model_groups.register(unique)
        hits = await ml.model_groups.search({"query": {"ids": {"values": [group.model_group_id]}}})
        assert [hit.source.name for hit in hits] == [unique]
    with pytest.raises(NotFound):
        await ml.model_groups.get(group.model_group_id)


async def test_deleting_a_missing_group_is_no_error(ml: Session) -> None:
    assert (await ml.model_groups.delete("no-such-group")).result == "not_found"


async def test_updating_a_missing_group_is_not_found(ml: Session) -> None:
    with pytest.raises(NotFound, match="no-such-group"):
        await ml.model_groups.update("no-such-group", description="x")
