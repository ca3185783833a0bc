"""``ensure`` is idempotent: existing models are found, missing steps are performed once."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import attrs
import pytest

from aiomlcommons import (
    Backoff,
    ConnectError,
    InvalidRequest,
    ModelNotReady,
    NotFound,
    NotSupported,
    Session,
    TaskFailed,
)
from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta, UploadModelChunk
from aiomlcommons.api.models import DeployModel, GetModel
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.tasks import GetTask, TaskState
from aiomlcommons.connectors import openai_embeddings
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.lifecycle.errors import BadPackage, BlockedBySetting, NoSuchModel, NotDeployed, NotRegistered
from aiomlcommons.lifecycle.spec import (
    ExistingModel,
    FileModel,
    GroupSpec,
    PretrainedModel,
    RemoteModel,
    Spec,
    UrlModel,
)
from aiomlcommons.progress.event import Phase, Progress
from tests.support.ensure_process import DENSE, FILE, SPECS
from tests.support.file_server import served_file
from tests.support.paths import MODELS
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio
# Jitter: clients that lost a race must not retry at the same moment, or they would race again.
APART = Backoff(first=0.01, cap=0.2)
MINILM = PretrainedModel(name="all-MiniLM-L6-v2")


async def ensure(ml: Session, spec: Spec | str, **options: Any) -> Any:
    return await ml.models.ensure(spec, **{"backoff": NOW, "stall_timeout": 0, **options})


@pytest.mark.parametrize("kind", SPECS)
async def test_a_second_call_finds_what_the_first_one_did(world: ServedEmulator, kind: str) -> None:
    first = await ensure(world.ml, SPECS[kind])
    again = await ensure(world.ml, SPECS[kind])
    assert (first.registered, first.deployed, again.registered, again.deployed) == (True, True, False, False)
    assert again.model_id == first.model_id
    assert again.model.is_deployed
    assert len(await world.models()) == 1


@pytest.mark.parametrize("kind", SPECS)
async def test_many_at_once_end_with_one_model(world: ServedEmulator, kind: str) -> None:
    ensured = await asyncio.gather(*(world.ml.models.ensure(SPECS[kind], backoff=APART) for _ in range(8)))
    assert len({one.model_id for one in ensured}) == 1
    assert [key for key, _ in await world.models()] == [ensured[0].model_id]
    assert all(one.model.is_deployed for one in ensured)


async def test_a_model_by_url_is_known_by_its_hash(world: ServedEmulator) -> None:
    wrong = UrlModel(name="by url", url="", model_content_hash_value="0" * 64, model_config=DENSE)
    async with served_file(MODELS / "tiny-dense.zip") as url:
        with pytest.raises(NotRegistered, match="does not have the SHA-256 0000"):
            await ensure(world.ml, attrs.evolve(wrong, url=url))
        from_file = await ensure(world.ml, FILE)
        right = attrs.evolve(wrong, url=url, model_content_hash_value=from_file.model.model_content_hash_value.upper())
        made = await ensure(world.ml, right)
        assert (await ensure(world.ml, right)).model_id == made.model_id != from_file.model_id


@pytest.mark.parametrize("keep", [False, True])
async def test_an_old_server_is_not_told_the_hash_and_the_file_is_checked_afterwards(keep: bool) -> None:
    emulator = Emulator(Cluster(version="2.4.1"))
    async with (
        served_file(MODELS / "tiny-dense.zip") as url,
        emulator.serve() as server,
        Session(server, backoff=NOW) as old,
    ):
        await old.settings.allow_first_model()
        wrong = UrlModel(name="by url", url=url, model_content_hash_value="0" * 64, model_config=DENSE)
        with pytest.raises(NotRegistered, match="does not have the SHA-256 0000"):
            await ensure(old, wrong, keep=keep)
        # Searches of such a server still find deleted documents for a second.
        there = [found.source for found in emulator.cluster.models.documents.values()]
        assert len([model for model in there if model.chunk_number is None]) == keep
        digest = hashlib.sha256((MODELS / "tiny-dense.zip").read_bytes()).hexdigest()
        right = attrs.evolve(wrong, model_content_hash_value=digest)
        assert (await ensure(old, right)).model_id == (await ensure(old, right)).model_id
        assert (await ensure(old, attrs.evolve(FILE, group=None))).model.is_deployed


async def test_compat_drops_nothing_that_a_newer_server_wants(world: ServedEmulator) -> None:
    async with served_file(MODELS / "tiny-dense.zip") as url, Session(world.url, compat="2.4", backoff=NOW) as ml:
        digest = hashlib.sha256((MODELS / "tiny-dense.zip").read_bytes()).hexdigest()
        right = UrlModel(name="by url", url=url, model_content_hash_value=digest, model_config=DENSE, group="g")
        wrong = attrs.evolve(right, name="wrong", model_content_hash_value="0" * 64)
        assert (await ensure(ml, right)).model.is_deployed
        with pytest.raises(NotRegistered, match="does not have the SHA-256 0000"):
            await ensure(ml, wrong, keep=True)
        assert len(await world.models()) == 1, "the server was not told the hash"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (MINILM, r"a pretrained model by its name needs OpenSearch 2\.6"),
        (PretrainedModel(name="neural_sparse_encoding"), r"a SPARSE_ENCODING model needs OpenSearch 2\.11"),
        (FileModel(path=MODELS / "tiny-sparse.zip", function_name="SPARSE_ENCODING"), "a SPARSE_ENCODING model needs"),
        (
            FileModel(path=MODELS / "tiny-tokenizer.zip", function_name="SPARSE_TOKENIZE"),
            "a SPARSE_TOKENIZE model needs",
        ),
        (RemoteModel(name="r", connector_id="c"), r"connector_id needs OpenSearch 2\.9"),
        (attrs.evolve(FILE, is_enabled=True), r"is_enabled needs OpenSearch 2\.12"),
    ],
)
async def test_what_an_old_server_can_make_no_model_of_leaves_nothing_there(spec: Any, words: str) -> None:
    emulator = Emulator(Cluster(version="2.4.1"))
    async with emulator.serve() as url, Session(url, backoff=NOW) as old:
        await old.settings.allow_first_model()
        with pytest.raises(NotSupported, match=f"{words}.*; this server is 2\\.4"):
            await ensure(old, attrs.evolve(spec, group="ours"))
    assert not list(emulator.cluster.groups.documents)


async def test_a_word_is_an_id_a_name_or_a_pretrained_model(world: ServedEmulator) -> None:
    made = await ensure(world.ml, "all-MiniLM-L6-v2")
    for word in (made.model_id, made.model.name, "all-MiniLM-L6-v2"):
        assert (await ensure(world.ml, word)).model_id == made.model_id
    old, new = [await register_anew(world, created) for created in (1, 2)]
    assert (await ensure(world.ml, "of ours", deploy=False)).model_id == new != old
    # A name does not resolve to an incomplete registration.
    world.emulator.cluster.models.change(new, model_state=ModelState.REGISTERING)
    assert (await ensure(world.ml, "of ours", deploy=False)).model_id == old
    world.emulator.cluster.models.change(old, model_state=ModelState.REGISTERING)
    assert (await ensure(world.ml, "of ours", deploy=False)).model_id == new
    with pytest.raises(NoSuchModel, match="'no such model'; give an id"):
        await ensure(world.ml, "no such model")
    with pytest.raises(NotFound, match="nope"):
        await ensure(world.ml, ExistingModel(model_id="nope"))


async def register_anew(world: ServedEmulator, created: int) -> str:
    """One more model of one name; return its id."""
    connector = openai_embeddings("text-embedding-3-small", "key")
    model_id = (await world.ml.models.register("of ours", function_name="remote", connector=connector)).model_id
    assert model_id is not None
    world.emulator.cluster.models.change(model_id, created_time=created)
    return model_id


async def test_another_version_of_a_pretrained_model_is_another_model(world: ServedEmulator) -> None:
    old = await ensure(world.ml, PretrainedModel(name="all-MiniLM-L6-v2", version="1.0.1"))
    new = await ensure(world.ml, MINILM)
    onnx = await ensure(world.ml, PretrainedModel(name="all-MiniLM-L6-v2", model_format="ONNX"))
    assert len({old.model_id, new.model_id, onnx.model_id}) == 3
    assert (await ensure(world.ml, PretrainedModel(name="all-MiniLM-L6-v2", version="1.0.1"))).model_id == old.model_id


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "all-MiniLM-L6"}, "did you mean .*all-MiniLM-L6-v2"),
        ({"name": "all-MiniLM-L6-v2", "version": "9"}, "available: 1.0.1 .TORCH_SCRIPT/ONNX."),
        ({"name": "all-MiniLM-L6-v2", "dimension": 768}, "dimension: .* has 384, not 768"),
    ],
)
async def test_a_pretrained_model_that_there_is_not_is_refused_before_the_network(
    wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        PretrainedModel(**wrong)


async def test_a_group_is_made_once_and_shared(world: ServedEmulator) -> None:
    group = GroupSpec(name="shared", description="of two")
    one = await ensure(world.ml, attrs.evolve(FILE, group=group))
    other = await ensure(world.ml, attrs.evolve(MINILM, group="shared"))
    assert one.model.model_group_id == other.model.model_group_id
    found = await world.ml.model_groups.get(one.model.model_group_id)
    assert (found.name, found.description) == ("shared", "of two")


async def test_a_setting_in_the_way_is_named_or_changed(world: ServedEmulator) -> None:
    await world.ml.settings.apply(MLSettings(only_run_on_ml_node=True, allow_registering_model_via_local_file=False))
    with pytest.raises(
        BlockedBySetting, match=r"set plugins\.ml_commons\.allow_registering_model_via_local_file to true"
    ):
        await ensure(world.ml, FILE)
    with pytest.raises(
        BlockedBySetting, match=r"no ML node.*set plugins\.ml_commons\.only_run_on_ml_node to false.*--change-settings"
    ):
        await ensure(world.ml, MINILM)
    assert (await ensure(world.ml, FILE, change_settings=True)).model.is_deployed
    assert (await world.ml.settings.read()).only_run_on_ml_node is False


async def test_a_remedy_that_does_not_help_is_tried_once(world: ServedEmulator) -> None:
    world.emulator.faults.fail_task("Memory Circuit Breaker is open, please check your resources!", times=None)
    with pytest.raises(BlockedBySetting, match="jvm_heap_memory_threshold"):
        await ensure(world.ml, MINILM, change_settings=True)
    assert (await world.ml.settings.read()).jvm_heap_memory_threshold == 100


# ---- what can be healed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        ("pretrained", RegisterModel),
        ("remote", RegisterModel),
        ("file", RegisterModelMeta),
        ("file", UploadModelChunk),
        ("pretrained", DeployModel),
    ],
)
@pytest.mark.parametrize("fault", ["cut", "drop"])
async def test_an_answer_that_is_lost_is_looked_for(
    world: ServedEmulator, kind: str, endpoint: Any, fault: str
) -> None:
    getattr(world.emulator.faults, fault)(on=endpoint)
    ensured = await ensure(world.ml, SPECS[kind])
    assert ensured.model.is_deployed
    assert [key for key, _ in await world.models()] == [ensured.model_id]


async def test_answers_that_are_lost_for_ever_are_an_error(world: ServedEmulator) -> None:
    world.emulator.faults.drop(on=RegisterModel, times=None)
    with pytest.raises(ConnectError):
        await ensure(world.ml, MINILM)


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("phase", [Phase.REGISTERING, Phase.UPLOADING, Phase.REGISTERED, Phase.DEPLOYING])
async def test_a_server_that_is_restarted_at_a_phase_ends_with_one_model(
    world: ServedEmulator, kind: str, phase: Phase
) -> None:
    met: list[Phase] = []

    def restart(progress: Progress) -> None:
        if progress.phase == phase and phase not in met:
            met.append(phase)
            world.emulator.restart()
            world.emulator.faults.drop(on=lambda _: True, times=1)

    ensured = await ensure(world.ml, SPECS[kind], progress=restart)
    assert ensured.model.is_deployed
    assert [key for key, _ in await world.models()] == [ensured.model_id]
    assert met == [phase] or (phase is Phase.UPLOADING and kind != "file")


async def test_a_restart_takes_jobs_along_and_they_are_begun_again(world: ServedEmulator) -> None:
    """The server starts the task and is restarted before it ends: the task's record stays RUNNING forever."""

    def restart_after(endpoint: Any) -> None:
        async def action(_: Any, go: Any) -> Any:
            answer = await go()
            world.emulator.restart()
            return answer

        world.emulator.faults.add(action, on=endpoint, times=1)

    restart_after(DeployModel)
    ensured = await ensure(world.ml, FILE)
    assert ensured.model.is_deployed
    assert Phase.HEALING in ensured.did
    world.emulator.restart()
    # The record survives the restart, so it does not prove that any node has loaded the model.
    assert (await world.ml.models.get(ensured.model_id)).is_deployed
    with pytest.raises(ModelNotReady):
        await world.ml.embed_one(ensured.model_id, "x")
    assert (await ensure(world.ml, FILE)).model_id == ensured.model_id
    assert len(await world.ml.embed_one(ensured.model_id, "x")) == 16


