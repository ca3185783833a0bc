"""The picture of a job under way, in README.md and in a tutorial: made by a program, of the real display."""

from __future__ import annotations

import asyncio
import html
import re
import runpy
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytest.importorskip("rich")


def words(svg: str) -> set[str]:
    """Return the words of a picture without those that differ from run to run: figures, and the id of a model."""
    text = html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))
    return {word for word in text.split() if re.fullmatch(r"[a-z/:.$-]+", word)} - {"min", "ms", "s"}


def test_the_picture_is_what_the_display_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = runpy.run_path(str(ROOT / "docs" / "pictures.py"))
    drawn = program["drawn"](asyncio.run(program["events"](960, tmp_path, seconds=0.3)))
    committed = program["PICTURE"].read_text(encoding="utf-8")
    assert words(committed) == words(drawn)
    assert {"documents/s", "latency", "requests", "retried", "failed"} < words(committed)
    assert "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", committed), "it fetches something"
