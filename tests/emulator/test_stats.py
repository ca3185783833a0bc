"""Statistics and profiles, beyond the recordings: they count what really happened."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import BadRequest, ServerError, Session, TaskFailed
from aiomlcommons.api.connectors import ConnectorAction
from aiomlcommons.api.stats import ActionStats, NodeStats
from aiomlcommons.emulator import Emulator
from tests.support.emulated_models import ALLOWED, NOW

pytestmark = pytest.mark.asyncio


async def of_node(ml: Session, *args: Any, **options: Any) -> NodeStats:
    nodes = (await ml.stats(*args, **options)).nodes
    assert nodes is not None
    (found,) = nodes.values()
    return found


async def test_what_is_done_is_counted(ml: Session, dense: str) -> None:
    for _ in range(3):
        await ml.predict("text_embedding", dense, text_docs=["a"])
    found = await of_node(ml)
    once, thrice = ActionStats(ml_action_request_count=1), ActionStats(ml_action_request_count=3)
    assert found.algorithms == {"text_embedding": {"register": once, "deploy": once, "predict": thrice}}
    assert found.models == {dense: {"deploy": once, "predict": thrice}}
    assert (found.ml_request_count, found.ml_failure_count, found.ml_deployed_model_count) == (5, 0, 1)
    stats = await ml.stats()
    assert (stats.ml_model_count, stats.ml_model_index_status) == (1, "green")
    assert stats.ml_connector_index_status == "non-existent"


async def test_what_a_model_does_is_counted_and_not_how_it_came(ml: Session) -> None:
    await ml.settings.apply(ALLOWED)
    action = ConnectorAction(action_type="predict", method="POST", url="http://127.0.0.1:1/")
    made = await ml.connectors.create("c", version=1, protocol="http", actions=[action])
    started = await ml.models.register("m", function_name="remote", connector_id=made.connector_id)
    found = await of_node(ml)
    assert found.algorithms == {"remote": {"register": ActionStats(ml_action_request_count=1)}}
    assert found.models == {}
    with pytest.raises(ServerError):
        await ml.models.predict(started.model_id or "", parameters={})
    failed = ActionStats(ml_action_request_count=1, ml_action_failure_count=1)
    assert ((await of_node(ml)).algorithms or {})["remote"]["predict"] == failed
    (node,) = ((await ml.profile.all()).nodes or {}).values()
    profile = (node.models or {})[started.model_id or ""]
    assert profile.model_inference_stats is None
    assert profile.predict_request_stats is not None
    assert profile.predict_request_stats.count == 1


async def test_failures_and_tasks_under_way_are_counted(ml: Session) -> None:
    started = await ml.models.register("huggingface/no/such", version="1", model_format="TORCH_SCRIPT")
    assert (await of_node(ml)).ml_executing_task_count == 1
    with pytest.raises(TaskFailed):
        await ml.task(started, backoff=NOW)
    found = await of_node(ml)
    assert (found.ml_executing_task_count, found.ml_request_count, found.ml_failure_count) == (0, 1, 1)
    failed = ActionStats(ml_action_request_count=1, ml_action_failure_count=1)
    assert found.algorithms == {"text_embedding": {"register": failed}}


async def test_only_what_is_asked_for_is_told(ml: Session, dense: str) -> None:
    stats = await ml.stats("ml_model_count")
    assert (stats.ml_model_count, stats.ml_model_index_status, stats.nodes) == (1, None, None)
    both = await ml.stats("ml_model_count,ml_request_count")
    assert both.ml_model_count == 1
    assert both.nodes is not None
    found = await of_node(ml, "ml_request_count")
    assert (found.ml_request_count, found.ml_failure_count, found.algorithms) == (2, None, {})
    found = await of_node(ml, target_stat_levels=["ALGORITHM"], actions=["DEPLOY"])
    assert (found.ml_request_count, list(found.algorithms or {})) == (None, ["text_embedding"])
    assert list((found.algorithms or {})["text_embedding"]) == ["deploy"]
    assert (await of_node(ml, models=["nope"])).models == {}
    assert (await of_node(ml)).models == (await of_node(ml, models=[dense])).models


async def test_other_nodes_have_nothing_to_tell(ml: Session) -> None:
    assert (await ml.stats(node_id="nope")).nodes is None
    assert (await ml.stats(node_ids=["nope"])).nodes is None
    assert (await ml.profile.all(node_ids=["nope"])).nodes is None


@pytest.mark.parametrize(
    ("options", "words"),
    [({"stat": "nope"}, "Wrong ML cluster level stat"), ({"target_stat_levels": ["nope"]}, "Wrong ML stat level")],
)
async def test_a_word_that_nobody_knows_is_refused(ml: Session, options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        await ml.stats(**options)


async def test_a_restart_begins_anew(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    assert (await ml.profile.models(dense)).nodes
    ml_emulator.restart()
    found = await of_node(ml)
    assert (found.ml_request_count, found.algorithms, found.models) == (0, {}, {})
    assert (await ml.profile.all()).nodes is None


async def test_a_profile_tells_how_long_predictions_took(ml: Session, dense: str, ml_emulator: Emulator) -> None:
    ticks = iter(range(1000))
    ml_emulator.cluster.clock = lambda: next(ticks)
    for _ in range(2):
        await ml.predict("text_embedding", dense, text_docs=["a"])
    nodes = (await ml.profile.models(dense)).nodes
    assert nodes is not None
    node = nodes[ml_emulator.cluster.node_id]
    assert node.tasks is None
    found = (node.models or {})[dense]
    assert (found.model_state, found.worker_nodes) == ("DEPLOYED", [ml_emulator.cluster.node_id])
    inferred, asked = found.model_inference_stats, found.predict_request_stats
    assert inferred is not None
    assert asked is not None
    assert (inferred.count, inferred.min, inferred.p99, inferred.average) == (2, 1000, 1000, 1000)
    assert (asked.count, asked.max) == (2, 3000)


async def test_the_settings_say_how_many_predictions_are_watched(ml: Session, dense: str) -> None:
    await ml.settings.put(persistent={"plugins.ml_commons.monitoring_request_count": 1})
    for _ in range(3):
        await ml.predict("text_embedding", dense, text_docs=["a"])
    models = (await ml.profile.all(view="model")).models
    assert models is not None
    (profile,) = (models[dense].nodes or {}).values()
    assert profile.predict_request_stats is not None
    assert profile.predict_request_stats.count == 1
    await ml.settings.put(persistent={"plugins.ml_commons.monitoring_request_count": 0})
    models = (await ml.profile.all(view="model")).models
    assert models is not None
    (profile,) = (models[dense].nodes or {}).values()
    assert profile.predict_request_stats is None


async def test_a_model_that_is_off_the_node_has_no_profile(ml: Session, dense: str) -> None:
    await ml.models.undeploy(dense)
    assert (await ml.profile.models(dense)).nodes is None


async def test_a_task_has_a_profile_while_it_is_at_work(ml: Session, dense: str) -> None:
    started = await ml.models.deploy(dense)
    nodes = (await ml.profile.tasks(started.task_id)).nodes
    assert nodes is not None
    (node,) = nodes.values()
    assert (list(node.tasks or {}), node.models) == ([started.task_id], None)
    views = (await ml.profile.all(model_ids=[dense], view="model")).models
    assert views is not None
    assert list(views[dense].tasks or {}) == [started.task_id]
    await ml.task(started, backoff=NOW)
    assert (await ml.profile.tasks(started.task_id)).nodes is None