async def test_a_task_that_the_server_forgot_is_not_the_end(world: ServedEmulator) -> None:
    async def forget(_: Any, go: Any) -> Any:
        for task in list(world.emulator.cluster.tasks.documents):
            world.emulator.cluster.tasks.documents.pop(task)
            world.emulator.cluster.jobs.pop(task)
        return await go()

    world.emulator.faults.add(forget, on=GetTask, times=1)
    ensured = await ensure(world.ml, MINILM)
    assert ensured.model.is_deployed
    assert len(await world.models()) == 1


async def test_a_registration_that_misses_something_is_not_taken_for_a_forgotten_task(world: ServedEmulator) -> None:
    seen: list[Progress] = []
    with pytest.raises(NotFound, match="Failed to find connector"):
        await ensure(world.ml, RemoteModel(name="x", connector_id="nope"), progress=seen.append)
    assert [one.phase for one in seen].count(Phase.REGISTERING) == 1


async def test_a_deployment_that_hangs_is_taken_back_and_begun_again(world: ServedEmulator) -> None:
    made = await ensure(world.ml, MINILM, deploy=False)
    world.emulator.faults.hang_task()
    await world.ml.models.deploy(made.model_id)
    assert (await world.ml.models.get(made.model_id)).model_state == ModelState.DEPLOYING
    # Nothing advances this task any more, as after its node has left.
    world.emulator.cluster.jobs.clear()
    ensured = await ensure(world.ml, MINILM)
    assert ensured.model_id == made.model_id
    assert Phase.HEALING in ensured.did


