"""Write ``aiomlcommons/blocking/__init__.pyi``, the types of the synchronous session: ``make docs``.

It is made from the async session. A method keeps its parameters, and returns what awaiting the async one gives. Each
class that is awaited, iterated over or entered has a synchronous one of the same name: ``__await__`` becomes
``result``, ``__aiter__`` becomes ``__iter__``.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc as cabc
import contextlib
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy.typing as npt

from aiomlcommons.api.search import Search, searches
from aiomlcommons.client import Client
from aiomlcommons.namespace import Namespace, Operation, space
from aiomlcommons.session import Session
from aiomlcommons.stream import Events, streams
from aiomlcommons.usage import offers

STUB = Path(__file__).parent.parent / "aiomlcommons" / "blocking" / "__init__.pyi"
HEAD = '"""The types of the synchronous session. `make docs` writes this file: do not change it by hand."""\n\n'
ALIAS = getattr(typing, "TypeAliasType", ())  # since Python 3.12; NumPy has NDArray so, since 2.5
SYNC = {
    contextlib.AbstractAsyncContextManager: contextlib.AbstractContextManager,
    cabc.AsyncIterator: cabc.Iterator,
    cabc.AsyncGenerator: cabc.Iterator,
}


class Stub:
    """The text of the stub, with the imports and classes that it turns out to need."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.variables: dict[str, str] = {}
        self.classes: dict[type, str] = {}
        self._shadowed: set[str] = set()

    def text(self) -> str:
        """Return the text of the stub."""
        self.face(Session)
        imports = [f"import {module}" for module in sorted(self.modules)]
        return HEAD + "\n".join([*imports, "", *sorted(self.variables.values()), ""]) + "\n".join(self.classes.values())

    # ---- types ---------------------------------------------------------------------------------------------------

    def source(self, found: Any, *, sync: bool = False) -> str:
        """Return the source of a type; ``sync`` replaces what is async in it."""
        origin, arguments = get_origin(found), get_args(found)
        if isinstance(found, ALIAS):
            return self.source(found.__value__, sync=sync)
        if isinstance(origin, ALIAS):
            return self.source(origin.__value__[arguments], sync=sync)
        if found is None or found is type(None):
            return "None"
        if found is Ellipsis:
            return "..."
        if isinstance(found, typing.TypeVar):
            bound = f", bound={self.source(found.__bound__)}" if found.__bound__ else ""
            self.variables[found.__name__] = (
                f'{found.__name__} = {self.named(typing, "TypeVar")}("{found.__name__}"{bound})'
            )
            return found.__name__
        if isinstance(found, list):
            return f"[{', '.join(self.source(one, sync=sync) for one in found)}]"
        if origin is typing.Literal:
            return f"{self.named(typing, 'Literal')}[{', '.join(map(repr, arguments))}]"
        if origin in {types.UnionType, typing.Union}:
            return " | ".join(dict.fromkeys(self.source(one, sync=sync) for one in arguments))
        if origin is typing.Unpack:
            return f"{self.named(typing, 'Unpack')}[{self.source(arguments[0])}]"
        if origin is cabc.Awaitable and sync:
            return self.source(arguments[0], sync=True)
        name = self._name(found if origin is None else origin, sync=sync)
        if origin in {cabc.AsyncGenerator, contextlib.AbstractAsyncContextManager}:
            arguments = arguments[:1]
        return f"{name}[{', '.join(self.source(one, sync=sync) for one in arguments)}]" if arguments else name

    def _name(self, found: Any, *, sync: bool) -> str:
        if sync and is_face(found):
            self.face(found)
            return str(found.__name__)
        found = SYNC.get(found, found) if sync else found
        return self.named(typing if found is Any else sys.modules[found.__module__], found.__qualname__)

    def named(self, module: types.ModuleType, name: str) -> str:
        """Return the full name of something in a module, which is imported: a short one may be that of a method."""
        if module is builtins and name not in self._shadowed:
            return name
        self.modules.add(module.__name__)
        return f"{module.__name__}.{name}"

    # ---- classes -------------------------------------------------------------------------------------------------

    def face(self, cls: type) -> None:
        """Add the synchronous class of an async one."""
        if cls in self.classes:
            return
        self.classes[cls] = ""  # the order of first mention, and an end to classes that mention each other
        parameters = getattr(cls, "__parameters__", ())
        bases = (
            f"({self.named(typing, 'Generic')}[{', '.join(self.source(one) for one in parameters)}])"
            if parameters
            else ""
        )
        outer, self._shadowed = self._shadowed, {name for name, _ in members(cls)}
        lines = [line for member in members(cls) for line in self._member(cls, *member)]
        if cls is Session:
            lines += self._property("async_session", self.named(sys.modules[Session.__module__], "Session"), None)
        self._shadowed = outer
        self.classes[cls] = f"\nclass {cls.__name__}{bases}:\n" + "".join(f"    {line}\n" for line in lines or ["..."])

    def _member(self, cls: type, name: str, member: Any) -> Iterator[str]:
        if isinstance(member, space):
            yield from self._property(name, self.source(member.namespace, sync=True), member)
        elif isinstance(member, Operation):
            answer = self._answer(member)
            hints = typing.get_type_hints(member.request, include_extras=True)
            yield self._function(name, inspect.signature(member.request), hints, answer, member)
        elif isinstance(member, property):
            yield from self._property(name, self.source(hints_of(member.fget)["return"], sync=True), member)
        elif isinstance(member, types.MemberDescriptorType):  # a field of an attrs class
            yield from self._property(name, self.source(hints_of(cls)[name], sync=True), None)
        elif name == "__await__":
            yield f"def result(self) -> {self.source(get_args(hints_of(member)['return'])[2], sync=True)}: ..."
        elif name == "__aenter__":
            entered = hints_of(member)["return"]
            word = self.named(typing, "Self") if entered is typing.Self else self.source(entered, sync=True)
            trace = self.named(types, "TracebackType")
            yield f"def __enter__(self) -> {word}: ..."
            kind = f"kind: {self.named(builtins, 'type')}[BaseException] | None"
            yield f"def __exit__(self, {kind}, error: BaseException | None, trace: {trace} | None) -> None: ..."
        elif inspect.isroutine(member):
            yield from self._method(cls, "__iter__" if name == "__aiter__" else name, member)

    def _method(self, cls: type, name: str, member: Any) -> Iterator[str]:
        function = getattr(member, "__func__", member)
        overloads = typing.get_overloads(function)
        for one in overloads or [function]:
            if overloads:
                yield f"@{self.named(typing, 'overload')}"
            if isinstance(member, classmethod):
                yield "@classmethod"
            plain = inspect.unwrap(one)
            hints = hints_of(plain)
            yield self._function(name, inspect.signature(plain), hints, self._returned(cls, plain, hints), plain)

    def _returned(self, cls: type, function: Any, hints: dict[str, Any]) -> str:
        answer = hints.get("return")
        if answer is typing.Self or (isinstance(answer, typing.TypeVar) and answer.__bound__ is cls):
            return self.named(typing, "Self")
        if inspect.isasyncgenfunction(function) and function.__name__ != "__aiter__":
            # Under @asynccontextmanager: what it yields is what the context gives.
            return self.source(_context_of(get_args(answer)[0]), sync=True)
        return self.source(answer, sync=True)

    def _answer(self, member: Operation[Any]) -> str:
        answer = member.request.endpoint.returns  # type: ignore[attr-defined]
        if isinstance(member, searches):
            return self.source(types.GenericAlias(Search, get_args(answer)), sync=True)
        if isinstance(member, streams):
            return self.source(_context_of(types.GenericAlias(Events, answer)), sync=True)
        return self.source(answer, sync=True)

    def _property(self, name: str, answer: str, documented: object) -> Iterator[str]:
        yield "@property"
        yield f"def {name}(self) -> {answer}:{summary(documented)}"

    def _function(
        self, name: str, signature: inspect.Signature, hints: dict[str, Any], answer: str, documented: object
    ) -> str:
        found, parts, starred = list(signature.parameters.values()), list[str](), False
        if not found or found[0].name not in {"self", "cls"}:
            parts.append("self")
        for one in found:
            if one.kind is one.VAR_POSITIONAL:
                starred = True
            if one.kind is one.KEYWORD_ONLY and not starred:
                parts.append("*")
                starred = True
            word = ("*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else "") + one.name
            if one.name in hints:
                word += f": {self.source(hints[one.name])}"
            parts.append(word if one.default is one.empty else f"{word} = ...")
            if one.kind is one.POSITIONAL_ONLY and one is not found[0]:
                parts.append("/")
        return f"def {name}({', '.join(parts)}) -> {answer}:{summary(documented)}"


def summary(documented: object) -> str:
    """Return the body of a function: the first line of the documentation."""
    # None has words of its own, since Python 3.13.
    line = ((None if documented is None else documented.__doc__) or "").strip().partition("\n")[0]
    return f"\n        {line!r}" if line else " ..."


def _context_of(value: Any) -> Any:
    return types.GenericAlias(contextlib.AbstractAsyncContextManager, (value,))


def is_face(found: Any) -> bool:
    """Return whether a class has a synchronous one: it is awaited, iterated over or entered, or leads to such calls."""
    if not isinstance(found, type) or not found.__module__.startswith("aiomlcommons"):
        return False
    asyncs = ("__await__", "__aiter__", "__aenter__")
    return issubclass(found, Client | Namespace) or any(offers(found, name) for name in asyncs)


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the public members of a class, and those that are replaced; of an attrs class also its fields."""
    special = {"__await__", "__aiter__", "__aenter__", *(["__init__"] if issubclass(cls, Client) else [])}
    for name, member in inspect.getmembers_static(cls):
        if (name in special and offers(cls, name)) or not name.startswith("_"):
            yield name, member


@cache
def checked_names(module: str) -> dict[str, Any]:
    """Return what a module imports for type checkers only."""
    found: dict[str, Any] = {}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for line in node.body:
                # Libraries that are not there, or not imported, are left alone: nothing public needs their names.
                if isinstance(line, ast.ImportFrom) and line.module and _is_near(line.module):
                    for alias in line.names:
                        found[alias.asname or alias.name] = getattr(import_module(line.module), alias.name)
    return found


def _is_near(module: str) -> bool:
    top = module.partition(".")[0]
    return top == "aiomlcommons" or top in sys.stdlib_module_names or module in sys.modules


def hints_of(owner: Any) -> dict[str, Any]:
    """Return the type hints of a function or class, also where they name what only type checkers import."""
    classes = owner.__mro__[:-1] if isinstance(owner, type) else [owner]
    names = {"Vectors": npt.NDArray[Any]}  # its module does without numpy until an array is made
    names |= {name: value for one in classes for name, value in _names(one.__module__).items()}
    return typing.get_type_hints(owner, localns=names, include_extras=True)


def _names(module: str) -> dict[str, Any]:
    return checked_names(module) if module.startswith("aiomlcommons") else {}


if __name__ == "__main__":
    STUB.write_text(Stub().text(), encoding="utf-8")
