"""What a cluster is doing at one moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar

import anyio
import attrs

from aiomlcommons.api.model_records import DEPLOYED
from aiomlcommons.api.stats import ActionStats, Durations, NodeStats, Profile, Stats
from aiomlcommons.client import Client
from aiomlcommons.diagnosis.denials import why
from aiomlcommons.diagnosis.nodes import NodeUse, node_uses
from aiomlcommons.errors import ConnectError, MLCommonsError, SessionClosed

T = TypeVar("T")
# Names of models change so seldom that only new ids are looked up.
_MOST_NAMES = 1_000


@attrs.frozen
class Counts:
    """What has been counted since a node started."""

    requests: int = 0
    failures: int = 0
    tripped: int = 0


@attrs.frozen
class NodeLook:
    """A node: how full it is, its models and tasks, and what it has counted. None is what nobody told."""

    id: str
    name: str
    is_ml: bool = False
    is_gone: bool = False
    memory: float | None = None
    heap: float | None = None
    cpu: float | None = None
    load: float | None = None
    models: int | None = None
    tasks: int | None = None
    counts: Counts = Counts()


@attrs.frozen
class ModelLook:
    """A model that is on nodes: which, what was counted of its predictions, and their latencies in milliseconds."""

    id: str
    name: str
    state: str
    nodes: int
    planned: int
    counts: Counts = Counts()
    average: float | None = None
    p50: float | None = None
    p90: float | None = None


@attrs.frozen
class TaskLook:
    """A task under way. ``created`` is in epoch milliseconds of the server."""

    id: str
    type: str
    state: str
    model: str
    node: str
    created: int | None


@attrs.frozen
class Look:
    """What a cluster is doing. ``at`` is a time of the clock in seconds, ``trouble`` what could not be asked."""

    at: float
    nodes: tuple[NodeLook, ...] = ()
    models: tuple[ModelLook, ...] = ()
    tasks: tuple[TaskLook, ...] = ()
    trouble: tuple[str, ...] = ()
    responds: bool = True


@attrs.define
class Watcher:
    """Looks at a cluster again and again; it remembers the names of models and nodes."""

    ml: Client
    clock: Callable[[], float]
    _names: dict[str, str] = attrs.field(factory=dict)
    _nodes: dict[str, NodeLook] = attrs.field(factory=dict)

    async def look(self) -> Look:
        """Return what the cluster is doing. What fails is in ``trouble``; no error of the cluster is raised."""
        trouble: dict[str, str] = {}
        found: dict[str, Any] = {}

        async def ask(name: str, call: Awaitable[Any]) -> None:
            try:
                found[name] = await call
            except SessionClosed:
                raise
            except MLCommonsError as error:
                trouble["connection" if isinstance(error, ConnectError) else name] = why(error)

        async with anyio.create_task_group() as group:
            group.start_soon(ask, "statistics", _awaited(self.ml.stats()))
            group.start_soon(ask, "profile", _awaited(self.ml.profile.all()))
            group.start_soon(ask, "nodes", node_uses(self.ml))
        stats, profile = found.get("statistics") or Stats(), found.get("profile") or Profile()
        uses: list[NodeUse] = found.get("nodes") or []
        await self._learn_names({key for node in (profile.nodes or {}).values() for key in node.models or {}})
        told = tuple(words if name == "connection" else f"{name}: {words}" for name, words in trouble.items())
        nodes = self._with_gone(_nodes(uses, stats)) if found else tuple(self._nodes.values())
        models = tuple(self._models(stats, profile))
        return Look(self.clock(), nodes, models, tuple(self._tasks(profile)), told, responds=bool(found))

    def _with_gone(self, nodes: Mapping[str, NodeLook]) -> tuple[NodeLook, ...]:
        """Return the nodes, and those that were there before, until a node of the same name is back."""
        names = {node.name for node in nodes.values()}
        gone = {key: attrs.evolve(node, is_gone=True) for key, node in self._nodes.items() if node.name not in names}
        self._nodes = {**nodes, **{key: node for key, node in gone.items() if key not in nodes}}
        return tuple(sorted(self._nodes.values(), key=lambda node: node.name))

    async def _learn_names(self, ids: set[str]) -> None:
        if not (unknown := sorted(ids - self._names.keys())[:_MOST_NAMES]):
            return
        body = {"query": {"ids": {"values": unknown}}, "_source": ["name"], "size": len(unknown)}
        try:
            page = await self.ml.models.search(body)
        except MLCommonsError:
            return
        self._names |= {hit.id: hit.source.name for hit in page if hit.has_source and hit.source.name}

    def _models(self, stats: Stats, profile: Profile) -> Iterator[ModelLook]:
        held: dict[str, list[Any]] = {}
        for node in (profile.nodes or {}).values():
            for key, model in (node.models or {}).items():
                held.setdefault(key, []).append(model)
        for key, models in held.items():
            loaded = [model for model in models if model.model_state in DEPLOYED]
            targets = {node for model in models for node in model.target_worker_nodes or ()}
            busiest = max((m.predict_request_stats or Durations() for m in models), key=lambda d: d.count or 0)
            states = {str(model.model_state) for model in models if model.model_state}
            yield ModelLook(
                key,
                self._names.get(key, key),
                ", ".join(sorted(states)) or "not loaded",
                len(loaded),
                max(len(targets), len(loaded)),
                _of_model(stats, key),
                busiest.average,
                busiest.p50,
                busiest.p90,
            )

    def _tasks(self, profile: Profile) -> Iterator[TaskLook]:
        for node_id, node in (profile.nodes or {}).items():
            name = self._nodes[node_id].name if node_id in self._nodes else node_id
            for key, task in (node.tasks or {}).items():
                model = self._names.get(task.model_id or "", task.model_id or "-")
                yield TaskLook(key, str(task.task_type), str(task.state), model, name, task.create_time)


async def _awaited(call: Awaitable[T]) -> T:
    return await call


def _nodes(uses: list[NodeUse], stats: Stats) -> dict[str, NodeLook]:
    counted = stats.nodes or {}
    by_id = {use.id: use for use in uses}
    return {key: _node(key, by_id.get(key), counted.get(key)) for key in {**by_id, **counted}}


def _node(key: str, use: NodeUse | None, stats: NodeStats | None) -> NodeLook:
    use, stats = use or NodeUse(key, key, frozenset()), stats or NodeStats()
    return NodeLook(
        key,
        use.name,
        is_ml="ml" in use.roles,
        memory=use.memory,
        heap=_first(use.heap, stats.ml_jvm_heap_usage, stats.ml_node_jvm_heap_usage),
        cpu=use.cpu,
        load=use.load,
        models=_first(stats.ml_deployed_model_count, stats.ml_node_total_model_count),
        tasks=_first(stats.ml_executing_task_count, stats.ml_node_executing_task_count),
        counts=Counts(
            _first(stats.ml_request_count, stats.ml_node_total_request_count) or 0,
            _first(stats.ml_failure_count, stats.ml_node_total_failure_count) or 0,
            _first(stats.ml_circuit_breaker_trigger_count, stats.ml_node_total_circuit_breaker_trigger_count) or 0,
        ),
    )


def _of_model(stats: Stats, model_id: str) -> Counts:
    """Add up what the nodes have counted of a model's predictions."""
    found = [(node.models or {}).get(model_id, {}).get("predict") for node in (stats.nodes or {}).values()]
    actions = [action for action in found if isinstance(action, ActionStats)]
    requests = sum(action.ml_action_request_count or 0 for action in actions)
    return Counts(requests, sum(action.ml_action_failure_count or 0 for action in actions))


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
