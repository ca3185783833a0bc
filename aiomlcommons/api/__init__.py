"""The endpoints of ML Commons, one module per resource, and their namespaces on a session."""

from aiomlcommons.api.agentic_memory import MemoryContainers
from aiomlcommons.api.agentic_search_templates import AgenticSearchTemplates
from aiomlcommons.api.agents import Agents
from aiomlcommons.api.algorithms import ExecuteAlgorithm, Train, TrainAndPredict
from aiomlcommons.api.config import Configs, IngestBatch
from aiomlcommons.api.connectors import Connectors
from aiomlcommons.api.context_management import ContextManagement
from aiomlcommons.api.controllers import Controllers
from aiomlcommons.api.index_insight import IndexInsight
from aiomlcommons.api.mcp import Mcp
from aiomlcommons.api.memory import Memories
from aiomlcommons.api.model_groups import ModelGroups
from aiomlcommons.api.models import Models
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.server import GetInfo
from aiomlcommons.api.settings import Settings
from aiomlcommons.api.stats import GetStats, Profiles
from aiomlcommons.api.tasks import Tasks
from aiomlcommons.api.tools import Tools
from aiomlcommons.endpoint import ENDPOINTS
from aiomlcommons.namespace import op, space

__all__ = ["ENDPOINTS", "Api"]


class Api:
    """Every endpoint, by namespace."""

    models = space(Models)
    model_groups = space(ModelGroups)
    connectors = space(Connectors)
    tasks = space(Tasks)
    settings = space(Settings)
    agents = space(Agents)
    tools = space(Tools)
    memory = space(Memories)
    memory_containers = space(MemoryContainers)
    context_management = space(ContextManagement)
    agentic_search_templates = space(AgenticSearchTemplates)
    index_insight = space(IndexInsight)
    mcp = space(Mcp)
    controllers = space(Controllers)
    profile = space(Profiles)
    config = space(Configs)
    predict = op(Predict)
    train = op(Train)
    train_and_predict = op(TrainAndPredict)
    execute = op(ExecuteAlgorithm)
    stats = op(GetStats)
    batch_ingestion = op(IngestBatch)
    info = op(GetInfo)
