"""Contract tests: controllers."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from aiomlcommons import Conflict, NotFound, Session
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import RateLimiter
from tests.support.contract.undoing import afterwards, deleted

pytestmark = [pytest.mark.asyncio, pytest.mark.since("2.12", "controllers")]
CONFIG = ModelConfig(model_type="bert", embedding_dimension=4, framework_type="sentence_transformers")


@pytest_asyncio.fixture
async def model_id(ml: Session, unique: str) -> AsyncGenerator[str]:
    """Yield the id of a model whose chunks are never uploaded: it can have a rate limit nevertheless."""
    made = await ml.models.register_meta(
        unique,
        function_name="TEXT_EMBEDDING",
        model_format="TORCH_SCRIPT",
        model_content_hash_value="0" * 64,
        total_chunks=1,
        model_config=CONFIG,
    )
    async with afterwards(lambda: ml.models.remove(made.model_id, empty_group=True)):
        yield made.model_id


async def test_the_limits_of_a_user_are_set_changed_and_lifted(ml: Session, model_id: str) -> None:
    created = await ml.controllers.create(model_id, {"somebody": RateLimiter(limit=4, unit="MINUTES")})
    async with afterwards(lambda: deleted(ml.controllers.delete(model_id))):
        assert (created.model_id, created.status) == (model_id, "CREATED")
        found = await ml.controllers.get(model_id)
        assert found.user_rate_limiter == {"somebody": RateLimiter(limit="4", unit="MINUTES")}
        changed = await ml.controllers.update(model_id, {"somebody": RateLimiter(limit=5, unit="HOURS")})
        assert changed.result == "updated"
        found = await ml.controllers.get(model_id)
        assert found.user_rate_limiter == {"somebody": RateLimiter(limit="5", unit="HOURS")}
    with pytest.raises(NotFound, match="Failed to find model controller"):
        await ml.controllers.get(model_id)


async def test_there_is_nothing_to_change_before_it_is_created(ml: Session, model_id: str) -> None:
    with pytest.raises(Conflict, match="Consider calling create model controller api"):
        await ml.controllers.update(model_id, {"somebody": RateLimiter(limit=1, unit="DAYS")})
    with pytest.raises(NotFound):
        await ml.controllers.create("no-such-model", {"somebody": RateLimiter(limit=1, unit="DAYS")})
