"""The table of capabilities names only what exists."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

import aiomlcommons
from aiomlcommons import api
from aiomlcommons.api import models, predict, settings, tasks
from aiomlcommons.api.model_groups import ModelGroups
from aiomlcommons.lifecycle.methods import ModelLife
from tests.support.paths import ROOT

ROWS = re.findall(
    r"^\| (?!cap|-)(.+?) \| (.+?) \| (\S+) \|$", (ROOT / "docs" / "capabilities.md").read_text(), re.MULTILINE
)
MODULES = ("lifecycle.", "record.", "tracing.", "blocking.", "cli.")
HOMES = (aiomlcommons, models, predict, settings, tasks, api)


def found(name: str) -> object:
    if name.startswith(MODULES):
        module, _, last = name.rpartition(".")
        return getattr(import_module(f"aiomlcommons.{module}"), last)
    first, *rest = name.split(".")
    known = {"ModelLife": ModelLife, "ModelGroups": ModelGroups}
    owner = known.get(first) or next(getattr(home, first) for home in HOMES if hasattr(home, first))
    return getattr(owner, rest[0]) if rest else owner


@pytest.mark.parametrize(("capability", "names", "file"), ROWS, ids=[row[0] for row in ROWS])
def test_a_capability_is_there_and_is_run(capability: str, names: str, file: str) -> None:
    assert capability
    assert all(found(name) is not None for name in re.findall(r"`(.+?)`", names))
    assert (ROOT / file).is_file()


def test_the_table_is_read() -> None:
    assert len(ROWS) > 40
