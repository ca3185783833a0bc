"""What is asked of the cluster: once, however many checks want to know it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiomlcommons.api.connectors import Connector
from aiomlcommons.api.model_records import DEPLOYED, Model
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.stats import Profile
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.client import Client
from aiomlcommons.diagnosis.nodes import Node, NodeUse, node_uses, nodes
from aiomlcommons.errors import MLCommonsError

T = TypeVar("T")
MOST_MODELS = 1_000
MOST_TASKS = 500
_WITHOUT_CONTENT = {"excludes": ["content", "model_content"]}


class Facts:
    """What the checks know of a cluster. Each method asks once; an error is raised again to whom asks later."""

    def __init__(self, ml: Client) -> None:
        self.ml = ml
        self._known: dict[str, Any] = {}

    async def _once(self, name: str, ask: Callable[[], Awaitable[T]]) -> T:
        if name not in self._known:
            try:
                self._known[name] = await ask()
            except MLCommonsError as error:
                self._known[name] = error
        found: T | MLCommonsError = self._known[name]
        if isinstance(found, MLCommonsError):
            raise found
        return found

    async def settings(self) -> MLSettings:
        """Return the settings in effect."""
        return await self._once("settings", self.ml.settings.read)

    async def nodes(self) -> list[Node]:
        """Return the nodes."""
        return await self._once("nodes", lambda: nodes(self.ml))

    async def uses(self) -> list[NodeUse]:
        """Return how full the nodes are."""
        return await self._once("uses", lambda: node_uses(self.ml))

    async def models(self) -> list[tuple[str, Model]]:
        """Return the models by id, but for their contents: MOST_MODELS of them at most."""
        return await self._once("models", lambda: self._all(self.ml.models.search({"_source": _WITHOUT_CONTENT})))

    async def connectors(self) -> list[tuple[str, Connector]]:
        """Return the connectors by id."""
        return await self._once("connectors", lambda: self._all(self.ml.connectors.search()))

    async def tasks(self) -> list[tuple[str, TaskInfo]]:
        """Return the newest tasks by id, the newest first: MOST_TASKS of them at most."""
        return await self._once("tasks", self._tasks)

    async def profile(self) -> Profile:
        """Return what the nodes are doing."""
        return await self._once("profile", self.ml.profile.all)

    async def is_at_work(self, task_id: str) -> bool:
        """Return whether a node works on a task."""
        return any(task_id in (node.tasks or {}) for node in ((await self.profile()).nodes or {}).values())

    async def nodes_with(self, model_id: str) -> set[str]:
        """Return the nodes that have loaded a model."""
        held = ((key, (node.models or {}).get(model_id)) for key, node in ((await self.profile()).nodes or {}).items())
        return {key for key, model in held if model is not None and model.model_state in DEPLOYED}

    async def _tasks(self) -> list[tuple[str, TaskInfo]]:
        page = await self.ml.tasks.search({"sort": [{"create_time": "desc"}], "size": MOST_TASKS})
        return [(hit.id, hit.source) for hit in page if hit.has_source]

    async def _all(self, search: Any) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        async for hit in search:
            if len(found) == MOST_MODELS:
                break
            if hit.has_source:
                found.append((hit.id, hit.source))
        return found
