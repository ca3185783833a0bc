"""The node of the emulator: its roles, how full it is, and what the security plugin refuses."""

from __future__ import annotations

import pytest

from aiomlcommons import BadRequest, Forbidden, Session, TaskFailed, TooManyRequests
from aiomlcommons.emulator import AT_ONCE, Cluster, Emulator
from aiomlcommons.emulator.machine import DATA_NODE, GB
from aiomlcommons.emulator.security import Security

PRETRAINED = "huggingface/sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.asyncio
@pytest.mark.parametrize(("full", "word"), [({"heap": 86}, "Memory"), ({"free_disk": 5 * GB - 1}, "Disk")])
async def test_an_open_breaker_refuses_to_register_deploy_and_predict(full: dict[str, int], word: str) -> None:
    emulated = Emulator(refresh=AT_ONCE)
    async with emulated.serve() as url, Session(url, retries=0) as ml:
        await ml.settings.allow_first_model()
        model = await ml.models.ensure(PRETRAINED)
        other = await ml.models.ensure("all-distilroberta-v1", deploy=False)
        for name, value in full.items():
            setattr(emulated.cluster.machine, name, value)
        with pytest.raises(TooManyRequests, match=f"^{word} Circuit Breaker is open"):
            await ml.embed_many(model.model_id, ["a"])
        with pytest.raises(TaskFailed, match=f"{word} Circuit Breaker is open"):
            await ml.task(await ml.models.deploy(other.model_id))
        with pytest.raises(TaskFailed, match=f"{word} Circuit Breaker is open"):
            await ml.task(await ml.models.register(PRETRAINED, version="1.0.1", model_format="TORCH_SCRIPT"))


@pytest.mark.asyncio
async def test_a_breaker_can_be_switched_off() -> None:
    emulated = Emulator(refresh=AT_ONCE)
    machine, settings = emulated.cluster.machine, emulated.cluster.settings
    machine.heap, machine.free_disk = 99, 0
    prefix = "plugins.ml_commons."
    settings.put({f"{prefix}jvm_heap_memory_threshold": 100, f"{prefix}disk_free_space_threshold": "-1"}, {})
    assert machine.open_breaker(settings) is None


@pytest.mark.asyncio
async def test_an_ml_node_runs_models_whatever_the_setting() -> None:
    emulated = Emulator(refresh=AT_ONCE)
    async with emulated.serve() as url, Session(url) as ml:
        model = await ml.models.ensure(PRETRAINED, deploy=False)
        with pytest.raises(BadRequest, match="no eligible node found"):
            await ml.models.deploy(model.model_id)
        emulated.cluster.machine.roles = (*DATA_NODE, "ml")
        assert (await ml.task(await ml.models.deploy(model.model_id))).state == "COMPLETED"


@pytest.mark.asyncio
@pytest.mark.parametrize("version", ["2.4.1", "3.4.0"])
async def test_a_privilege_that_is_denied_is_named(version: str) -> None:
    emulated = Emulator(Cluster(version=version))
    emulated.cluster.security = Security("ann", ["own_index"], ["cluster:admin/opensearch/ml/tasks/*"])
    async with emulated.serve() as url, Session(url) as ml:
        await ml.models.search()
        reason = r"no permissions for \[cluster:admin/opensearch/ml/tasks/search\] and User \[name=ann,"
        with pytest.raises(Forbidden, match=reason):
            await ml.tasks.search()
        assert (await ml.request("GET", "/_plugins/_security/authinfo")).json()["user_name"] == "ann"


@pytest.mark.asyncio
async def test_a_server_can_be_asked_about_a_request_without_executing_it() -> None:
    emulated = Emulator()
    emulated.cluster.security = Security("ann", denied=["cluster:admin/settings/*"])
    query, body = {"perform_permission_check": "true"}, {"persistent": {"plugins.ml_commons.max_ml_task_per_node": 3}}
    async with emulated.serve() as url, Session(url) as ml:
        answer = (await ml.request("PUT", "/_cluster/settings", query=query, body=body)).json()
        assert answer == {"accessAllowed": False, "missingPrivileges": ["cluster:admin/settings/update"]}
        emulated.cluster.security.denied.clear()
        answer = (await ml.request("PUT", "/_cluster/settings", query=query, body=body)).json()
        assert answer == {"accessAllowed": True, "missingPrivileges": []}
        assert (await ml.settings.read()).max_ml_task_per_node == 10
