"""Lazy imports (PEP 562): a package resolves its public names at first use, so that ``import`` stays fast."""

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
    """Return ``__getattr__`` and ``__dir__`` for a package whose public ``names`` are defined in the modules ``homes``.

    ``renamed`` maps deprecated names to current ones: an old name still works, with a DeprecationWarning.

    Assign them under ``if not TYPE_CHECKING``: to a type checker, a module with ``__getattr__`` has every name.
    """
    known = vars(sys.modules[package])

    def find(name: str) -> Any:
        if (new := renamed.get(name)) is not None:
            message = f"{package}.{name} was renamed to {new}; the old name will be removed in version 1.0"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            return getattr(sys.modules[package], new)
        for home in homes if name in names else ():
            if (value := getattr(import_module(home, package), name, None)) is not None:
                known[name] = value
                return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find, lambda: sorted({*known, *names})
