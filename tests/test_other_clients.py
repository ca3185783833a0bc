"""The published figures: routes and lines of code of other clients are counted correctly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.route_coverage import Lines, count
from tests.support.other_clients import asked, installed, methods
from tests.support.reference import Key

SOURCES: dict[str, tuple[str, set[Key]]] = {
    "a text": ('t.perform_request("POST", "/ml/_search")', {("POST", "/ml/_search")}),
    "words for the arguments": ('t.perform_request(url="/ml/_search", method="GET")', {("GET", "/ml/_search")}),
    "a value in the path": ('t.perform_request("GET", f"/ml/{thing}/x?a=b")', {("GET", "/ml/{}/x")}),
    "a constant": ('t.perform_request("GET", f"{BASE}/{self.PART}")', {("GET", "/ml/part")}),
    "a name": ('url = f"{BASE}/x"\n        t.perform_request("GET", url)', {("GET", "/ml/x")}),
    "either way": (
        't.perform_request("GET", f"{BASE}/x/{thing if thing else \'\'}")',
        {("GET", "/ml/x"), ("GET", "/ml/x/{}")},
    ),
    "parts": ('t.perform_request("GET", _make_path("ml", thing, "x"))', {("GET", "/ml/{}/x")}),
    "a part that may be left out": (
        't.perform_request("GET", _make_path("ml", maybe, "x"))',
        {("GET", "/ml/x"), ("GET", "/ml/{}/x")},
    ),
    "what is no request": ('t.perform("GET", "/ml/x")', set()),
}
CLIENT = """
BASE = "/ml"

class Client:
    PART = "part"

    def ask(self, t, thing, *, maybe=None):
        {}
"""


@pytest.mark.parametrize(("call", "routes"), SOURCES.values(), ids=SOURCES.keys())
def test_the_routes_that_a_source_asks_for_are_read(tmp_path: Path, call: str, routes: set[Key]) -> None:
    (tmp_path / "client.py").write_text(CLIENT.format(call))
    assert asked(tmp_path) == routes
    assert methods(tmp_path / "client.py") == bool(routes)


def test_what_is_not_installed_is_not_there() -> None:
    assert installed("no_such_package") is None


def test_docstrings_comments_and_blanks_are_no_code(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text('"""Two\nlines."""\n\n# why\nx = (\n    1  # one\n)\n"""Of x."""\n')
    assert count(tmp_path) == Lines(code=3, all=8)
