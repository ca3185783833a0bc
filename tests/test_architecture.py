"""docs/architecture.md: its drawings are the import graph, and the files that it names are there."""

from __future__ import annotations

import re

import pytest

from tests.support.documents import named_files
from tests.support.import_graph import FLOOR, ROOT, Graph, graph, modules, reduction, room
from tests.support.paths import ROOT as REPOSITORY

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGE, INGEST = re.findall(r"^```mermaid\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NOT_DRAWN = {"__init__", "__main__", "__about__", "lazy", "deferred"}


def top_room(module: str) -> str | None:
    """The folder or module at the top of the package."""
    top = module.partition(".")[0]
    return None if top in NOT_DRAWN else top


def ingest_room(module: str) -> str | None:
    """The folder in ``ingest``; ``shared`` for a module of its own floor there, ``door`` for the others."""
    if not module.startswith("ingest."):
        return None
    name = room(module).partition(".")[2]
    if not name:
        return "door"
    return name if (ROOT / "ingest" / name).is_dir() else "shared"


def edges(whole: Graph) -> set[tuple[str, str]]:
    return {(node, other) for node, others in whole.items() for other in others}


def drawn_edges(drawing: str) -> set[tuple[str, str]]:
    found = re.findall(r"^    (\w+) --> (\w+)$", drawing, re.MULTILINE)
    assert len(found) == len(set(found)) == drawing.count("--"), "write each edge once, as `a --> b` on its own line"
    return set(found)


@pytest.mark.parametrize(
    ("drawing", "whole"), [(PACKAGE, graph(top_room)), (INGEST, graph(ingest_room))], ids=["package", "ingest"]
)
def test_a_drawing_is_the_reduced_import_graph(drawing: str, whole: Graph) -> None:
    drawn, real = drawn_edges(drawing), edges(reduction(whole))
    assert drawn == real, f"drawn and not there: {sorted(drawn - real)}; there and not drawn: {sorted(real - drawn)}"
    labels = re.findall(r'^    (\w+)\["(\w+)<br/>', drawing, re.MULTILINE)
    assert sorted(labels) == sorted((node, node) for node in whole)


def test_reduction_leaves_out_what_other_edges_imply() -> None:
    whole = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset("d"), "d": frozenset[str]()}
    assert edges(reduction(whole)) == {("a", "b"), ("b", "c"), ("c", "d")}


def test_each_room_of_ingest_is_a_floor_of_its_own() -> None:
    """Else ``ingest_room`` would take it for a part of the door."""
    folders = {path.parent.name for path in (ROOT / "ingest").glob("*/__init__.py")}
    assert {f"ingest.{name}" for name in folders} <= FLOOR.keys()
    assert all(ingest_room(module) for module in modules() if module.startswith("ingest."))


def test_every_file_that_is_named_is_there() -> None:
    named = named_files(PAGE)
    assert len(named) > 20
    missing = [name for name in named if not any((folder / name).exists() for folder in (ROOT, REPOSITORY))]
    assert not missing, f"docs/architecture.md names what is not there: {missing}"
