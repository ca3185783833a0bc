"""Print every default value in the package, and what ``help()`` shows of it: ``python -m tests.support.signatures``.

In a process of its own this tells whether any of it shows the environment.
"""

from __future__ import annotations

import importlib
import inspect
import pydoc
from collections.abc import Iterator
from typing import Any

import attrs

from tests.support.import_graph import modules


def functions(owner: Any, depth: int = 3) -> Iterator[Any]:
    """Yield the functions and classes in a module, and those in its classes."""
    for found in vars(owner).values():
        plain = getattr(found, "__func__", found)
        if not (inspect.isroutine(plain) or inspect.isclass(plain)):
            continue
        yield plain
        if inspect.isclass(plain) and plain.__module__.startswith("aiomlcommons") and depth:
            yield from functions(plain, depth - 1)


def defaults(function: Any) -> list[Any]:
    """Return the default values of a function's parameters, or of a class's fields."""
    found = [
        *(getattr(function, "__defaults__", None) or ()),
        *(getattr(function, "__kwdefaults__", None) or {}).values(),
    ]
    if inspect.isclass(function) and attrs.has(function):
        found += [field.default for field in attrs.fields(function)]
    return found


def main() -> None:
    """Print them."""
    for name in modules():
        if not name.endswith("__main__"):
            module = importlib.import_module(f"aiomlcommons.{name}".removesuffix(".__init__"))
            print(name)
            for function in functions(module):
                print(defaults(function))
            print(pydoc.plain(pydoc.TextDoc().document(module)))


if __name__ == "__main__":
    main()
