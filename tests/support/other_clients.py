"""The routes that another client's source calls, found by static analysis."""

from __future__ import annotations

import ast
import importlib.util
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from tests.support.reference import Key, key

Texts: TypeAlias = Mapping[str, list[str]]
"""The possible values of a name; ``{}`` where they are known only at runtime."""
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def installed(package: str) -> Path | None:
    """Return the folder of a package without importing it, or None where it is not installed."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def asked(source: Path) -> set[Key]:
    """Return the routes that a file, or the files of a folder, pass to ``perform_request``."""
    files = sorted(source.rglob("*.py")) if source.is_dir() else [source]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    constants: dict[str, list[str]] = {}
    for tree in trees:
        constants |= _assigned(tree, constants)
    return {found for tree in trees for found in _asked(tree, constants)}


def methods(source: Path) -> int:
    """Return how many functions of a file call the server."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return sum(1 for function in ast.walk(tree) if isinstance(function, Function) and any(_calls(function)))


def _asked(tree: ast.Module, constants: Texts) -> Iterator[Key]:
    # A constant of the class takes precedence over one of the same name in another file.
    own = {**constants, **_classes(tree, constants)}
    for function in ast.walk(tree):
        if isinstance(function, Function):
            known = {**own, **_optional(function)}
            known |= _assigned(function, known)
            for call in _calls(function):
                for method, path in itertools.product(*(_texts(part, known) for part in _method_and_path(call))):
                    yield key(method, path.partition("?")[0])


def _calls(function: Function) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".perform_request"):
            yield node


def _method_and_path(call: ast.Call) -> tuple[ast.expr, ast.expr]:
    named = {word.arg: word.value for word in call.keywords}
    both = [*call.args[:2], *(named[word] for word in ("method", "url") if word in named)]
    return both[0], both[1]


def _classes(tree: ast.Module, known: Texts) -> dict[str, list[str]]:
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return {name: texts for node in classes for name, texts in _assigned(node, known).items()}


def _assigned(scope: ast.Module | ast.ClassDef | Function, known: Texts) -> dict[str, list[str]]:
    """Return the names that a scope assigns string constants to."""
    return {
        target.id: _texts(node.value, known)
        for node in scope.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.JoinedStr)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _optional(function: Function) -> dict[str, list[str]]:
    """Return the optional parameters: a path built with them has one part less without them."""
    spec = function.args
    defaults = [*zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]
    defaults += [*zip(spec.args[len(spec.args) - len(spec.defaults) :], spec.defaults, strict=True)]
    return {name.arg: ["{}", ""] for name, value in defaults if isinstance(value, ast.Constant) and not value.value}


def _texts(node: ast.expr, known: Texts) -> list[str]:
    """Return every string that an expression can evaluate to."""
    match node:
        case ast.Constant():
            return [str(node.value)]
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return known.get(name, ["{}"])
        case ast.FormattedValue(value=value):
            return _texts(value, known)
        case ast.IfExp(body=body, orelse=other):
            return [*_texts(body, known), *_texts(other, known)]
        case ast.JoinedStr(values=parts):
            return ["".join(texts) for texts in itertools.product(*(_texts(part, known) for part in parts))]
        case ast.Call(func=ast.Name(id="_make_path"), args=parts):
            ways = itertools.product(*(_texts(part, known) for part in parts))
            return ["/" + "/".join(filter(None, texts)) for texts in ways]
        case _:
            return ["{}"]
