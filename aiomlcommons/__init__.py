"""The async Python client for OpenSearch ML Commons."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aiomlcommons.__about__ import __version__ as __version__
from aiomlcommons.lazy import lazily

if TYPE_CHECKING:
    from aiomlcommons.api.endpoints import ENDPOINTS
    from aiomlcommons.api.model_configs import ModelConfig
    from aiomlcommons.api.settings import MLSettings
    from aiomlcommons.endpoint import Request
    from aiomlcommons.errors import (
        ApiError,
        BadRequest,
        Conflict,
        ConnectError,
        DecodeError,
        FeatureDisabled,
        Forbidden,
        InsecureWarning,
        InvalidRequest,
        MLCommonsError,
        ModelNotReady,
        NoCredentials,
        NotFound,
        NotOpenSearch,
        NotSupported,
        QuotaExceeded,
        Redirected,
        RequestTimeout,
        ResponseTooLarge,
        ServerError,
        SessionClosed,
        StreamCut,
        StreamFailed,
        TooManyRequests,
        Unauthorized,
        Unavailable,
    )
    from aiomlcommons.http import HttpRequest, HttpResponse
    from aiomlcommons.indices.errors import IndexMismatch
    from aiomlcommons.indices.for_model import ModelIndex
    from aiomlcommons.inference.errors import BatchFailed
    from aiomlcommons.inference.inputs import ModelInputs
    from aiomlcommons.inference.predictions import Ranked
    from aiomlcommons.lifecycle.declared import DeclaredModel
    from aiomlcommons.lifecycle.ensured import EnsuredModel
    from aiomlcommons.lifecycle.errors import (
        BadPackage,
        BlockedBySetting,
        FileChanged,
        NoSuchModel,
        NotComplete,
        NotDeployed,
        NotDownloaded,
        NotRegistered,
    )
    from aiomlcommons.lifecycle.files.package import sha256
    from aiomlcommons.lifecycle.spec import ExistingModel, FileModel, GroupSpec, PretrainedModel, RemoteModel, UrlModel
    from aiomlcommons.logs import show_logs
    from aiomlcommons.net.auth import BasicAuth, BearerAuth
    from aiomlcommons.net.aws import AwsAuth
    from aiomlcommons.net.backoff import Backoff
    from aiomlcommons.net.hedge import Hedge
    from aiomlcommons.net.node_state import NodeState
    from aiomlcommons.net.secret import Secret
    from aiomlcommons.net.session_options import SessionOptions
    from aiomlcommons.net.transport import SendFunction, Streamed, Timeout, Transport
    from aiomlcommons.progress.event import Phase, Progress
    from aiomlcommons.record import NULL
    from aiomlcommons.searching.errors import NotSearchable, WrongDocument
    from aiomlcommons.session import Session
    from aiomlcommons.trouble.kinds import Trouble
    from aiomlcommons.waiting.errors import TaskFailed, TaskStalled
    from aiomlcommons.waiting.task import Task

    Prevented = BlockedBySetting  # the old name

__all__ = [
    "ENDPOINTS",
    "NULL",
    "ApiError",
    "AwsAuth",
    "Backoff",
    "BadPackage",
    "BadRequest",
    "BasicAuth",
    "BatchFailed",
    "BearerAuth",
    "BlockedBySetting",
    "Conflict",
    "ConnectError",
    "DeclaredModel",
    "DecodeError",
    "EnsuredModel",
    "ExistingModel",
    "FeatureDisabled",
    "FileChanged",
    "FileModel",
    "Forbidden",
    "GroupSpec",
    "Hedge",
    "HttpRequest",
    "HttpResponse",
    "IndexMismatch",
    "InsecureWarning",
    "InvalidRequest",
    "MLCommonsError",
    "MLSettings",
    "ModelConfig",
    "ModelIndex",
    "ModelInputs",
    "ModelNotReady",
    "NoCredentials",
    "NoSuchModel",
    "NodeState",
    "NotComplete",
    "NotDeployed",
    "NotDownloaded",
    "NotFound",
    "NotOpenSearch",
    "NotRegistered",
    "NotSearchable",
    "NotSupported",
    "Phase",
    "PretrainedModel",
    "Progress",
    "QuotaExceeded",
    "Ranked",
    "Redirected",
    "RemoteModel",
    "Request",
    "RequestTimeout",
    "ResponseTooLarge",
    "Secret",
    "SendFunction",
    "ServerError",
    "Session",
    "SessionClosed",
    "SessionOptions",
    "StreamCut",
    "StreamFailed",
    "Streamed",
    "Task",
    "TaskFailed",
    "TaskStalled",
    "Timeout",
    "TooManyRequests",
    "Transport",
    "Trouble",
    "Unauthorized",
    "Unavailable",
    "UrlModel",
    "WrongDocument",
    "sha256",
    "show_logs",
]

if os.environ.get("AIOMLCOMMONS_LOG"):
    from aiomlcommons.logs import follow_environment

    follow_environment(os.environ)

if not TYPE_CHECKING:
    # Lazy, so that `aiomlcommons --help` does not wait for the import of aiohttp and numpy.
    __getattr__, __dir__ = lazily(
        __name__,
        __all__,
        {
            ".api.endpoints": "ENDPOINTS",
            ".api.model_configs": "ModelConfig",
            ".api.settings": "MLSettings",
            ".endpoint": "Request",
            ".errors": (
                "ApiError BadRequest Conflict ConnectError DecodeError FeatureDisabled Forbidden "
                "InsecureWarning InvalidRequest MLCommonsError ModelNotReady NoCredentials NotFound "
                "NotOpenSearch NotSupported QuotaExceeded Redirected RequestTimeout ResponseTooLarge "
                "ServerError SessionClosed StreamCut StreamFailed TooManyRequests Unauthorized Unavailable"
            ),
            ".http": "HttpRequest HttpResponse",
            ".indices.errors": "IndexMismatch",
            ".indices.for_model": "ModelIndex",
            ".inference.errors": "BatchFailed",
            ".inference.inputs": "ModelInputs",
            ".inference.predictions": "Ranked",
            ".lifecycle.declared": "DeclaredModel",
            ".lifecycle.ensured": "EnsuredModel",
            ".lifecycle.errors": (
                "BadPackage BlockedBySetting FileChanged NoSuchModel NotComplete NotDeployed NotDownloaded "
                "NotRegistered"
            ),
            ".lifecycle.files.package": "sha256",
            ".lifecycle.spec": "ExistingModel FileModel GroupSpec PretrainedModel RemoteModel UrlModel",
            ".logs": "show_logs",
            ".net.auth": "BasicAuth BearerAuth",
            ".net.aws": "AwsAuth",
            ".net.backoff": "Backoff",
            ".net.hedge": "Hedge",
            ".net.node_state": "NodeState",
            ".net.secret": "Secret",
            ".net.session_options": "SessionOptions",
            ".net.transport": "SendFunction Streamed Timeout Transport",
            ".progress.event": "Phase Progress",
            ".record": "NULL",
            ".searching.errors": "NotSearchable WrongDocument",
            ".session": "Session",
            ".trouble.kinds": "Trouble",
            ".waiting.errors": "TaskFailed TaskStalled",
            ".waiting.task": "Task",
        },
        renamed={"Prevented": "BlockedBySetting"},
    )
