"""What each request of the main resources looks like on the wire: method, path, query and body, spelled out."""

from __future__ import annotations

from typing import Any, TypeAlias

import orjson
import pytest

from aiomlcommons import HttpRequest, InvalidRequest, Request
from aiomlcommons.api.common import AccessMode, FunctionName
from aiomlcommons.api.connectors import (
    ClientConfig,
    ConnectorAction,
    CreateConnector,
    DeleteConnector,
    GetConnector,
    SearchConnectors,
    UpdateConnector,
)
from aiomlcommons.api.model_configs import ModelConfig, TextEmbeddingModelConfig
from aiomlcommons.api.model_groups import (
    DeleteModelGroup,
    GetModelGroup,
    RegisterModelGroup,
    SearchModelGroups,
    UpdateModelGroup,
)
from aiomlcommons.api.model_records import DeploySetting, Guardrail, Guardrails, ModelFormat, RateLimiter, StopWords
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta
from aiomlcommons.api.models import (
    DeleteModel,
    DeployModel,
    GetModel,
    SearchModels,
    UndeployModel,
    UndeployModels,
    UpdateModel,
)
from aiomlcommons.api.predict import (
    BatchPredict,
    Cell,
    ColumnMeta,
    DataFrame,
    Predict,
    PredictByModel,
    PredictStream,
    Row,
)
from aiomlcommons.api.server import GetInfo
from aiomlcommons.api.settings import GetClusterSettings, PutClusterSettings
from aiomlcommons.api.tasks import CancelTask, DeleteTask, GetTask, SearchTasks
from aiomlcommons.http import JSON
from aiomlcommons.wire.codec import to_http

Case: TypeAlias = tuple[Request[Any], str, Any]
QUERY: dict[str, Any] = {"query": {"match_all": {}}}
ACTION = ConnectorAction(action_type="predict", method="POST", url="https://h/v1", request_body="{}")
FRAME = DataFrame([ColumnMeta("a", "DOUBLE")], [Row([Cell("DOUBLE", 1.5)])])

