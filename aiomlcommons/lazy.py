"""Names of a package that are searched when they are first used, so that nobody waits for what they do not need."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any


def lazily(
    package: str, names: Sequence[str], homes: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose ``names`` are those of its modules ``homes``.

    They belong under ``if not TYPE_CHECKING``: a type checker takes a module that has one to have every name.
    """
    known = vars(sys.modules[package])

    def find(name: str) -> Any:
        for home in homes if name in names else ():
            if (value := getattr(import_module(f"{package}.{home}"), name, None)) is not None:
                known[name] = value
                return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find, lambda: sorted({*known, *names})
