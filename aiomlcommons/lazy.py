"""Lazy imports (PEP 562): a package resolves its public names at first use, so that ``import`` stays fast."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any


def lazily(
    package: str, names: Sequence[str], homes: Mapping[str, str], renamed: Mapping[str, str] = MappingProxyType({})
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package with public ``names``.

    ``homes`` maps modules to the names, with spaces between them, that are imported from there at first use.
    ``renamed`` maps deprecated names to current ones: an old name still works, with a DeprecationWarning.

    Assign them under ``if not TYPE_CHECKING``: to a type checker, a module with ``__getattr__`` has every name.
    """
    known = vars(sys.modules[package])
    home_of = {name: home for home, some in homes.items() for name in some.split()}

    def find(name: str) -> Any:
        if (new := renamed.get(name)) is not None:
            message = f"{package}.{name} was renamed to {new}; the old name will be removed in version 1.0"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            return getattr(sys.modules[package], new)
        if (home := home_of.get(name)) is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        known[name] = value = getattr(import_module(home, package), name)
        return value

    return find, lambda: sorted({*known, *names})
