"""The endpoints of ML Commons, one module for each resource, and the namespaces they form on a session."""

from aiomlcommons.api.connectors import Connectors
from aiomlcommons.api.model_groups import ModelGroups
from aiomlcommons.api.models import Models
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.server import GetInfo
from aiomlcommons.api.settings import Settings
from aiomlcommons.api.tasks import Tasks
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
    predict = op(Predict)
    info = op(GetInfo)