MODELS: list[Case] = [
    (
        RegisterModel("huggingface/m", version="1.0.2", model_format="TORCH_SCRIPT", model_group_id="g", deploy=True),
        "POST ml/models/_register?deploy=true",
        {"name": "huggingface/m", "version": "1.0.2", "model_group_id": "g", "model_format": "TORCH_SCRIPT"},
    ),
    (
        RegisterModel(
            "n",
            function_name=FunctionName.TEXT_EMBEDDING,
            model_format=ModelFormat.ONNX,
            model_config=ModelConfig("bert", 384, "sentence_transformers", additional_config={"space_type": "l2"}),
            url="https://h/m.zip",
            deploy_setting=DeploySetting(is_auto_deploy_enabled=False, model_ttl_minutes=5),
        ),
        "POST ml/models/_register",
        {
            "name": "n",
            "function_name": "TEXT_EMBEDDING",
            "model_format": "ONNX",
            "model_config": {
                "model_type": "bert",
                "embedding_dimension": 384,
                "framework_type": "sentence_transformers",
                "additional_config": {"space_type": "l2"},
            },
            "url": "https://h/m.zip",
            "deploy_setting": {"is_auto_deploy_enabled": False, "model_ttl_minutes": 5},
        },
    ),
    (
        RegisterModel(
            "r",
            function_name="remote",
            connector=CreateConnector("c", version=1, protocol="http", actions=[ACTION]),
            guardrails=Guardrails("local_regex", Guardrail([StopWords("words", ["title"])], regex=[".*x.*"])),
        ),
        "POST ml/models/_register",
        {
            "name": "r",
            "function_name": "remote",
            "connector": {
                "actions": [{"action_type": "predict", "method": "POST", "url": "https://h/v1", "request_body": "{}"}],
                "name": "c",
                "version": 1,
                "protocol": "http",
            },
            "guardrails": {
                "type": "local_regex",
                "input_guardrail": {
                    "stop_words": [{"index_name": "words", "source_fields": ["title"]}],
                    "regex": [".*x.*"],
                },
            },
        },
    ),
    (
        RegisterModelMeta("n", model_format="ONNX", model_content_hash_value="00", total_chunks=2),
        "POST ml/models/_register_meta",
        {"name": "n", "model_format": "ONNX", "model_content_hash_value": "00", "total_chunks": 2},
    ),
    (GetModel("m", return_content=True), "GET ml/models/m?return_content=true", None),
    (
        UpdateModel("m", is_enabled=False, rate_limiter=RateLimiter("4", "MINUTES")),
        "PUT ml/models/m",
        {"is_enabled": False, "rate_limiter": {"limit": "4", "unit": "MINUTES"}},
    ),
    (DeleteModel("m"), "DELETE ml/models/m", None),
    (SearchModels(QUERY), "POST ml/models/_search", QUERY),
    (DeployModel("m", node_ids=["n1", "n2"]), "POST ml/models/m/_deploy", {"node_ids": ["n1", "n2"]}),
    (UndeployModel("m"), "POST ml/models/m/_undeploy", None),
    (UndeployModels(["m"], node_ids=["n"]), "POST ml/models/_undeploy", {"model_ids": ["m"], "node_ids": ["n"]}),
    (UndeployModels(), "POST ml/models/_undeploy", None),
]
GROUPS: list[Case] = [
    (
        RegisterModelGroup("g", access_mode=AccessMode.RESTRICTED, backend_roles=["a"], add_all_backend_roles=False),
        "POST ml/model_groups/_register",
        {"name": "g", "access_mode": "restricted", "backend_roles": ["a"], "add_all_backend_roles": False},
    ),
    (
        RegisterModelGroup("g", access_mode="private"),
        "POST ml/model_groups/_register",
        {"name": "g", "access_mode": "private"},
    ),
    (GetModelGroup("g"), "GET ml/model_groups/g", None),
    (UpdateModelGroup("g", description=""), "PUT ml/model_groups/g", {"description": ""}),
    (DeleteModelGroup("g"), "DELETE ml/model_groups/g", None),
    (SearchModelGroups(), "POST ml/model_groups/_search", {}),
]
TASKS: list[Case] = [
    (GetTask("t"), "GET ml/tasks/t", None),
    (DeleteTask("t"), "DELETE ml/tasks/t", None),
    (SearchTasks(QUERY), "POST ml/tasks/_search", QUERY),
    (CancelTask("t"), "POST ml/tasks/t/_cancel", None),
]
PREDICT: list[Case] = [
    (
        Predict("text_embedding", "m", text_docs=["a"], return_bytes=True, return_number=False),
        "POST ml/_predict/text_embedding/m",
        {"text_docs": ["a"], "return_bytes": True, "return_number": False},
    ),
    (
        Predict("kmeans", "m", parameters={}, input_data=FRAME),
        "POST ml/_predict/kmeans/m",
        {
            "parameters": {},
            "input_data": {
                "column_metas": [{"name": "a", "column_type": "DOUBLE"}],
                "rows": [{"values": [{"column_type": "DOUBLE", "value": 1.5}]}],
            },
        },
    ),
    (
        Predict("kmeans", "m", input_index=["i"], input_query={"_source": ["a"]}),
        "POST ml/_predict/kmeans/m",
        {"input_index": ["i"], "input_query": {"_source": ["a"]}},
    ),
    (
        PredictByModel("m", query_text="q", text_docs=["a", "b"], target_response=["x"], target_response_positions=[0]),
        "POST ml/models/m/_predict",
        {"query_text": "q", "text_docs": ["a", "b"], "target_response": ["x"], "target_response_positions": [0]},
    ),
    (
        PredictByModel("m", question="where?", context="here", action_type="predict"),
        "POST ml/models/m/_predict",
        {"question": "where?", "context": "here", "action_type": "predict"},
    ),
    (PredictByModel("m", parameters={"input": ["a"]}), "POST ml/models/m/_predict", {"parameters": {"input": ["a"]}}),
    (
        BatchPredict("m", parameters={"x": 1}, dlq={"bucket": "b"}),
        "POST ml/models/m/_batch_predict",
        {"parameters": {"x": 1}, "dlq": {"bucket": "b"}},
    ),
    (PredictStream("m"), "POST ml/models/m/_predict/stream", {}),
]
CONNECTORS: list[Case] = [
    (
        CreateConnector(
            "c",
            version="1",
            protocol="http",
            parameters={"model": "x"},
            credential={"key": "k"},
            actions=[ACTION],
            client_config=ClientConfig(max_connection=5, read_timeout=60),
        ),
        "POST ml/connectors/_create",
        {
            "parameters": {"model": "x"},
            "credential": {"key": "k"},
            "actions": [{"action_type": "predict", "method": "POST", "url": "https://h/v1", "request_body": "{}"}],
            "client_config": {"max_connection": 5, "read_timeout": 60},
            "name": "c",
            "version": "1",
            "protocol": "http",
        },
    ),
    (GetConnector("c"), "GET ml/connectors/c", None),
    (UpdateConnector("c", description="d"), "PUT ml/connectors/c", {"description": "d"}),
    (UpdateConnector("c"), "PUT ml/connectors/c", {}),
    (DeleteConnector("c"), "DELETE ml/connectors/c", None),
    (SearchConnectors(), "POST ml/connectors/_search", {}),
]
CLUSTER: list[Case] = [
    (GetInfo(), "GET /", None),
    (GetClusterSettings(), "GET /_cluster/settings", None),
    (
        GetClusterSettings(include_defaults=True, flat_settings=False),
        "GET /_cluster/settings?include_defaults=true&flat_settings=false",
        None,
    ),
    (
        PutClusterSettings(persistent={"a": True, "b": None}),
        "PUT /_cluster/settings",
        {"persistent": {"a": True, "b": None}},
    ),
    (
        PutClusterSettings(transient={}, flat_settings=True),
        "PUT /_cluster/settings?flat_settings=true",
        {"transient": {}},
    ),
    (PutClusterSettings(), "PUT /_cluster/settings", {}),
]


