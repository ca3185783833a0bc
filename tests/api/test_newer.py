"""Which fields are newer than their endpoint: the data of the endpoints, held against the server's request classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from aiomlcommons import ENDPOINTS
from aiomlcommons.api.agent_runs import ExecuteAgent, ExecuteAgentStream
from aiomlcommons.api.agentic_memory import AddMemories, CreateSession
from aiomlcommons.api.agentic_search_templates import RegisterAgenticSearchTemplate, UpdateAgenticSearchTemplate
from aiomlcommons.api.agents import RegisterAgent, UpdateAgent
from aiomlcommons.api.algorithms import Train, TrainAndPredict
from aiomlcommons.api.config import IngestBatch
from aiomlcommons.api.connectors import CreateConnector, UpdateConnector
from aiomlcommons.api.context_management import CreateContextManagement, UpdateContextManagement
from aiomlcommons.api.controllers import CreateController, UpdateController
from aiomlcommons.api.index_insight import PutIndexInsightConfig
from aiomlcommons.api.memory import CreateMemory, CreateMessage, UpdateMemory
from aiomlcommons.api.memory_containers import CreateMemoryContainer, UpdateMemoryContainer
from aiomlcommons.api.memory_search import HybridSearch, SemanticSearch
from aiomlcommons.api.model_groups import RegisterModelGroup, UpdateModelGroup
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta
from aiomlcommons.api.models import DeployModel, UndeployModel, UndeployModels, UpdateModel
from aiomlcommons.api.predict import BatchPredict, Predict, PredictByModel, PredictStream
from aiomlcommons.api.stats import GetModelProfiles, GetProfile, GetStats, GetTaskProfiles
from aiomlcommons.endpoint import Request, endpoint, fields_of, wire_name
from aiomlcommons.record import in_query
from tests.support.reference import fields

# The server's class for each request, or the classes that read its body one after the other.
CLASSES: Mapping[type[Request[Any]], tuple[str, ...]] = {
    RegisterModel: ("MLRegisterModelInput",),
    RegisterModelMeta: ("MLRegisterModelMetaInput",),
    DeployModel: ("MLDeployModelRequest",),
    UndeployModel: ("MLUndeployModelInput",),
    UndeployModels: ("MLUndeployModelInput",),
    UpdateModel: ("MLUpdateModelInput",),
    RegisterModelGroup: ("MLRegisterModelGroupInput",),
    UpdateModelGroup: ("MLUpdateModelGroupInput",),
    CreateConnector: ("MLCreateConnectorInput",),
    UpdateConnector: ("MLCreateConnectorInput",),
    Predict: ("MLInput",),
    PredictByModel: ("RemoteInferenceMLInput", "MLInput"),
    PredictStream: ("MLInput",),
    BatchPredict: ("RemoteInferenceMLInput",),
    Train: ("MLInput",),
    TrainAndPredict: ("MLInput",),
    RegisterAgent: ("MLAgent",),
    UpdateAgent: ("MLAgentUpdateInput",),
    ExecuteAgent: ("AgentMLInput",),
    ExecuteAgentStream: ("AgentMLInput",),
    CreateMessage: ("CreateInteractionRequest",),
    CreateMemoryContainer: ("MLCreateMemoryContainerInput",),
    UpdateMemoryContainer: ("MLUpdateMemoryContainerInput",),
    CreateSession: ("MLCreateSessionInput",),
    AddMemories: ("MLAddMemoriesInput",),
    SemanticSearch: ("RestMLSemanticSearchMemoriesAction",),
    HybridSearch: ("RestMLHybridSearchMemoriesAction",),
    CreateContextManagement: ("ContextManagementTemplate",),
    UpdateContextManagement: ("ContextManagementTemplate",),
    RegisterAgenticSearchTemplate: ("AgenticSearchTemplate",),
    UpdateAgenticSearchTemplate: ("AgenticSearchTemplate",),
    PutIndexInsightConfig: ("IndexInsightConfig",),
    CreateController: ("MLController",),
    UpdateController: ("MLController",),
    GetStats: ("MLStatsInput",),
    GetProfile: ("MLProfileInput",),
    GetModelProfiles: ("MLProfileInput",),
    GetTaskProfiles: ("MLProfileInput",),
    IngestBatch: ("MLBatchIngestionInput",),
}
# The server's class for these was rewritten in 2.19 and hides when its fields came. A conversation has held
# additional information since 2.17, and the rest since the routes are there.
REWRITTEN: Mapping[type[Request[Any]], Mapping[str, str]] = {
    CreateMemory: {"additional_info": "2.17"},
    UpdateMemory: {"additional_info": "2.17"},
}
# Not in a body: the query parameter that came together with isAsync.
QUERY = {"async": "3.0"}


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _told(request: type[Request[Any]]) -> dict[str, str]:
    spec = request.endpoint
    since = {name: when for java in CLASSES[request] for name, when in fields()[java].items()}
    keys = {wire_name(field) for field in fields_of(request)} - set(spec.route.names)
    told = {**since, **(QUERY if request is ExecuteAgent else {})}
    return {name: told[name] for name in keys & told.keys() if _number(told[name]) > _number(spec.since)}


@pytest.mark.parametrize("request_class", CLASSES, ids=lambda cls: cls.__name__)
def test_newer_fields_are_those_of_the_servers_class(request_class: type[Request[Any]]) -> None:
    assert request_class.endpoint.newer == _told(request_class)


def test_no_other_request_has_newer_fields() -> None:
    others = {cls: cls.endpoint.newer for cls in ENDPOINTS if cls not in CLASSES and cls.endpoint.newer}
    assert others == REWRITTEN


def test_a_newer_field_goes_by_its_name_on_the_wire() -> None:
    @endpoint("POST /_plugins/_ml/nowhere", since="2.0", newer={"2.1": ("async_",)})
    class Nowhere(Request[None]):
        async_: bool | None = in_query(wire="async", default=None)

    ENDPOINTS.remove(Nowhere)
    assert Nowhere.endpoint.newer == {"async": "2.1"}


def test_a_newer_field_that_is_none_is_refused_at_import() -> None:
    with pytest.raises(TypeError, match=r"Nowhere has no field \['nope'\]"):

        @endpoint("POST /_plugins/_ml/nowhere", since="2.0", newer={"2.1": ("nope",)})
        class Nowhere(Request[None]):
            name: str | None = None
