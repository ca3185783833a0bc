"""The tables of docs/migrating: every call of another client is there, beside ours of the same route."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator
from urllib.parse import unquote

import attrs
from opensearchpy.plugins.ml import MlClient

from aiomlcommons.cli.calls import endpoints
from aiomlcommons.lifecycle.declared import DeclaredModel
from aiomlcommons.session import Session
from tests.pages.blocks import DOCS
from tests.support.reference import Key, key

FOLDER = DOCS / "migrating"


@attrs.frozen
class Recorder:
    """In place of opensearch-py's client: it records what would be sent."""

    sent: list[Key] = attrs.field(factory=list)

    @property
    def transport(self) -> Recorder:
        return self

    def perform_request(self, method: str, url: str, **_: object) -> dict[str, object]:
        self.sent.append(key(method, unquote(url)))
        return {}


def theirs() -> Iterator[tuple[str, Key]]:
    """Yield each method of opensearch-py's client of ML Commons, with the route that it calls."""
    recorder = Recorder()
    client = MlClient(recorder)
    for name, function in inspect.getmembers(MlClient, inspect.isfunction):
        if not name.startswith("_"):
            words = [one for one in inspect.signature(function).parameters.values() if one.kind is one.KEYWORD_ONLY]
            with warnings.catch_warnings(action="ignore"):  # of the names that are deprecated
                getattr(client, name)(**{one.name: "{}" for one in words if one.name not in {"params", "headers"}})
            yield name, recorder.sent.pop()


def told() -> dict[str, str]:
    """Return the rows of the table of methods, ours by theirs."""
    table = (FOLDER / "opensearch-py.md").read_text().partition("| `client.ml.` | `ml.` |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.*) \| `([\w.]+)` \|$", table, re.MULTILINE)
    return {name: ours for names, ours in rows for name in re.findall(r"`(\w+)`", names)}


def test_every_method_of_opensearch_py_is_told_beside_ours_of_the_same_route() -> None:
    ours = {name: {key(route.method, route.path) for route in cls.endpoint.routes} for name, cls in endpoints()}
    known = dict(theirs())
    assert len(known) > 70
    assert {name: told()[name] for name, route in known.items() if route not in ours[told()[name]]} == {}
    assert set(told()) == set(known)


def test_every_name_of_ours_in_a_table_exists() -> None:
    named = set[str]()
    for page in FOLDER.glob("*.md"):
        rows = [row for row in page.read_text().splitlines() if row.startswith("|")]
        named |= {name for row in rows for name in re.findall(r"(?<![\w.])ml\.([a-z_]+(?:\.[a-z_]+)?)\(", row)}
        declared = {name for row in rows for name in re.findall(r"await Model\.(\w+)\(ml", row)}
        assert all(hasattr(DeclaredModel, name) for name in declared), declared
    assert len(named) > 30
    assert [name for name in sorted(named) if not _is_ours(name)] == []


def _is_ours(name: str) -> bool:
    # A namespace belongs to an open session, and its class knows the calls.
    space, _, call = name.rpartition(".")
    return hasattr(getattr(Session, space).namespace if space else Session, call)