async def test_a_deployment_of_somebody_else_is_waited_for(world: ServedEmulator) -> None:
    made = await ensure(world.ml, MINILM, deploy=False)
    started = await world.ml.models.deploy(made.model_id)
    ensured = await world.ml.models.ensure(ExistingModel(model_id=made.model_id), backoff=NOW)
    assert ensured.did == (Phase.WAITING, Phase.DEPLOYED)
    assert ensured.model.is_deployed
    assert (await world.ml.task(started)).state == TaskState.COMPLETED


async def test_a_registration_of_somebody_else_is_waited_for(world: ServedEmulator) -> None:
    known = MINILM.known
    started = await world.ml.models.register(known.name, version=known.version, model_format=known.model_format)
    ensured = await world.ml.models.ensure(MINILM, backoff=NOW)
    assert ensured.did == (Phase.WAITING, Phase.FOUND, Phase.DEPLOYING, Phase.DEPLOYED)
    assert (await world.ml.tasks.get(started.task_id)).model_id == ensured.model_id


async def test_a_registration_of_somebody_else_that_fails_is_made_anew(world: ServedEmulator) -> None:
    known = MINILM.known
    world.emulator.faults.fail_task("out of luck", on=RegisterModel)
    await world.ml.models.register(known.name, version=known.version, model_format=known.model_format)
    ensured = await world.ml.models.ensure(MINILM, backoff=NOW)
    assert (ensured.registered, len(await world.models())) == (True, 1)


