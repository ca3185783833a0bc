"""The floors of the package: which room may import which. docs/architecture.md draws and explains them."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter

import pytest

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
