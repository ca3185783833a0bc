"""What is public: the names that the package offers, and the types that these mention."""

from __future__ import annotations

import inspect
import pkgutil
import sys
import types
import typing
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from blocking import checked_names

from aiomlcommons import api, integrations
from aiomlcommons.namespace import Operation, space
from aiomlcommons.session import Session

# Packages whose `__all__` is public, besides the root.
PACKAGES = (
    "ingest",
    "ingest.sinks",
    "ingest.sources",
    "connectors",
    "queries",
    "frames",
    "diagnosis",
    "evaluating",
    "reembedding",
    "emulator",
    "emulator.pytest_plugin",
    "blocking",
)


def module(name: str) -> ModuleType:
    """Return a module of the package by the rest of its name."""
    return import_module(f"aiomlcommons.{name}" if name else "aiomlcommons")


def names_of(name: str) -> list[str]:
    """Return the public names of a module: its ``__all__``, or what it defines itself."""
    found = module(name)
    if (exported := getattr(found, "__all__", None)) is not None:
        return list(exported)
    return [each for each, value in vars(found).items() if not each.startswith("_") and _is_defined_in(value, found)]


def _is_defined_in(value: object, where: ModuleType) -> bool:
    # A fixture of pytest is an object of its own, around a function.
    value = getattr(value, "__wrapped__", value)
    return inspect.isroutine(value) | inspect.isclass(value) and getattr(value, "__module__", "") == where.__name__


def api_modules() -> list[str]:
    """Return the modules of requests and responses, such as ``api.models``."""
    return [f"api.{found.name}" for found in pkgutil.iter_modules(api.__path__)]


def integration_modules() -> list[str]:
    """Return the modules for other libraries, such as ``integrations.ray``."""
    found = (one.name for one in pkgutil.iter_modules(integrations.__path__))
    return [f"integrations.{name}" for name in found if not name.startswith("_")]


def spaces() -> dict[str, type]:
    """Return the namespaces of a session: ``models``, ``tasks``."""
    found = inspect.getmembers_static(Session)
    return {name: member.namespace for name, member in found if isinstance(member, space)}


def calls_of(owner: type) -> dict[str, Operation[Any]]:
    """Return the calls of endpoints that a session, or one of its namespaces, has."""
    return {name: member for name, member in inspect.getmembers_static(owner) if isinstance(member, Operation)}


def methods_of(owner: type) -> dict[str, Any]:
    """Return the public methods and properties of a class, but for the calls of endpoints."""
    plain = (types.FunctionType, classmethod, staticmethod, property)
    return {
        name: member
        for name, member in inspect.getmembers_static(owner)
        if not name.startswith("_") and isinstance(member, plain)
    }


def import_all(name: str) -> None:
    """Import a module, and what its public names stand for."""
    for one in names_of(name):
        getattr(module(name), one)


# ---- types that signatures mention -------------------------------------------------------------------------------


def complete(name: str) -> None:
    """Give a module the names that only type checkers see in it, so that its signatures can be resolved."""
    for each, value in checked_names(name).items():
        vars(sys.modules[name]).setdefault(each, value)


def classes_in(hint: Any) -> Iterator[type]:
    """Yield the classes of the package that a type mentions."""
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        if hint.__module__.startswith("aiomlcommons"):
            yield hint
        return
    yield from (one for part in (typing.get_origin(hint), *typing.get_args(hint)) if part for one in classes_in(part))