async def test_a_model_that_somebody_else_registers_is_looked_at_until_it_is(world: ServedEmulator) -> None:
    digest = (await ensure(world.ml, FILE, deploy=False)).model.model_content_hash_value
    spec = UrlModel(name="tiny", url="http://host/x.zip", model_content_hash_value=digest, model_config=DENSE)
    (model_id, _), *_ = await world.models()
    world.emulator.cluster.models.change(model_id, model_state=ModelState.REGISTERING)
    looks = 0

    async def end_after_some(_: Any, go: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 4:
            world.emulator.cluster.models.change(model_id, model_state=ModelState.REGISTERED)
        return await go()

    world.emulator.faults.add(end_after_some, on=GetModel, times=None)
    ensured = await world.ml.models.ensure(spec, backoff=NOW)
    assert (ensured.model_id, ensured.registered, ensured.model.is_deployed) == (model_id, False, True)


async def test_a_model_that_is_gone_meanwhile_is_registered_anew(world: ServedEmulator) -> None:
    digest = (await ensure(world.ml, FILE, deploy=False)).model.model_content_hash_value
    async with served_file(MODELS / "tiny-dense.zip") as url:
        spec = UrlModel(name="tiny", url=url, model_content_hash_value=digest, model_config=DENSE)
        (model_id, _), *_ = await world.models()
        world.emulator.cluster.models.change(model_id, model_state=ModelState.REGISTERING)
        looks = 0

        async def delete_after_some(_: Any, go: Any) -> Any:
            nonlocal looks
            looks += 1
            if looks == 2:
                world.emulator.cluster.models.delete(model_id)
            return await go()

        world.emulator.faults.add(delete_after_some, on=GetModel, times=None)
        ensured = await world.ml.models.ensure(spec, backoff=NOW)
    assert (ensured.model_id != model_id, ensured.registered) == (True, True)


async def test_a_registration_that_nobody_goes_on_with_is_made_anew(world: ServedEmulator) -> None:
    async with served_file(MODELS / "tiny-dense.zip") as url:
        digest = (await ensure(world.ml, FILE, deploy=False)).model.model_content_hash_value
        spec = UrlModel(name="by url", url=url, model_content_hash_value=digest, model_config=DENSE)
        dead = (await ensure(world.ml, spec, deploy=False)).model_id
        world.emulator.cluster.models.change(dead, model_state=ModelState.REGISTERING)
        ensured = await ensure(world.ml, spec)
    assert ensured.model_id != dead
    with pytest.raises(NotFound):
        await world.ml.models.get(dead)


async def test_a_deployment_that_fails_says_why(world: ServedEmulator) -> None:
    world.emulator.faults.fail_task("out of luck")
    with pytest.raises(TaskFailed, match="out of luck"):
        await ensure(world.ml, MINILM)
    assert (await ensure(world.ml, MINILM)).model.is_deployed


async def test_a_registration_that_fails_without_a_word_is_an_error_all_the_same(world: ServedEmulator) -> None:
    world.emulator.faults.fail_task("", on=RegisterModel)
    with pytest.raises(TaskFailed, match="the server gave no reason"):
        await ensure(world.ml, MINILM)


async def test_a_cluster_that_loses_what_is_registered_is_not_asked_for_ever(world: ServedEmulator) -> None:
    async def loses(_: Any, go: Any) -> Any:
        answer = await go()
        world.emulator.cluster.models.documents.clear()
        return answer

    world.emulator.faults.add(loses, on=RegisterModel, times=None)
    with pytest.raises(NotRegistered, match="remote: the cluster lost 10 registrations, see its log"):
        await ensure(world.ml, SPECS["remote"])


@pytest.mark.parametrize("kind", SPECS)
async def test_every_pause_is_as_long_as_asked_for(
    world: ServedEmulator, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: set[float] = set()

    async def sleep(seconds: float) -> None:
        pauses.add(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr("anyio.sleep", sleep)
    await world.ml.models.ensure(SPECS[kind], backoff=Backoff(first=7, factor=1, jitter=0))
    assert pauses == {7}


async def test_a_deployment_that_is_a_duplicate_of_one_that_nobody_knows_is_begun_again(world: ServedEmulator) -> None:
    world.emulator.faults.fail_task("Duplicate deploy model task")
    ensured = await ensure(world.ml, MINILM)
    assert ensured.model.is_deployed
    assert Phase.HEALING in ensured.did


async def test_a_model_whose_record_plans_no_node_is_not_on_those_that_are_asked_for(world: ServedEmulator) -> None:
    await world.ml.settings.apply(MLSettings(allow_custom_deployment_plan=True))
    made = await ensure(world.ml, MINILM)
    node = world.emulator.cluster.node_id
    assert not (await ensure(world.ml, MINILM, node_ids=[node])).deployed
    world.emulator.cluster.models.change(made.model_id, planning_worker_nodes=None)
    assert (await ensure(world.ml, MINILM, node_ids=[node])).deployed


async def test_too_many_at_once_are_waited_for_where_the_version_is_not_known(world: ServedEmulator) -> None:
    world.emulator.faults.fail(403, reason="no permissions", on=lambda http: http.path == "/", times=None)
    world.emulator.faults.fail_task("exceed max running task limit")
    assert (await world.ml.models.ensure(FILE, backoff=NOW)).model.is_deployed


async def test_some_nodes_are_enough_for_whom_they_are(world: ServedEmulator) -> None:
    made = await ensure(world.ml, MINILM)

    async def partly(_: Any, go: Any) -> Any:
        world.emulator.cluster.models.change(
            made.model_id, model_state=ModelState.PARTIALLY_DEPLOYED, planning_worker_node_count=2
        )
        return await go()

    world.emulator.faults.add(partly, on=lambda http: http.path.endswith(made.model_id), times=None)
    assert not (await ensure(world.ml, MINILM, allow_partial=True)).deployed
    with pytest.raises(NotDeployed, match="PARTIALLY_DEPLOYED, on 1 of 2 nodes; accept that with allow_partial=True"):
        await ensure(world.ml, MINILM)


# ---- files ---------------------------------------------------------------------------------------------------------


async def test_a_hash_that_does_not_match_stops_before_the_network(world: ServedEmulator) -> None:
    with pytest.raises(BadPackage, match="not 0000"):
        await ensure(world.ml, attrs.evolve(FILE, model_content_hash_value="0" * 64))
    assert not await world.models()


async def test_a_model_without_a_config_needs_one_beside_it(world: ServedEmulator) -> None:
    with pytest.raises(BadPackage, match="model_config is not given"):
        await ensure(world.ml, attrs.evolve(FILE, model_config=None))


async def test_a_connector_is_named_or_carried() -> None:
    with pytest.raises(InvalidRequest, match="either connector_id or connector"):
        RemoteModel(name="neither")
