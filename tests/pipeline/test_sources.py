"""Rows from files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons.pipeline import sources
from aiomlcommons.pipeline.sources import SourceError, jsonl

pytestmark = pytest.mark.asyncio


async def rows_of(path: Path) -> list[Mapping[str, Any]]:
    return [row async for row in jsonl(path)]


async def test_each_line_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "ä"}\n\n  \n{"text": "b"}')
    assert await rows_of(path) == [{"text": "ä"}, {"text": "b"}]


async def test_a_long_file_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LINES_AT_ONCE", 3)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"n": {n}}}\n' for n in range(10)))
    assert [row["n"] for row in await rows_of(path)] == list(range(10))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": ', r"rows\.jsonl, line 3 is not JSON"),
        ("[1]", r"rows\.jsonl, line 3 is not a JSON object but list"),
        ("text", r"rows\.jsonl, line 3 is not JSON"),
    ],
)
async def test_a_bad_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"text": "a"}}\n\n{line}\n')
    with pytest.raises(SourceError, match=words):
        await rows_of(path)


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        await rows_of(tmp_path / "none.jsonl")


async def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n' * 10)
    rows = jsonl(path)
    assert await anext(rows) == {"text": "a"}
    await rows.aclose()
