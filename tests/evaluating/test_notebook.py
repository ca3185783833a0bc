"""The notebook that searches an index, and judges the search."""

from __future__ import annotations

import pytest

from tests.support.notebooks import printed, run_notebook


def test_the_search_is_tried_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    _, fill, search, plan, judge, plot, changes, require, end = run_notebook("search_and_judge.ipynb", monkeypatch)
    assert "1137 verses" in printed(fill)
    assert "Proverbs      A soft answer turneth away wrath" in printed(search)
    assert printed(plan).startswith("hybrid neural search of aiomlcommons-verses-")
    assert "vectors and words" in judge.outputs[-1].data["text/html"]
    assert len(plot.outputs[-1].data["image/png"]) > 5_000
    assert "a merry heart is a good medicine" in printed(changes)
    assert require.outputs[-1].data["text/plain"] == "[]"
    assert not end.outputs
