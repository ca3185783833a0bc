"""The routes and request fields of ML Commons, extracted from its source, in ``tests/data``."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import attrs

from tests.support.paths import DATA

Key: TypeAlias = tuple[str, str]
"""A route without the names of its placeholders: ``("GET", "/_plugins/_ml/models/{}")``."""


def key(method: str, path: str) -> Key:
    """Return a route without the names of its placeholders and without a trailing slash."""
    return method, re.sub(r"{\w*}", "{}", path).rstrip("/")


def version(text: str) -> str:
    """Return the version in ``1.3 (or earlier)``, ``3.9 (unreleased main)``, ``<=1.3`` or ``main (3.9 unreleased)``."""
    found = re.search(r"\d+\.\d+", text)
    assert found, f"no version in {text!r}"
    return found[0]


@attrs.frozen
class Known:
    """A route of ML Commons; ``status`` is ``active``, ``deprecated`` or, for the removed one, ``NOT REGISTERED``."""

    key: Key
    family: str
    since: str
    status: str


def routes() -> list[Known]:
    """Return every route of ``routes.tsv``."""
    return [
        Known(key(row["method"], row["path"]), row["family"], version(row["since"]), row["status"])
        for row in rows("routes.tsv")
    ]


def fields() -> Mapping[str, Mapping[str, str]]:
    """Return the version of each field of the server's request classes, from ``fields.tsv``."""
    found: dict[str, dict[str, str]] = {}
    for row in rows("fields.tsv"):
        found.setdefault(row["java_class"], {})[row["field"]] = version(row["since"])
    return found


def covered(used: Iterable[Key], known: Iterable[Known]) -> set[Key]:
    """Return the routes that match paths in which placeholders may be filled."""
    table = sorted((row.key for row in known), key=lambda key: key[1].count("{}"))
    hits = (next((route for route in table if _means(path, route)), None) for path in used)
    return {hit for hit in hits if hit}


def _means(used: Key, route: Key) -> bool:
    parts, wanted = used[1].split("/"), route[1].split("/")
    fits = (want in (part, "{}") for part, want in zip(parts, wanted, strict=False))
    return used[0] == route[0] and len(parts) == len(wanted) and all(fits)


def rows(name: str) -> Iterable[dict[str, Any]]:
    """Return the rows of a file in ``tests/data``."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
