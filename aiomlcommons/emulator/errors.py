"""What the server says when it refuses, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOT_READY = "Model not ready yet. Please deploy the model first."
NO_MODEL = "Failed to find model"
NO_TASK = "Failed to find task"
NO_NODE = "no eligible node found"
DUPLICATE_DEPLOY = "Duplicate deploy model task"
FAILED_DEPLOY = "Failed to deploy model"
CONTENT_CHANGED = "model content changed"
TOO_MANY_MODELS = "Exceed max local model per node limit"
NOT_PRETRAINED = "This model is not in the pre-trained model list, please check your parameters."
NO_ACCESS_CONTROL = (
    "You cannot specify model access control parameters because the Security plugin or model access control is "
    "disabled on your cluster."
)
NO_URL = (
    "To upload custom model user needs to enable allow_registering_model_via_url settings. "
    "Otherwise please use OpenSearch pre-trained models."
)
NO_LOCAL_FILE = (
    "To upload custom model from local file, user needs to enable allow_registering_model_via_local_file settings. "
    "Otherwise please use OpenSearch pre-trained models."
)
NO_REMOTE = (
    "Remote Inference is currently disabled. To enable it, update the setting "
    '"plugins.ml_commons.remote_inference_enabled" to true.'
)
NO_LOCAL = (
    "Local Model is currently disabled. To enable it, update the setting "
    '"plugins.ml_commons.local_model.enabled" to true.'
)
DELETE_DEPLOYED = "Model cannot be deleted in deploying or deployed state. Try undeploy model first then delete"
RESULT_WINDOW = (
    "Result window is too large, from + size must be less than or equal to: [10000] but was [{size}]. See the scroll "
    "api for a more efficient way to request large data sets. This limit can be set by changing the "
    "[index.max_result_window] index level setting."
)


class Refused(Exception):
    """An answer of 400 or above; ``body`` is what it holds."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body)
        self.status, self.body, self.headers = status, body, headers or {}


def refused(status: int, kind: str, reason: str, caused_by: Mapping[str, Any] | None = None, **more: Any) -> Refused:
    """An error in the usual form; ``more`` stands beside type and reason."""
    cause = {"type": kind, "reason": reason, **more}
    error = {"root_cause": [cause], **cause, **({"caused_by": caused_by} if caused_by else {})}
    return Refused(status, {"error": error, "status": status})


def plain(status: int, words: str, *, with_status: bool = True) -> Refused:
    """An error that is only words: a missing handler, a wrong method or content type."""
    return Refused(status, {"error": words, "status": status} if with_status else {"error": words})


def illegal(reason: str) -> Refused:
    """400: what was asked makes no sense to the server."""
    return refused(400, "illegal_argument_exception", reason)


def missing(reason: str) -> Refused:
    """404: it is not there."""
    return refused(404, "status_exception", reason)


def status_error(status: int, reason: str) -> Refused:
    """Any other status, of the server's general kind."""
    return refused(status, "status_exception", reason)
