"""The floors of the package: which room may import which. docs/architecture.md draws and explains them."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from importlib import import_module

import pytest

from aiomlcommons import MLCommonsError
from tests.support.import_graph import FLOOR, imports, modules, room


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
    knowing = {module for module, path in modules().items() if "aiohttp" in _packages(ast.parse(path.read_text()))}
    assert {module.partition(".")[0] for module in knowing} <= {"net", "emulator"}


def test_errors_live_in_the_errors_modules() -> None:
    for module in modules():
        if not module.endswith("__main__"):
            import_module(f"aiomlcommons.{module.removesuffix('.__init__')}".removesuffix(".__init__"))
    elsewhere = {error for error in _subclasses(MLCommonsError) if not error.__module__.endswith("errors")}
    assert not {error for error in elsewhere if error.__module__.startswith("aiomlcommons.")}, "move it to an errors.py"


def _packages(tree: ast.Module) -> set[str]:
    """The packages that a module imports, in whichever way."""
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in found}


def _subclasses(cls: type[Exception]) -> set[type[Exception]]:
    return {cls}.union(*map(_subclasses, cls.__subclasses__()))
