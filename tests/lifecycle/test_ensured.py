"""What ``ensure`` returns is the id of the model, wherever an id is taken or written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cbor2
import orjson
import pytest

from aiomlcommons import EnsuredModel, InvalidRequest, NotFound, PretrainedModel, Request
from aiomlcommons.api.agents import LLMSpec, RegisterAgent, ToolSpec
from aiomlcommons.api.common import Hit
from aiomlcommons.api.memory_containers import CreateMemoryContainer, MemoryConfiguration
from aiomlcommons.api.model_groups import SearchModelGroups
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.models import DeployModel, UndeployModel
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.stats import GetModelProfiles
from aiomlcommons.connectors import openai_embeddings
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.progress.event import Phase
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import to_http
from tests.support.copies import copies
from tests.support.jobs import Memory
from tests.support.served_emulator import NOW, ServedEmulator

ID = "a-Z_09/é"
ENSURED = EnsuredModel(
    model_id=ID, model=Model(name="tiny", model_state=ModelState.DEPLOYED), did=(Phase.REGISTERED, Phase.DEPLOYING)
)


def test_it_is_the_id_in_every_text_and_format() -> None:
    assert (str(ENSURED), f"{ENSURED}", "%s" % ENSURED, ENSURED.model_id) == (ID,) * 4  # noqa: UP031
    assert {type(str(ENSURED)), type(ENSURED.model_id)} == {str}
    assert (ENSURED == ID, hash(ENSURED) == hash(ID), {ID: 1}[ENSURED], ID == ENSURED) == (True, True, 1, True)
    assert orjson.dumps({"id": ENSURED, "ids": [ENSURED]}) == orjson.dumps({"id": ID, "ids": [ID]})
    assert json.dumps({"id": ENSURED, ENSURED: 1}) == json.dumps({"id": ID, ID: 1})
    assert cbor2.dumps({"id": ENSURED}) == cbor2.dumps({"id": ID})
    assert convert.unstructure({"id": ENSURED}) == {"id": ID}
    assert quote(ENSURED, safe="") == quote(ID, safe="")


def test_it_shows_itself_in_one_line() -> None:
    assert repr(ENSURED) == f"<EnsuredModel {ID} 'tiny' DEPLOYED>"
    assert f"{[ENSURED]}" == f"[{ENSURED!r}]"
    assert (ENSURED.registered, ENSURED.deployed) == (True, True)
    found = EnsuredModel(model_id="b", model=ENSURED.model)
    assert (found.did, found.registered, found.deployed) == ((), False, False)


def test_a_copy_has_the_model_too() -> None:
    for other in copies(ENSURED):
        assert (type(other), other, other.model, other.did) == (EnsuredModel, ENSURED, ENSURED.model, ENSURED.did)


@pytest.mark.parametrize(
    "make",
    [
        lambda key: DeployModel(key),
        lambda key: Predict("text_embedding", key, text_docs=["a"]),
        lambda key: UndeployModel(key),
        lambda key: GetModelProfiles(model_id=key),
        lambda key: SearchModelGroups({"query": {"neural": {"f": {"query_text": "a", "model_id": key}}}}),
        lambda key: RegisterAgent("a", "conversational", llm=LLMSpec(key), parameters={"model_id": key}),
        lambda key: RegisterAgent("a", "flow", tools=[ToolSpec("MLModelTool", parameters={"model_id": key})]),
        lambda key: CreateMemoryContainer("c", configuration=MemoryConfiguration(embedding_model_id=key)),
        lambda key: openai_embeddings("m", "api key", parameters={"model_id": key}),
    ],
)
def test_a_request_is_the_same_as_with_the_plain_id(make: Any) -> None:
    sent, expected = to_http(make(ENSURED)), to_http(make(ID))
    assert sent == expected
    assert isinstance(make(ENSURED), Request)


@pytest.mark.asyncio
async def test_every_call_takes_it(world: ServedEmulator) -> None:
    ml = world.ml
    made = await ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)
    assert isinstance(made, EnsuredModel)
    assert (await ml.models.get(made)).name == made.model.name
    expected = await ml.embed_one(made.model_id, "a")
    assert (await ml.embed_one(made, "a") == expected).all()
    assert (await ml.embed_many(made, ["a"]) == [expected]).all()
    async with ml.embed(made, ["a"]) as embedded:
        assert [(vector == expected).all() async for _, vector in embedded] == [True]
    assert (await ml.predict("text_embedding", made, text_docs=["a"])).inference_results
    answer = await ml.request("POST", f"/_plugins/_ml/models/{made}/_predict", body={"text_docs": ["a"]})
    assert answer.status == 200
    assert await ml.models.remove(made)


@pytest.mark.asyncio
async def test_it_is_the_model_that_it_was(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)
    await world.ml.models.update(made, name="renamed")
    again = await world.ml.models.ensure(made, backoff=NOW)
    assert (again, again.registered, again.model.name) == (made, False, "renamed")
    await world.ml.models.remove(made, backoff=NOW)
    with pytest.raises(NotFound):
        await world.ml.models.ensure(made, backoff=NOW)


@pytest.mark.asyncio
async def test_a_job_resumes_whether_it_began_with_the_id_or_with_the_model(
    world: ServedEmulator, tmp_path: Path
) -> None:
    sent = 0

    async def count(request: Any, go: Any) -> Any:
        nonlocal sent
        sent += len(orjson.loads(await request.read())["text_docs"])
        return await go()

    world.emulator.faults.add(count, on=PREDICTIONS, times=None)
    made = await world.ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)
    rows = [{"id": str(n), "text": f"text {n}"} for n in range(40)]
    for number, (begun, resumed) in enumerate([(made.model_id, made), (made, made.model_id)]):
        files: Any = {"sink": tmp_path / f"{number}.jsonl", "checkpoint": tmp_path / f"{number}.job"}
        options: Any = {"batch": 10, "checkpoint_every": 1, "backoff": NOW, **files}
        with pytest.raises(OSError, match="row 20 cannot be read"):
            async with world.ml.ingest(Memory(rows, 10, fails_at=20), model=begun, **options) as job:
                await job
        async with world.ml.ingest(Memory(rows, 10), model=resumed, **options) as job:
            report = await job
        assert (report.written, sent) == (40, 40 * (number + 1)), "rows before the checkpoint are not embedded again"


@pytest.mark.asyncio
async def test_a_hit_and_a_record_are_answered_with_where_the_id_is(world: ServedEmulator) -> None:
    made = await world.ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)
    hits = [hit async for hit in world.ml.models.search()]
    wrong: Any
    for wrong, words in ((hits[0], "got Hit: give its id"), (made.model, "got Model, which does not have its own id")):
        for call in (world.ml.models.get, world.ml.models.deploy):
            with pytest.raises(InvalidRequest, match=words):
                await call(wrong)
        with pytest.raises(InvalidRequest, match=words):
            await world.ml.embed_one(wrong, "a")
        with pytest.raises(InvalidRequest, match=words.replace("got ", "not ")):
            await world.ml.models.ensure(wrong)
    assert isinstance(hits[0], Hit)
    with pytest.raises(InvalidRequest, match="expected a string, got PretrainedModel"):
        await world.ml.models.get(PretrainedModel(name="all-MiniLM-L6-v2"))  # type: ignore[arg-type]  # pyright: ignore
