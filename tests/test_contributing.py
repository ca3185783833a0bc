"""CONTRIBUTING.md: the files that it names and quotes are there, and what its recipes import."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.documents import named_files
from tests.support.paths import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
QUOTES = re.findall(r"^From `(.+?)`: .*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
BLOCKS = [dedent(block) for block in re.findall(r"^ *```python\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)]
# What the recipes add.
ADDED_FILES = {
    "aiomlcommons/api/example.py",
    "aiomlcommons/emulator/models/examples.py",
    "aiomlcommons/ingest/sinks/ids.py",
    "aiomlcommons/ingest/sources/ini.py",
    "tests/emulator/test_examples.py",
    "tests/ingest/sinks/test_ids.py",
    "tests/ingest/sources/test_ini.py",
}
ADDED_NAMES = {"IdsSink", "IniSource", "ini"}


def test_every_file_that_is_named_is_there_or_added() -> None:
    paths = {name for name in named_files(PAGE) if "/" in name.rstrip("/")}
    assert {name for name in paths if not (ROOT / name).exists()} <= ADDED_FILES


@pytest.mark.parametrize(("file", "quote"), QUOTES, ids=[file for file, _ in QUOTES])
def test_what_is_quoted_is_there(file: str, quote: str) -> None:
    assert " ".join(quote.split()) in " ".join((ROOT / file).read_text(encoding="utf-8").split())


def test_all_quotes_are_found() -> None:
    assert len(QUOTES) == 6


def imported() -> list[tuple[str, str]]:
    """The modules and names that the blocks import, but for those that the recipes add."""
    added = {".".join(Path(file).with_suffix("").parts) for file in ADDED_FILES}
    trees = [ast.parse(block) for block in BLOCKS if "import " in block]
    found = [node for tree in trees for node in tree.body if isinstance(node, ast.ImportFrom)]
    names = [(node.module or "", alias.name) for node in found for alias in node.names]
    return [(module, name) for module, name in names if module not in added and name not in ADDED_NAMES]


@pytest.mark.parametrize(("module", "name"), sorted(set(imported())))
def test_what_a_recipe_imports_is_there(module: str, name: str) -> None:
    assert hasattr(import_module(module), name)
