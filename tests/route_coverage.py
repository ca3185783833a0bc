"""How many of ML Commons' routes this client has, and others have: ``python -m tests.route_coverage``.

Other clients are read where they are installed. Theirs are the routes that a method of theirs asks for, typed or not.
"""

from __future__ import annotations

import ast
import io
import tokenize
from importlib.metadata import version
from pathlib import Path

import attrs

import aiomlcommons
from tests.support import reference
from tests.support.other_clients import asked, installed, methods
from tests.support.reference import Key

SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@attrs.frozen
class Lines:
    """The lines of a source: those of code, and with them those of docstrings, comments and blanks."""

    code: int
    all: int

    def per(self, count: int) -> str:
        """The lines for each of so many endpoints."""
        return f"{self.code / count:.1f} ({self.all / count:.1f} with docstrings, comments and blanks)"


def ours() -> set[Key]:
    """The routes that an endpoint of ours has, under its present or an old name."""
    return {reference.key(route.method, route.path) for cls in aiomlcommons.ENDPOINTS for route in cls.endpoint.routes}


def count(source: Path) -> Lines:
    """The lines of a file, or of the files of a folder."""
    files = sorted(source.rglob("*.py")) if source.is_dir() else [source]
    texts = [file.read_text(encoding="utf-8") for file in files]
    return Lines(sum(map(_code_lines, texts)), sum(len(text.splitlines()) for text in texts))


def _code_lines(text: str) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    rows = [range(token.start[0], token.end[0] + 1) for token in tokens if token.type not in SKIPPED]
    return len({row for span in rows for row in span} - _docstring_lines(text))


def _docstring_lines(text: str) -> set[int]:
    # A text that stands alone, also the one after an attribute, is a docstring.
    texts = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr))
    spans = (range(node.lineno, (node.end_lineno or 0) + 1) for node in texts if isinstance(node, ast.Constant))
    return {row for span in spans for row in span}


def _say(name: str, used: set[Key], rows: list[reference.Known]) -> None:
    today = [row for row in rows if row.status != "NOT REGISTERED"]
    print(f"{name}: {len(reference.covered(used, today))} of {len(today)} routes", end="")
    gone = reference.covered(used, rows) - reference.covered(used, today)
    print(f", and {len(gone)} that was removed" if gone else "")


def main() -> None:
    rows = reference.routes()
    _say(f"aiomlcommons {aiomlcommons.__version__}", ours(), rows)
    for package, part in {"opensearchpy": "plugins/ml.py", "opensearch_py_ml": "."}.items():
        name = {"opensearchpy": "opensearch-py", "opensearch_py_ml": "opensearch-py-ml"}[package]
        if folder := installed(package):
            _say(f"{name} {version(name)}", asked(folder / part), rows)
        else:
            print(f"{name}: not installed (pip install --no-deps {name} is enough for reading it)")
    _say_lines()


def _say_lines() -> None:
    api = Path(aiomlcommons.__file__).parent / "api"
    endpoints = len(aiomlcommons.ENDPOINTS)
    print(f"aiomlcommons/api, typed requests and answers: {count(api).per(endpoints)} lines for each of {endpoints}")
    if folder := installed("opensearchpy"):
        theirs, calls = folder / "plugins" / "ml.py", methods(folder / "plugins" / "ml.py")
        print(f"opensearchpy/plugins/ml.py, untyped: {count(theirs).per(calls)} lines for each of {calls}")


if __name__ == "__main__":
    main()
