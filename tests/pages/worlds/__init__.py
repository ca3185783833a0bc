"""What a page takes for granted: models, files, names. A module for each page that takes anything.

``docs/how-to/testing.md`` has ``how_to_testing.py``, in which all is optional:

* ``def emulator() -> Emulator`` makes the emulator, where it is not to be the ordinary one.
* ``async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]``, an ``@asynccontextmanager``, sets the world
  up, yields names that the blocks find, and ends it after them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import attrs

from aiomlcommons.emulator import Emulator
from tests.pages.blocks import DOCS


@attrs.frozen
class Place:
    """Where a page runs: the emulator and its URL, and the folder, which is the current one."""

    emulator: Emulator
    url: str
    folder: Path


def module_of(page: Path) -> ModuleType | None:
    """Return the module of a page, if it has one."""
    name = "_".join(page.relative_to(DOCS).with_suffix("").parts).replace("-", "_")
    found = f"{__name__}.{name}"
    return import_module(found) if find_spec(found) else None


@asynccontextmanager
async def world_of(page: Path, place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Set up what a page takes for granted, and give the names that it uses."""
    module = module_of(page)
    if module is None or not hasattr(module, "world"):
        yield {}
        return
    async with module.world(place) as names:
        yield names


def emulator_of(page: Path) -> Emulator:
    """Return the emulator that a page is run against."""
    make = getattr(module_of(page), "emulator", Emulator)
    return make()
