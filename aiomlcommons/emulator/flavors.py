"""What the servers of Amazon refuse or lack, in their words where these are public.

https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-genref.html
https://github.com/opensearch-project/opensearch-py/issues/646 (``_refresh``)
https://github.com/langchain-ai/langchainjs/issues/4346 (ids)
https://github.com/opensearch-project/opensearch-ruby/issues/131 (``refresh=true``)
"""

from __future__ import annotations

import re
from typing import Any

from aiomlcommons.emulator import errors
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal, status_error
from aiomlcommons.endpoint import Request
from aiomlcommons.http import HttpRequest
from aiomlcommons.wire.features import Feature, feature_of, features_of
from aiomlcommons.wire.flavors import MANAGED, SERVERLESS

SERVER = {"server": "aoss-amazon"}
NO_IDS = "Document ID is not supported in create/index operation request"
NO_REFRESH = "true refresh policy is not supported."
NOT_ALLOWED = "Your request: '/_cluster/settings' payload is not allowed."
# Methods and paths beside ML Commons that Serverless lacks, of those that the emulator has.
_LACKING = re.compile(r"\w+ (/[^/]+)?/_refresh/?|PUT (/[^/]+)?/_bulk/?|GET /_cat/(?!indices).*|\w+ /_nodes.*")


def unknown_route(cluster: Cluster, error: Refused) -> Refused:
    """Return what this kind of server says of a route that it does not know."""
    return Refused(404, None) if cluster.flavor is SERVERLESS else error


def check_route(cluster: Cluster, endpoint: type[Request[Any]] | None, http: HttpRequest) -> None:
    """Raise Refused (404, without a body) for a route that this kind of server lacks."""
    if cluster.flavor is not SERVERLESS:
        return
    feature = None if endpoint is None else feature_of(endpoint)
    if feature in SERVERLESS.lacks or (endpoint is None and _LACKING.fullmatch(f"{http.method} {http.path}")):
        raise Refused(404, None)
    if http.query.get("refresh") in {"", "true"}:
        raise status_error(400, NO_REFRESH)


def check_request(cluster: Cluster, request: Request[Any]) -> None:
    """Raise Refused for values that this kind of server does not take."""
    if not cluster.flavor.lacks:
        return
    for feature, _ in features_of(request):
        if cluster.flavor is MANAGED and feature in {Feature.MODEL_SOURCE_SETTINGS, Feature.NESTED_SETTINGS}:
            raise Refused(401, {"Message": NOT_ALLOWED})
        if cluster.flavor is SERVERLESS and feature in {Feature.LOCAL_MODELS, Feature.MODEL_URLS}:
            raise illegal(errors.NO_LOCAL)
