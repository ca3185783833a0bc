"""Contract tests: statistics and profiles. Others may use the server too, so counters are only checked to grow."""

from __future__ import annotations

import pytest

from aiomlcommons import BadRequest, Session
from aiomlcommons.api.stats import ActionStats, Profile, Stats
from tests.support.contract.undoing import afterwards

pytestmark = pytest.mark.asyncio
STATUSES = {"green", "yellow", "red", "non-existent"}


def registered(stats: Stats) -> int:
    """Return how many sparse tokenizers were registered, on all nodes."""
    count = 0
    for node in (stats.nodes or {}).values():
        found = (node.algorithms or {}).get("sparse_tokenize", {}).get("register", ActionStats())
        count += found.ml_action_request_count or 0
    return count


@pytest.mark.since("2.11", "a sparse tokenizer")
async def test_what_is_there_and_what_is_done_is_counted(ml: Session, unique: str) -> None:
    before = await ml.stats()
    made = await ml.models.register_meta(
        unique,
        function_name="SPARSE_TOKENIZE",
        model_format="TORCH_SCRIPT",
        model_content_hash_value="0" * 64,
        total_chunks=1,
    )
    async with afterwards(lambda: ml.models.remove(made.model_id, empty_group=True)):
        after = await ml.stats()
        assert registered(after) > registered(before)
        assert {after.ml_model_index_status, after.ml_connector_index_status} <= STATUSES
        assert after.nodes
        assert all((node.ml_request_count or 0) >= 0 for node in after.nodes.values())


@pytest.mark.since("2.11", "the name of this number")
async def test_one_number_is_asked_for(ml: Session) -> None:
    stats = await ml.stats("ml_executing_task_count")
    assert stats.ml_model_index_status is None
    for node in (stats.nodes or {}).values():
        assert node.ml_executing_task_count is not None
        assert node.ml_request_count is None
        assert node.algorithms == {}


async def test_one_node_is_asked(ml: Session) -> None:
    nodes = (await ml.stats()).nodes
    assert nodes
    node_id = next(iter(nodes))
    assert list((await ml.stats(node_id=node_id)).nodes or {}) == [node_id]


async def test_a_number_that_nobody_counts_is_refused(ml: Session) -> None:
    with pytest.raises(BadRequest, match="Wrong ML cluster level stat"):
        await ml.stats("no_such_count")


async def test_a_model_that_is_nowhere_has_no_profile(ml: Session) -> None:
    assert await ml.profile.models("no-such-model") == Profile()
    assert await ml.profile.tasks("no-such-task") == Profile()
