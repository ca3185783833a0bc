"""All that an emulated cluster remembers."""

from __future__ import annotations

import base64
import itertools
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from time import time
from typing import Any, Generic, TypeVar

import aiohttp
import attrs

from aiomlcommons.api.agents import Agent
from aiomlcommons.api.common import Shards, WriteResult
from aiomlcommons.api.config import Config
from aiomlcommons.api.connectors import Connector
from aiomlcommons.api.context_management import ContextManagementTemplate
from aiomlcommons.api.controllers import Controller
from aiomlcommons.api.index_insight import InsightConfig
from aiomlcommons.api.mcp import McpTool
from aiomlcommons.api.memory import Memory, MemoryMessage
from aiomlcommons.api.memory_containers import MemoryContainer
from aiomlcommons.api.model_groups import ModelGroup
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.emulator.counting import Counts
from aiomlcommons.emulator.faults import Faults
from aiomlcommons.emulator.setting_store import SettingStore

T = TypeVar("T")


def alter(value: T, **fields: Any) -> T:
    """The same record with other fields. mypy does not know that a record is an attrs class."""
    return attrs.evolve(value, **fields)  # type: ignore[misc]


@attrs.define
class Document(Generic[T]):
    """A document of an index."""

    id: str
    source: T
    version: int
    seq_no: int


@attrs.define
class Index(Generic[T]):
    """The documents of one kind, in the order in which they were added."""

    name: str
    documents: dict[str, Document[T]] = attrs.field(factory=dict)
    sequence: itertools.count[int] = attrs.field(factory=itertools.count)
    existed: bool = False

    def get(self, key: str) -> T | None:
        """A document's content, or None."""
        document = self.documents.get(key)
        return document.source if document else None

    def put(self, key: str, source: T) -> None:
        """Add a document, or replace it."""
        self.existed = True
        old = self.documents.get(key)
        self.documents[key] = Document(key, source, old.version + 1 if old else 1, next(self.sequence))

    def change(self, key: str, **fields: Any) -> None:
        """Change fields of a document that is there."""
        self.put(key, alter(self.documents[key].source, **fields))

    def delete(self, key: str) -> WriteResult:
        """Delete a document; one that is not there is ``not_found``."""
        document = self.documents.pop(key, None)
        version = document.version + 1 if document else 1
        return self._written(key, "deleted" if document else "not_found", version)

    def updated(self, key: str) -> WriteResult:
        """What the server says after a change."""
        return self._written(key, "updated", self.documents[key].version)

    def _written(self, key: str, result: str, version: int) -> WriteResult:
        return WriteResult(
            index=self.name,
            id=key,
            version=version,
            result=result,
            forced_refresh=True,
            shards=Shards(total=1, successful=1, failed=0),
            seq_no=next(self.sequence),
            primary_term=1,
        )


def _token(size: int) -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes[:size]).rstrip(b"=").decode()


@attrs.define
class Cluster:
    """An emulated cluster of one data node. ``clock`` gives seconds since 1970.

    It says that it is an OpenSearch of ``version``, and knows no route that came later. With ``streams`` it has the
    transport that streams need.
    """

    clock: Callable[[], float] = time
    version: str = "3.4.0"
    streams: bool = False
    faults: Faults = attrs.field(factory=Faults)
    settings: SettingStore = attrs.field(factory=SettingStore)
    groups: Index[ModelGroup] = attrs.field(factory=lambda: Index(".plugins-ml-model-group"))
    models: Index[Model] = attrs.field(factory=lambda: Index(".plugins-ml-model"))
    connectors: Index[Connector] = attrs.field(factory=lambda: Index(".plugins-ml-connector"))
    tasks: Index[TaskInfo] = attrs.field(factory=lambda: Index(".plugins-ml-task"))
    controllers: Index[Controller] = attrs.field(factory=lambda: Index(".plugins-ml-controller"))
    # A node makes the index of configurations when it starts, for its master key.
    configs: Index[Config] = attrs.field(factory=lambda: Index(".plugins-ml-config", existed=True))
    insight_configs: Index[InsightConfig] = attrs.field(factory=lambda: Index(".plugins-ml-index-insight-config"))
    contexts: Index[ContextManagementTemplate] = attrs.field(
        factory=lambda: Index(".plugins-ml-context-management-templates")
    )
    agents: Index[Agent] = attrs.field(factory=lambda: Index(".plugins-ml-agent"))
    mcp_tools: Index[McpTool] = attrs.field(factory=lambda: Index(".plugins-ml-mcp-tools"))
    memories: Index[Memory] = attrs.field(factory=lambda: Index(".plugins-ml-memory-meta"))
    messages: Index[MemoryMessage] = attrs.field(factory=lambda: Index(".plugins-ml-memory-message"))
    containers: Index[MemoryContainer] = attrs.field(factory=lambda: Index(".plugins-ml-am-memory-container"))
    # What the containers hold, by the names of their indices: containers of one prefix share them.
    contents: dict[str, Index[Any]] = attrs.field(factory=dict, repr=False)
    credentials: dict[str, Mapping[str, str]] = attrs.field(factory=dict, repr=False)
    chunks: dict[str, dict[int, bytes]] = attrs.field(factory=dict, repr=False)
    trained: dict[str, Any] = attrs.field(factory=dict, repr=False)
    counts: Counts = attrs.field(factory=Counts, repr=False)
    jobs: dict[str, Any] = attrs.field(factory=dict, repr=False)
    deploying: dict[str, str] = attrs.field(factory=dict, repr=False)
    calls: dict[str, deque[float]] = attrs.field(factory=dict, repr=False)
    node_id: str = attrs.field(factory=lambda: _token(16))
    uuid: str = attrs.field(factory=lambda: _token(16))
    _ids: itertools.count[int] = attrs.field(factory=lambda: itertools.count(0x8A284A))
    _client: aiohttp.ClientSession | None = None

    def new_id(self) -> str:
        """An id as the server makes them: 20 characters, the first ones counting up."""
        tail = base64.urlsafe_b64decode(self.uuid + "==")[:12]
        return base64.urlsafe_b64encode((next(self._ids) & 0xFFFFFF).to_bytes(3, "big") + tail).decode()

    def now(self) -> int:
        """Epoch milliseconds."""
        return int(self.clock() * 1000)

    @property
    def client(self) -> aiohttp.ClientSession:
        """The cluster's own way to the network: for remote models, and for models that come by URL."""
        if self._client is None:
            self._client = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._client

    async def close(self) -> None:
        """Close the connections to remote models."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
