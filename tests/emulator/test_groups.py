"""Model groups, beyond the recordings."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import BadRequest, NotFound, Session
from aiomlcommons.api.model_configs import ModelConfig

pytestmark = pytest.mark.asyncio


async def test_a_name_that_is_taken_is_refused_when_a_group_is_renamed(ml: Session) -> None:
    first = await ml.model_groups.register("first")
    second = await ml.model_groups.register("second")
    with pytest.raises(BadRequest, match=f"already being used by a model group with ID: {first.model_group_id}"):
        await ml.model_groups.update(second.model_group_id, name="first")
    await ml.model_groups.update(second.model_group_id, name="second", description="new")
    assert (await ml.model_groups.get(second.model_group_id)).description == "new"


@pytest.mark.parametrize(
    "access", [{"access_mode": "public"}, {"backend_roles": ["a"]}, {"add_all_backend_roles": True}]
)
async def test_access_control_is_refused_as_without_the_security_plugin(ml: Session, access: dict[str, Any]) -> None:
    group = await ml.model_groups.register("g")
    with pytest.raises(BadRequest, match="Security plugin or model access control is disabled"):
        await ml.model_groups.register("h", **access)
    with pytest.raises(BadRequest, match="Security plugin or model access control is disabled"):
        await ml.model_groups.update(group.model_group_id, **access)


async def test_a_model_moves_to_another_group_as_its_next_version(ml: Session) -> None:
    made = await ml.models.register_meta(
        "m",
        model_format="TORCH_SCRIPT",
        model_content_hash_value="0" * 64,
        total_chunks=1,
        model_config=ModelConfig(model_type="bert", embedding_dimension=4, framework_type="sentence_transformers"),
    )
    group = await ml.model_groups.register("other")
    await ml.models.update(made.model_id, model_group_id=group.model_group_id, name="renamed")
    model = await ml.models.get(made.model_id)
    assert (model.name, model.model_group_id, model.model_version) == ("renamed", group.model_group_id, "1")
    with pytest.raises(NotFound, match="model group id: nope"):
        await ml.models.update(made.model_id, model_group_id="nope")
