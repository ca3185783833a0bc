"""The plot of an evaluation: what it shows, the same bytes for the same figures, and what it needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.evaluating.evaluation import Evaluation, evaluated

GRADES = {f"q{number}": {"a": 1.0} for number in range(5)}
TEXTS = dict.fromkeys(GRADES, "a text")


def made(names: Sequence[str]) -> Evaluation:
    """Make an evaluation of systems that find the document at the first place, the second, and so on."""
    found = {name: dict.fromkeys(TEXTS, ["x"] * place + ["a"]) for place, name in enumerate(names)}
    return evaluated((1, 10), TEXTS, GRADES, found, {name: [0.01] for name in names})


def test_a_plot_has_the_systems_and_what_changed() -> None:
    bars, changes = made(["old", "new", "third"]).plot().axes
    assert bars.get_legend_handles_labels()[1] == ["old", "new", "third"]
    assert changes.get_legend_handles_labels()[1] == ["new", "third"]
    assert changes.get_title() == "ndcg@10, less that of old"
    assert bars.get_title() == "5 queries, 95 % intervals"
    heights = [bar.get_height() for container in bars.containers for bar in getattr(container, "patches", ())]
    assert heights[:3] == [1.0, 1.0, 1.0]
    assert min(heights) == 0.0


def test_a_single_system_has_no_changes() -> None:
    assert len(made(["old"]).plot().axes) == 1


def test_the_same_figures_make_the_same_file(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.svg", "b.SVG", "c.png")]
    for file in files:
        made(["old", "new"]).plot(file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert b"<dc:date>" not in files[1].read_bytes()
    assert files[2].read_bytes().startswith(b"\x89PNG")


def test_a_notebook_shows_a_plot_without_pyplot() -> None:
    figure: Any = made(["old", "new"]).plot()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_file_that_is_no_plot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"new\.docx: a plot is written as .*\.svg"):
        made(["old"]).plot(tmp_path / "new.docx")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    with pytest.raises(ImportError, match=r"a plot needs matplotlib: pip install 'aiomlcommons\[notebook\]'"):
        made(["old"]).plot()
