"""The import graph of the package, read from its source with ``ast``, and the floors that it must keep to."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TypeAlias

import aiomlcommons

ROOT = Path(aiomlcommons.__file__).parent
# From the ground up. A module may import from floors below its own, and from its own room: rooms on one floor do not
# know each other. The longest name counts, so that one module of a room may stand lower than the rest.
FLOORS = (
    "slots",
    "__about__ lazy deferred masking decoding concurrency spelling usage",
    "logs net.secret net.rules",
    "typed",
    "display",
    "http record net.backoff",
    "endpoint trouble",
    "errors",
    "owner",
    "statuses portal tracing queries",
    "namespace wire net progress",
    "stream",
    "api",
    "waiting frames connectors inference calls",
    "client",
    "lifecycle.remedies",
    "lifecycle.errors",
    "lifecycle.files",
    "lifecycle",
    "indices",
    "ingest.errors ingest.events ingest.paths ingest.json_values ingest.pacing",
    "ingest.types ingest.durable ingest.threads",
    "ingest.stats ingest.state ingest.arrow_rows",
    "ingest.rows",
    "ingest.sources ingest.sinks ingest.embedding",
    "ingest.server_side",
    "ingest diagnosis searching",
    "reembedding",
    "session",
    "emulator.errors emulator.settings._defaults",
    "emulator.settings.store",
    "emulator",
    "emulator.querying",
    "emulator.settings emulator.connectors emulator.memory",
    "emulator.models",
    "emulator.pipelines",
    "emulator.indices",
    "emulator.agents",
    "emulator.monitoring",
    "emulator.app",
    "emulator.__init__",
    "integrations blocking emulator.pytest_plugin",
    "cli",
    "__main__ __init__",
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}
Graph: TypeAlias = Mapping[str, frozenset[str]]
"""What each node imports."""


@cache
def modules() -> Mapping[str, Path]:
    """Map the dotted name of each module below the package to its file; a package's own file is its ``__init__``."""
    paths = sorted(ROOT.rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


@cache
def imports(module: str) -> frozenset[str]:
    """Return the modules of the package that a module imports: at its top, in a function, or under TYPE_CHECKING."""
    found = {_module(name) for name in _imported(ast.parse(modules()[module].read_text()))}
    return frozenset(found - {module})


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "aiomlcommons":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "aiomlcommons")


def _module(name: str) -> str:
    """Return the module that a name is, or is in: ``aiomlcommons.api.models.Models`` is in ``api.models``."""
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in modules() and ".".join([*parts, "__init__"]) not in modules():
        parts.pop()
    dotted = ".".join(parts)
    return dotted if dotted in modules() else ".".join([*parts, "__init__"])


def room(module: str) -> str:
    """Return the entry of FLOORS that a module belongs to."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next(name for name in names if name in FLOOR)


def graph(node_of: Callable[[str], str | None]) -> Graph:
    """Return the imports between groups of modules; ``node_of`` names the group of a module, None leaves it out."""
    nodes = {module: node for module in modules() if (node := node_of(module)) is not None}
    found: dict[str, set[str]] = {node: set() for node in nodes.values()}
    for module, node in nodes.items():
        found[node] |= {nodes[other] for other in imports(module) if other in nodes} - {node}
    return {node: frozenset(others) for node, others in found.items()}


def reduction(whole: Graph) -> Graph:
    """Return the transitive reduction of a graph without cycles: the edges that no longer path implies."""
    TopologicalSorter(whole).prepare()  # raises CycleError, where the search for paths would not end
    return {
        node: frozenset(other for other in others if not any(other in _reach(whole, via) for via in others))
        for node, others in whole.items()
    }


def _reach(whole: Graph, node: str) -> set[str]:
    """Return what a node imports, directly or by way of others."""
    return set(whole[node]).union(*(_reach(whole, other) for other in whole[node]))
