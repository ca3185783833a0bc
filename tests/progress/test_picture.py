"""The picture of a job under way, in README.md and in a tutorial: made by a program, of the real display."""

from __future__ import annotations

import html
import re
import runpy

import pytest

from aiomlcommons.progress.event import Phase, Progress
from tests.support.paths import ROOT

pytest.importorskip("rich")
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def words(svg: str) -> set[str]:
    """Return the words of a picture without those that differ from run to run: figures, and the id of a model."""
    text = html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))
    return {word for word in text.split() if re.fullmatch(r"[a-z/:.$-]+", word)} - {"min", "ms", "s"}


TOLD = [
    Progress(phase=Phase.DEPLOYED, name=f"huggingface/{MODEL}", model_id="a1B2", words="1 of 1 nodes"),
    Progress(
        phase=Phase.EMBEDDING,
        name="articles.jsonl -> articles.parquet",
        done=4_928,
        total=8_000,
        about=True,
        unit="documents",
        rate=395.0,
        eta=7.8,
        in_flight=8,
        limit=8,
        latency=0.7,
    ),
]


def test_the_picture_is_what_the_display_draws_of_a_job() -> None:
    program = runpy.run_path(str(ROOT / "docs" / "pictures.py"))
    committed = program["PICTURE"].read_text(encoding="utf-8")
    assert words(committed) == words(program["drawn"](TOLD)), "python docs/pictures.py draws it anew"
    assert {"documents/s", "latency", "requests", "retried", "failed"} < words(committed)
    assert "http" not in re.sub(r'xmlns="[^"]*"|<!--.*?-->', "", committed), "it fetches something"