def shown(http: HttpRequest) -> tuple[str, Any]:
    """The line and the body of a request, as the tables have them; ``ml/`` begins ML Commons' routes."""
    query = "&".join(f"{name}={word}" for name, word in http.query.items())
    body = None if http.body is None else orjson.loads(http.body)
    path = http.path.replace("/_plugins/_ml/", "ml/", 1)
    return f"{http.method} {path}{query and '?'}{query}", body


@pytest.mark.parametrize(("request_", "line", "body"), [*MODELS, *GROUPS, *TASKS, *PREDICT, *CONNECTORS, *CLUSTER])
def test_a_request_is_what_the_api_says(request_: Request[Any], line: str, body: Any) -> None:
    assert shown(to_http(request_)) == (line, body)


@pytest.mark.parametrize("request_", [row[0] for row in [*MODELS, *GROUPS, *TASKS, *PREDICT, *CONNECTORS, *CLUSTER]])
def test_a_body_says_that_it_is_json(request_: Request[Any]) -> None:
    http = to_http(request_)
    assert http.headers.get("content-type") == (None if http.body is None else JSON)


@pytest.mark.parametrize("function", [None, "TEXT_EMBEDDING", "text_embedding"])
def test_the_config_of_a_dense_model_says_what_the_server_needs(function: str | None) -> None:
    config = ModelConfig(model_type="bert")
    with pytest.raises(InvalidRequest, match=r"model_config\.embedding_dimension is missing"):
        to_http(RegisterModel("m", function_name=function, url="http://host/m.zip", model_config=config))
    to_http(RegisterModel("m", function_name="QUESTION_ANSWERING", url="http://host/m.zip", model_config=config))


def test_a_config_of_a_kind_is_sent_as_any_other() -> None:
    typed = TextEmbeddingModelConfig(model_type="bert", embedding_dimension=4, framework_type="sentence_transformers")
    loose = ModelConfig(model_type="bert", embedding_dimension=4, framework_type="sentence_transformers")
    one, other = (RegisterModel("m", url="http://host/m.zip", model_config=config) for config in (typed, loose))
    assert to_http(one).body == to_http(other).body
    with pytest.raises(TypeError, match="embedding_dimension"):
        TextEmbeddingModelConfig(model_type="bert", framework_type="sentence_transformers")  # type: ignore[call-arg]
