"""What a real server answered, as typed values: a few facts of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aiomlcommons import ENDPOINTS, HttpResponse
from aiomlcommons.api.agent_runs import AgentAnswer, AgentMessage, AgentTensors
from aiomlcommons.api.common import AccessMode, Found, FunctionName, Hit, Hits, Shards, Total
from aiomlcommons.api.connectors import GetConnector, HttpConnector
from aiomlcommons.api.memory import SearchMessages
from aiomlcommons.api.memory_documents import WorkingMemory
from aiomlcommons.api.model_groups import ModelGroup
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.predict import PredictStream, Words
from aiomlcommons.api.tasks import TaskInfo, TaskState, TaskType
from aiomlcommons.api.tensors import ByteBuffer
from aiomlcommons.http import JSON
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import from_http
from aiomlcommons.wire.routes import Router, read_request
from tests.wire.recordings import Exchange, exchanges

ROUTER = Router(ENDPOINTS)
ANSWER: Any = AgentAnswer  # which a type checker does not take for a type
RECORDED: dict[str, Exchange] = {}
for found in exchanges():
    # The first of each name is that of the oldest server, so 3.4.0 takes its place.
    if "3.4.0.jsonl" in found.file or found.case not in RECORDED:
        RECORDED[found.case] = found
OLD = {e.case: e for e in exchanges() if "2.4.1" in e.file}


def answer(exchange: Exchange) -> Any:
    match = ROUTER.find(exchange.request.method, exchange.request.path)
    assert match is not None
    return from_http(read_request(match, exchange.request), exchange.response)


@pytest.mark.parametrize(
    ("case", "facts"),
    [
        ("root", lambda a: (a.version.number, a.version.distribution) == ("3.4.0", "opensearch")),
        ("settings.put", lambda a: a.acknowledged is True and a.persistent["plugins"]["ml_commons"]),
        ("model_groups.register", lambda a: a.status == "CREATED" and a.model_group_id),
        ("model_groups.get", lambda a: a.access is AccessMode.PUBLIC and a.latest_version == 0),
        ("model_groups.update", lambda a: a.status == "Updated"),
        ("model_groups.delete", lambda a: a.result == "deleted"),
        ("model_groups.delete_missing", lambda a: a.result == "not_found"),
        ("acl.private_group_get", lambda a: a.owner.name == "alice" and a.owner.backend_roles == ["team-a"]),
        ("model_groups.search", lambda a: a.total == 3 == len(a) and all(type(g.source) is ModelGroup for g in a)),
        ("models.search", lambda a: a.total == 6 and len(list(a)) == 3 and all(type(m.source) is Model for m in a)),
        ("models.update", lambda a: a.result == "updated" and a.index == ".plugins-ml-model" and a.shards.failed == 0),
        ("models.deploy_again", lambda a: a.task_type is TaskType.DEPLOY_MODEL and a.status == "CREATED"),
        ("models.undeploy", lambda a: [set(n.stats.values()) for n in a.values()] == [{"undeployed"}]),
        ("models.undeploy_again", lambda a: [set(n.stats.values()) for n in a.values()] == [{"not_found"}]),
        ("remote.get", lambda a: a.model_state is ModelState.DEPLOYED and a.is_deployed),
        ("remote.get", lambda a: a.algorithm is FunctionName.REMOTE),
        ("remote.get_registered", lambda a: a.model_state is ModelState.REGISTERED and not a.is_deployed),
        ("remote.register", lambda a: a.model_id and a.task_id),
        ("models.deploy_again.task_completed", lambda a: a.state is TaskState.COMPLETED and a.node_errors == {}),
        ("models.register_pretrained.task_failed", lambda a: a.state is TaskState.FAILED and a.error),
        ("connectors.get", lambda a: type(a) is HttpConnector and a.version == "1" and a.actions),
        ("predict.dense", lambda a: len(a.inference_results[0].output[0].data) == 384),
        ("predict.dense_bytes", lambda a: isinstance(a.inference_results[0].output[0].byte_buffer.array, str)),
        ("predict.dense_cbor", lambda a: len(a.inference_results[1].output[0].data) == 384),
        ("predict.sparse_tokenize", lambda a: a.inference_results[1].output[0].dataAsMap == {"response": [{"foo": 1}]}),
        ("predict.dense", lambda a: [len(tensor.data) for tensor in a.tensors] == [384, 384]),
        ("remote.predict_text_docs", lambda a: len(a.inference_results) == 1 and len(a.tensors) == 2),
        ("predict.kmeans", lambda a: a.tensors == []),
        ("predict.kmeans", lambda a: a.prediction_result.rows[0].values[0].value == 0),
    ],
)
def test_a_recorded_answer_is_read_as_what_it_is(case: str, facts: Callable[[Any], Any]) -> None:
    assert facts(answer(RECORDED[case]))


def test_the_words_of_an_old_server_are_known() -> None:
    answers = [answer(e) for e in OLD.values() if e.response.status < 300]
    tasks = [found for found in answers if isinstance(found, TaskInfo)]
    assert {task.task_type for task in tasks} <= {TaskType.UPLOAD_MODEL, TaskType.LOAD_MODEL, TaskType.TRAINING}
    assert all(isinstance(task.worker_node, str) and task.worker_nodes for task in tasks)
    models = [found for found in answers if isinstance(found, Model)]
    assert any(model.model_state is ModelState.LOADED and model.is_deployed for model in models)


# ---- what an answer can tell ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "nodes"),
    [(None, []), ("", []), ("a", ["a"]), ("a,b", ["a", "b"]), (["a", "b"], ["a", "b"]), ([], [])],
)
def test_the_nodes_of_a_task_are_a_list_whichever_form_the_server_gave(given: Any, nodes: list[str]) -> None:
    assert TaskInfo(worker_node=given).worker_nodes == nodes


@pytest.mark.parametrize(
    ("error", "nodes"),
    [
        (None, {}),
        ("", {}),
        ("plain words", {}),
        ('{"n1": "no memory", "n2": 5}', {"n1": "no memory", "n2": "5"}),
        ('["n1"]', {}),
        ('"text"', {}),
        ('{"n1": ', {}),
    ],
)
def test_the_errors_of_the_nodes_are_parsed_where_they_are_an_object(error: str | None, nodes: dict[str, str]) -> None:
    assert TaskInfo(error=error).node_errors == nodes


@pytest.mark.parametrize("state", ModelState)
def test_a_model_is_deployed_where_all_its_nodes_have_it(state: ModelState) -> None:
    assert Model(model_state=state).is_deployed is (state in {ModelState.DEPLOYED, ModelState.LOADED})
    assert not Model().is_deployed


def test_a_page_is_a_collection_of_hits() -> None:
    one: Hit[Model] = Hit(index="i", id="1", score=1.0, source=Model(name="one"))
    bare: Hit[Model] = Hit(index="i", id="2", score=None)
    shards = Shards(1, 1, 0)
    hits = Hits(1, False, shards, Found(1.0, [one, bare], Total(70, "gte")))
    assert list(hits) == [*hits] == hits[:] == [one, bare]
    assert (hits[0].id, hits[0].source, hits[0].has_source) == ("1", Model(name="one"), True)
    assert not hits[-1].has_source
    with pytest.raises(LookupError, match=r"the hit '2' has no source \(see has_source\): ask for it by _source"):
        assert hits[-1].source
    assert (len(hits), hits.total) == (2, 70)
    assert hits
    assert not Hits(1, False, shards, Found(None, []))
    assert Hits(1, False, shards, Found(None, [one])).total == 1


def test_the_words_of_a_stream_are_found_by_their_names() -> None:
    result = {
        "output": [
            {"name": "memory_id", "result": "mem"},
            {"name": "response", "dataAsMap": {"content": "Hello", "is_last": True}},
        ]
    }
    got = HttpResponse(200, orjson.dumps({"inference_results": [result]}), {"content-type": JSON})
    words = from_http(PredictStream("m"), got)
    assert (words.content, words.is_last, words.memory_id) == ("Hello", True, "mem")
    assert set(words.tensors) == {"memory_id", "response"}
    empty = Words([])
    assert (empty.content, empty.is_last, empty.memory_id) == ("", False, None)


def test_what_may_be_large_or_secret_is_not_shown() -> None:
    assert "x" * 10 not in repr(ByteBuffer("x" * 1000, "LITTLE_ENDIAN"))
    assert "c0ntent" not in repr(Model(content="c0ntent", model_content="c0ntent"))
    told = {"credential": {"key": "hush"}, "headers": {"x-key": "hush"}}
    for connector in (told, {**told, "url": "https://h"}):
        read = from_http(GetConnector("c"), HttpResponse(200, orjson.dumps(connector), {"content-type": JSON}))
        assert read.credential == {"key": "hush"}
        assert "hush" not in repr(read)


# What a search of a conversation's messages answers: it shows the documents, where each has both keys.
TRACES: dict[str, dict[str, Any]] = {
    "message": {"parent_message_id": None, "trace_number": None},
    "trace": {"parent_message_id": "message", "trace_number": 1},
}
MESSAGE = {"input": "why?", "memory_id": "c", "create_time": "2026-11-26T12:26:34Z"}
FOUND = {
    "took": 1,
    "timed_out": False,
    "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
    "hits": {
        "total": {"value": 2, "relation": "eq"},
        "max_score": 1.0,
        "hits": [
            {"_index": ".plugins-ml-memory-message", "_id": name, "_score": 1.0, "_source": {**MESSAGE, **trace}}
            for name, trace in TRACES.items()
        ],
    },
}


def test_messages_and_traces_survive_reading_and_writing() -> None:
    request = SearchMessages("c")
    found = from_http(request, HttpResponse(200, orjson.dumps(FOUND), {"content-type": JSON}))
    assert convert.unstructure(found, SearchMessages.endpoint.returns) == FOUND
    messages = [hit.source for hit in found]
    assert [bool(message.parent_message_id) for message in messages] == [False, True]
    assert [message.trace_number or 0 for message in messages] == [0, 1]
    assert all(message.extra == {} for message in messages)


def test_a_working_memory_that_was_searched_tells_its_session() -> None:
    memory = answer(RECORDED["stack38.TEXT_EMBEDDING_search_working"])[0].source
    assert isinstance(memory, WorkingMemory)
    assert memory.session_id
    assert memory.extra == {}


@pytest.mark.parametrize(
    ("answer", "text", "outputs"),
    [
        ({"inference_results": [{"output": [{"name": "response", "result": "42"}]}]}, "42", {"response": "42"}),
        (
            {
                "inference_results": [
                    {
                        "output": [
                            {"name": "memory_id", "result": "m"},
                            {"name": "response", "dataAsMap": {"response": "42", "additional_info": {}}},
                        ]
                    }
                ]
            },
            "42",
            {"memory_id": "m", "response": {"response": "42", "additional_info": {}}},
        ),
        ({"inference_results": [{"output": [{"name": "response", "dataAsMap": {"choices": []}}]}]}, "", None),
        ({"inference_results": []}, "", {}),
        ({"message": {"role": "assistant", "content": [{"text": "4"}, {"image": {}}, {"text": "2"}]}}, "42", None),
        ({"message": {"role": "assistant"}}, "", None),
    ],
)
def test_the_text_of_an_agents_answer_is_one_property_away(answer: Any, text: str, outputs: Any) -> None:
    found = convert.structure(answer, ANSWER)
    assert isinstance(found, AgentTensors | AgentMessage)
    assert found.text == text
    assert outputs is None or (isinstance(found, AgentTensors) and found.outputs == outputs)
