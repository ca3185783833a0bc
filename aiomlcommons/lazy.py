"""Lazy imports: a package finds its public names when they are first used, so that ``import`` stays fast."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any


def lazily(
    package: str, names: Sequence[str], homes: Sequence[str], renamed: Mapping[str, str] = MappingProxyType({})
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make ``__getattr__`` and ``__dir__`` for a package whose ``names`` are those of ``homes``, its modules.

    ``renamed`` maps an old name to the present one: the old one still works, with a DeprecationWarning.

    They belong under ``if not TYPE_CHECKING``: a type checker takes a module that has one to have every name.
    """
    known = vars(sys.modules[package])

    def find(name: str) -> Any:
        if (new := renamed.get(name)) is not None:
            words = f"{package}.{name} is called {new} now; the old name goes with version 1.0"
            warnings.warn(words, DeprecationWarning, stacklevel=2)
            return getattr(sys.modules[package], new)
        for home in homes if name in names else ():
            if (value := getattr(import_module(home, package), name, None)) is not None:
                known[name] = value
                return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find, lambda: sorted({*known, *names})
