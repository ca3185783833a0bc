"""The floors of the house: which room may import which. docs/architecture.md draws them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import aiomlcommons

ROOT = Path(aiomlcommons.__file__).parent
# From the ground up. A module may import from floors below its own, and from its own room: rooms on one floor do not
# know each other. The longest name counts, so that one module of a room may stand lower than the rest.
FLOORS = (
    "__about__ lazy http concurrency net.secret net.backoff",
    "endpoint trouble",
    "errors",
    "namespace wire net",
    "stream",
    "api",
    "waiting frames connectors inference",
    "client",
    "lifecycle.remedies",
    "lifecycle.errors",
    "lifecycle.files",
    "lifecycle",
    "ingest.errors ingest.paths ingest.json_values ingest.pacing",
    "ingest.types ingest.durable",
    "ingest.stats ingest.state",
    "ingest.rows",
    "ingest.sources ingest.sinks ingest.embedding",
    "ingest",
    "session",
    "emulator.errors emulator.settings._defaults",
    "emulator.settings.store",
    "emulator",
    "emulator.settings emulator.connectors emulator.memory",
    "emulator.models",
    "emulator.agents",
    "emulator.monitoring",
    "emulator.app",
    "emulator.__init__",
    "integrations emulator.pytest_plugin",
    "cli",
    "__main__ __init__",
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}


@cache
def modules() -> dict[str, Path]:
    """Each module by its dotted name below the package; a room's own file is its ``__init__``."""
    paths = sorted(ROOT.rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


@cache
def imports(module: str) -> set[str]:
    """The modules of the package that a module imports, wherever in it and for whatever purpose."""
    found = {_module(name) for name in _imported(ast.parse(modules()[module].read_text()))}
    return {name for name in found if name != module}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "aiomlcommons":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "aiomlcommons")


def _module(name: str) -> str:
    """The module that a name is, or is in: ``aiomlcommons.api.models.Models`` is in ``api.models``."""
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in modules() and ".".join([*parts, "__init__"]) not in modules():
        parts.pop()
    dotted = ".".join(parts)
    return dotted if dotted in modules() else ".".join([*parts, "__init__"])


def room(module: str) -> str:
    """The entry of FLOORS that a module belongs to."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next(name for name in names if name in FLOOR)


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_point_down(module: str) -> None:
    own = room(module)
    for other in imports(module):
        theirs = room(other)
        assert theirs == own or FLOOR[theirs] < FLOOR[own], f"{module} ({own}) must not import {other} ({theirs})"


@pytest.mark.parametrize("module", sorted(modules()))
def test_a_private_module_is_imported_in_its_own_folder_only(module: str) -> None:
    folder = module.rpartition(".")[0]
    for other in imports(module):
        theirs, _, name = other.rpartition(".")
        private = name.startswith("_") and not name.startswith("__")
        assert not private or theirs == folder, f"{other} is private to {theirs}: {module} must not import it"


def test_no_circle() -> None:
    try:
        TopologicalSorter({module: imports(module) for module in modules()}).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("entry", sorted(FLOOR))
def test_every_entry_is_a_room_or_a_module(entry: str) -> None:
    assert any(module == entry or module.startswith(f"{entry}.") for module in modules()), f"{entry} is gone"


def test_only_the_network_and_the_emulator_know_aiohttp() -> None:
    knowing = {module for module, path in modules().items() if "import aiohttp" in path.read_text()}
    assert {module.partition(".")[0] for module in knowing} <= {"net", "emulator"}


@pytest.mark.parametrize("module", sorted(modules()))
def test_errors_live_in_the_errors_modules(module: str) -> None:
    if module == "errors" or module.endswith(".errors"):
        return
    bases = {"MLCommonsError", "ApiError"}
    classes = [node for node in ast.walk(ast.parse(modules()[module].read_text())) if isinstance(node, ast.ClassDef)]
    errors = [node.name for node in classes if bases & {base.id for base in node.bases if isinstance(base, ast.Name)}]
    assert not errors, f"move {errors} to the errors.py of its room"
