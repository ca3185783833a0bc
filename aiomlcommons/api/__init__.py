"""The endpoints of ML Commons, and those of what its models work for, one module per resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.namespace import op, space

if TYPE_CHECKING:
    from aiomlcommons.api.agentic_memory import MemoryContainers
    from aiomlcommons.api.agentic_search_templates import AgenticSearchTemplates
    from aiomlcommons.api.agents import Agents
    from aiomlcommons.api.algorithms import ExecuteAlgorithm, Train, TrainAndPredict
    from aiomlcommons.api.config import Configs, IngestBatch
    from aiomlcommons.api.connectors import Connectors
    from aiomlcommons.api.context_management import ContextManagement
    from aiomlcommons.api.controllers import Controllers
    from aiomlcommons.api.documents import Documents
    from aiomlcommons.api.index_insight import IndexInsight
    from aiomlcommons.api.indices import Indices
    from aiomlcommons.api.mcp import Mcp
    from aiomlcommons.api.memory import Memories
    from aiomlcommons.api.model_groups import ModelGroups
    from aiomlcommons.api.models import Models
    from aiomlcommons.api.pipelines import Pipelines
    from aiomlcommons.api.predict import Predict
    from aiomlcommons.api.server import GetInfo, ListPlugins
    from aiomlcommons.api.settings import Settings
    from aiomlcommons.api.stats import GetStats, Profiles
    from aiomlcommons.api.tasks import Tasks
    from aiomlcommons.api.tools import Tools

__all__ = ["Api"]


class Api:
    """Every endpoint, by namespace. The classes are imported when they are first used."""

    models: space[Models] = space("api.models:Models")
    model_groups: space[ModelGroups] = space("api.model_groups:ModelGroups")
    connectors: space[Connectors] = space("api.connectors:Connectors")
    tasks: space[Tasks] = space("api.tasks:Tasks")
    settings: space[Settings] = space("api.settings:Settings")
    agents: space[Agents] = space("api.agents:Agents")
    tools: space[Tools] = space("api.tools:Tools")
    memory: space[Memories] = space("api.memory:Memories")
    memory_containers: space[MemoryContainers] = space("api.agentic_memory:MemoryContainers")
    context_management: space[ContextManagement] = space("api.context_management:ContextManagement")
    agentic_search_templates: space[AgenticSearchTemplates] = space(
        "api.agentic_search_templates:AgenticSearchTemplates"
    )
    index_insight: space[IndexInsight] = space("api.index_insight:IndexInsight")
    mcp: space[Mcp] = space("api.mcp:Mcp")
    controllers: space[Controllers] = space("api.controllers:Controllers")
    profile: space[Profiles] = space("api.stats:Profiles")
    config: space[Configs] = space("api.config:Configs")
    indices: space[Indices] = space("api.indices:Indices")
    documents: space[Documents] = space("api.documents:Documents")
    pipelines: space[Pipelines] = space("api.pipelines:Pipelines")
    if TYPE_CHECKING:  # there is no short way to write their parameters as an annotation
        predict = op(Predict)
        train = op(Train)
        train_and_predict = op(TrainAndPredict)
        execute = op(ExecuteAlgorithm)
        stats = op(GetStats)
        batch_ingestion = op(IngestBatch)
        info = op(GetInfo)
        plugins = op(ListPlugins)
    else:
        predict = op.at("api.predict:Predict")
        train = op.at("api.algorithms:Train")
        train_and_predict = op.at("api.algorithms:TrainAndPredict")
        execute = op.at("api.algorithms:ExecuteAlgorithm")
        stats = op.at("api.stats:GetStats")
        batch_ingestion = op.at("api.config:IngestBatch")
        info = op.at("api.server:GetInfo")
        plugins = op.at("api.server:ListPlugins")
