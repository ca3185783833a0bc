"""docs/errors.md is written from the classes, and tells of each what helps."""

from __future__ import annotations

import runpy

from tests.support.paths import ROOT

MADE = runpy.run_path(str(ROOT / "docs" / "errors.py"))


def test_the_page_is_not_stale() -> None:
    assert MADE["PAGE"].read_text(encoding="utf-8") == MADE["page"](), "docs/errors.md is stale: run `make docs`"


def test_each_remedy_is_that_of_a_class() -> None:
    assert MADE["REMEDIES"].keys() == {cls.__name__ for cls in MADE["classes"]()}
