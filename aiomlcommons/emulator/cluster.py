"""The state of an emulated cluster."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from time import time
from typing import Any, TypeVar

import aiohttp
import attrs

from aiomlcommons.api.agents import Agent
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
from aiomlcommons.emulator.index import Document, Index, Refresh, alter, token
from aiomlcommons.emulator.machine import Machine
from aiomlcommons.emulator.security import Security
from aiomlcommons.emulator.settings.store import SettingStore
from aiomlcommons.endpoint import Request
from aiomlcommons.typed import typed_fields
from aiomlcommons.wire.flavors import OPENSEARCH, SERVERLESS, Flavor, flavor_named
from aiomlcommons.wire.version import Version

__all__ = ["Cluster", "Document", "Index", "alter"]

T = TypeVar("T")
PLUGINS = ("opensearch-job-scheduler", "opensearch-knn", "opensearch-ml", "opensearch-neural-search")
COLLECTIONS = ("SEARCH", "TIMESERIES", "VECTORSEARCH")


def _flavor(given: str | Flavor) -> Flavor:
    return flavor_named(given) if isinstance(given, str) else given


@attrs.define(field_transformer=typed_fields)
class Cluster:
    """An emulated cluster of one data node. ``clock`` returns Unix time in seconds.

    It reports OpenSearch ``version`` and has no routes that came later. ``refresh`` sets how long changes are delayed
    that are delayed on a real cluster. ``streams`` adds the transport that streams need. With ``follows_batches`` it
    can poll a provider for a batch job that it started, which no recorded server could do. ``flavor`` is the kind of
    server, as for a Session; ``collection`` is the type of that of Amazon OpenSearch Serverless: only SEARCH takes ids.
    ``plugins`` are those of the node: without k-NN and neural-search their fields, queries and processors are unknown.
    """

    clock: Callable[[], float] = time
    version: str = "3.4.0"
    refresh: Refresh = attrs.field(factory=Refresh)
    streams: bool = False
    flavor: Flavor = attrs.field(default=OPENSEARCH, converter=_flavor)
    collection: str = attrs.field(default="VECTORSEARCH", validator=attrs.validators.in_(COLLECTIONS))
    follows_batches: bool = False
    plugins: Collection[str] = PLUGINS
    faults: Faults = attrs.field(factory=Faults)
    settings: SettingStore = attrs.field(factory=SettingStore)
    machine: Machine = attrs.field(factory=Machine)
    # The security plugin, with the user of all requests; None if it is not installed.
    security: Security | None = None
    groups: Index[ModelGroup] = attrs.field(factory=lambda: Index(".plugins-ml-model-group"))
    models: Index[Model] = attrs.field(factory=lambda: Index(".plugins-ml-model"))
    connectors: Index[Connector] = attrs.field(factory=lambda: Index(".plugins-ml-connector"))
    tasks: Index[TaskInfo] = attrs.field(factory=lambda: Index(".plugins-ml-task"))
    controllers: Index[Controller] = attrs.field(factory=lambda: Index(".plugins-ml-controller"))
    # A node creates the index of configurations when it starts, for its master key.
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
    # The contents of containers by index name: containers with the same prefix share indices.
    contents: dict[str, Index[Any]] = attrs.field(factory=dict, repr=False)
    # The indices of users by name, and the points in time of searches by id.
    own: dict[str, Index[Any]] = attrs.field(factory=dict, repr=False)
    points: dict[str, Any] = attrs.field(factory=dict, repr=False)
    # The pipelines of documents and of searches by id, as they were given.
    pipelines: dict[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=False)
    had_pipelines: bool = False
    search_pipelines: dict[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=False)
    # By the id of a pipeline of documents, what it has done since the node was started.
    ingested: dict[str, Any] = attrs.field(factory=dict, repr=False)
    credentials: dict[str, Mapping[str, str]] = attrs.field(factory=dict, repr=False)
    chunks: dict[str, dict[int, bytes]] = attrs.field(factory=dict, repr=False)
    trained: dict[str, Any] = attrs.field(factory=dict, repr=False)
    counts: Counts = attrs.field(factory=Counts, repr=False)
    jobs: dict[str, Any] = attrs.field(factory=dict, repr=False)
    deploying: dict[str, str] = attrs.field(factory=dict, repr=False)
    # The models that the node has loaded, whatever their records say.
    on_node: set[str] = attrs.field(factory=set, repr=False)
    # The local models loaded since the node was started.
    loads: int = 0
    # The next requests that are refused as during shard recovery.
    recovering: int = 0
    # Iterations of the event loop between a read and the write that follows it.
    turns: int = 40
    calls: dict[str, deque[float]] = attrs.field(factory=dict, repr=False)
    node_id: str = attrs.field(factory=lambda: token(16))
    uuid: str = attrs.field(factory=lambda: token(16))
    _next_id: int = 0x8A284A
    _client: aiohttp.ClientSession | None = None

    def __attrs_post_init__(self) -> None:
        self.lag(self.refresh)
        self.settings.version = self.version

    def lag(self, refresh: Refresh) -> None:
        """Set how long changes are delayed from now on."""
        self.refresh = refresh
        for index in self.indices():
            self.adopt(index)

    def adopt(self, index: Index[Any]) -> None:
        """Let an index lag as those of this cluster do."""
        index.refresh, index.clock = self.refresh, lambda: self.clock()
        # Deletions force a refresh since 2.14.
        index.deletes_lag, index.is_old = self.is_before("2.14"), self.is_old

    def indices(self) -> Iterator[Index[Any]]:
        """Return the fixed indices, then those of memory containers and those of users."""
        values = (getattr(self, field.name) for field in attrs.fields(Cluster))
        yield from (value for value in values if isinstance(value, Index))
        yield from (*self.contents.values(), *self.own.values())

    @property
    def is_old(self) -> bool:
        """Whether this is a server with the old names, before 2.7: models are uploaded and loaded, without groups."""
        return self.is_before("2.7")

    @property
    def takes_ids(self) -> bool:
        """Whether documents may be written under ids of the caller."""
        return self.flavor is not SERVERLESS or self.collection == "SEARCH"

    def has(self, plugin: str) -> bool:
        """Return whether the node has a plugin, such as ``knn`` or ``neural-search``."""
        return f"opensearch-{plugin}" in self.plugins

    def is_before(self, version: str) -> bool:
        """Return whether this OpenSearch is older than a version."""
        return Version.parse(self.version) < Version.parse(version)

    async def pause(self) -> None:
        """Yield to other requests, as happens on a server between a read and the following write."""
        for _ in range(self.turns):
            await asyncio.sleep(0)

    async def rewrite(
        self, request: Request[Any], index: Index[T], key: str, changes: Callable[[T], Mapping[str, Any]]
    ) -> T:
        """Read a document and write it changed, with optimistic concurrency.

        Raises Conflict where another request wrote it in between.
        """
        index.settle(key)
        old = index.documents[key]
        new = alter(old.source, **changes(old.source))
        await self.pause()
        if self.faults.raced(request) and key in index.documents:
            index.put(key, index.documents[key].source)
        index.put(key, new, if_seq_no=old.seq_no)
        return new

    def new_id(self) -> str:
        """Return an id in the format of the server: 20 characters, the first ones a counter."""
        tail = base64.urlsafe_b64decode(self.uuid + "==")[:12]
        number, self._next_id = self._next_id, self._next_id + 1
        return base64.urlsafe_b64encode((number & 0xFFFFFF).to_bytes(3, "big") + tail).decode()

    def now(self) -> int:
        """Return the time in epoch milliseconds."""
        return int(self.clock() * 1000)

    @property
    def client(self) -> aiohttp.ClientSession:
        """The HTTP client of the cluster: for remote models, and for models registered by URL."""
        if self._client is None:
            self._client = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._client

    async def close(self) -> None:
        """Close the HTTP client."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
