"""Rules for the layout of files: where handlers of the emulator are, and what tests may import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from aiomlcommons import emulator

TESTS = Path(__file__).parent
EMULATOR = Path(emulator.__file__).parent


@pytest.mark.parametrize("path", sorted(EMULATOR.glob("*.py")), ids=lambda path: path.stem)
def test_handlers_are_in_a_subpackage_of_the_emulator(path: Path) -> None:
    assert "@handles(" not in path.read_text(), "load_handlers() finds handlers in subpackages only"


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_what_tests_share_is_in_tests_support(path: Path) -> None:
    imported = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom | ast.Import)]
    for node in imported:
        names = [alias.name for alias in node.names]
        parts = ".".join([getattr(node, "module", None) or "", *names]).split(".")
        if "tests" in parts:
            assert not any(part == "conftest" or part.startswith("test_") for part in parts), ast.unparse(node)
