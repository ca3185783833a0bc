"""What each request wants, and what is refused for want of it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.api.connectors import SearchConnectors
from aiomlcommons.api.model_registration import RegisterModel
from aiomlcommons.api.models import DeployModel, SearchModels
from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.api.settings import GetClusterSettings, PutClusterSettings
from aiomlcommons.api.stats import GetModelProfiles, GetProfile, GetStats, GetTaskProfiles
from aiomlcommons.api.tasks import GetTask, SearchTasks
from aiomlcommons.emulator.errors import Refused, refused
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.endpoint import Request
from aiomlcommons.http import HttpRequest

if TYPE_CHECKING:
    from aiomlcommons.emulator.cluster import Cluster

ASKS = "perform_permission_check"
"""The parameter by which a request is not executed, but asks whether it would be."""
_ML = "cluster:admin/opensearch/ml/"
_PRIVILEGES: Mapping[type[Request[Any]], str] = {
    SearchModels: f"{_ML}models/search",
    SearchTasks: f"{_ML}tasks/search",
    GetTask: f"{_ML}tasks/get",
    SearchConnectors: f"{_ML}connectors/search",
    RegisterModel: f"{_ML}register_model",
    DeployModel: f"{_ML}deploy_model",
    Predict: f"{_ML}predict",
    PredictByModel: f"{_ML}predict",
    GetStats: "indices:monitor/stats",
    GetClusterSettings: "cluster:monitor/state",
    PutClusterSettings: "cluster:admin/settings/update",
}
_PROFILES = (GetProfile, GetModelProfiles, GetTaskProfiles)
_PATHS = (
    (re.compile("/_nodes/stats"), "cluster:monitor/nodes/stats"),
    (re.compile("/_nodes"), "cluster:monitor/nodes/info"),
    (re.compile("/_cluster/health"), "cluster:monitor/health"),
    (re.compile("/[^/]+/_settings"), "indices:monitor/settings/get"),
)


def check(cluster: Cluster, endpoint: type[Request[Any]] | None, http: HttpRequest) -> Plain | None:
    """Raise Refused (403) if the user lacks a privilege; return the answer to a request that only asks for that."""
    security = cluster.security
    if security is None:
        return None
    privilege = _privilege(endpoint, http)
    lacks = any(fnmatch.fnmatchcase(privilege, pattern) for pattern in security.denied)
    if ASKS in http.query and not cluster.is_before("3.4"):
        return Plain({"accessAllowed": not lacks, "missingPrivileges": [privilege] if lacks else []})
    if lacks:
        reason = (
            f"no permissions for [{privilege}] and User [name={security.user}, backend_roles=[], requestedTenant=null]"
        )
        if endpoint in _PROFILES:
            raise Refused(500, {"error": "Failed to get ML node level profile", "exception": reason})
        raise refused(403, "security_exception", reason)
    return None


def _privilege(endpoint: type[Request[Any]] | None, http: HttpRequest) -> str:
    if endpoint in _PROFILES:
        return f"{_ML}profile/nodes"
    if endpoint is not None:
        return _PRIVILEGES.get(endpoint, "")
    return next((privilege for pattern, privilege in _PATHS if pattern.match(http.path)), "")
