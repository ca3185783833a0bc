"""Lines of CSV that are read together: the same rows and positions as record by record."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.sources import CsvSource, _csv_reader
from aiomlcommons.ingest.sources._cell_rows import CellRows
from aiomlcommons.ingest.sources._compression import opened
from aiomlcommons.ingest.types import BadRow

PIECES = [
    "1,a",
    "2,ä",
    "",
    '"3","b"',
    '4,"b, ""c"""',
    '5,"two\nlines"',
    '6,"two\r\nlines"',
    '7,a"b',
    '8," "x',
    '9,"never closed',
    "1,2,3",
    "alone",
    "5,x\r6,y",
    '""',
    " ",
    "\0,0",
    "\x85,\u2028",
    '"q"\r',
    "x,\r",
]


def read(path: Path, *, together: bool, **options: Any) -> tuple[list[Any], list[Any], Any]:
    """Return the rows, the positions before each of them that has one, and where reading ends."""
    source = CsvSource(str(path), **options)
    with pytest.MonkeyPatch.context() as patch:
        if not together:
            patch.setattr(_csv_reader, "plain_rows", lambda lines, layout: (CellRows(layout.columns, []), 0))
        content = opened(path)
        try:
            reader = source._reader(content, None, 0)
            rows, positions = list[Any](), list[Any]()
            while (found := reader.next()).rows:
                assert found.start == len(rows)
                positions.append((found.start, found.position))
                rows += found.rows
            return rows, positions, reader.place.position
        finally:
            content.close()


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([{}, {"quoting": "none"}, {"header": ["one"]}, {"delimiter": "a"}]),
    st.sampled_from([1, 5, 30, 1 << 18]),
    st.sampled_from(["utf-8", "latin-1"]),
)
@example(['9,"never closed', "alone", ""], "\n", True, {"header": ["one"]}, 1, "utf-8")
@example(["alone", "", ""], "\r\n", True, {"header": ["one"]}, 1 << 18, "utf-8")
@example(["alone", ""], "\n", True, {"header": ["one"], "quoting": "none"}, 5, "utf-8")
def test_lines_that_are_read_together_give_the_same_rows(
    pieces: list[str], newline: str, ended: bool, options: dict[str, Any], size: int, encoding: str
) -> None:
    text = newline.join(["id,text", *pieces]) + (newline if ended else "")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(_csv_reader, "READ_AT_ONCE", size)
        path = Path(folder, "a.csv")
        path.write_bytes(text.encode(encoding, "replace"))
        rows, positions, end = read(path, together=True, **options)
        expected, _, last = read(path, together=False, **options)
        assert (rows, end) == (expected, last)
        assert all(type(one) in {dict, BadRow} for one in rows)
        for start, position in positions:
            source = CsvSource(str(path), **options)
            content = opened(path)
            try:
                assert source._reader(content, position, start).next().rows[0] == expected[start]
            finally:
                content.close()


def test_rows_of_cells_are_those_of_a_list_of_dicts() -> None:
    rows: Any = CellRows(["a", "b"], [["1", "x"], ["2", "y"], ["3", "z"]])
    expected = [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}, {"a": "3", "b": "z"}]
    assert (list(rows), len(rows), rows[1], rows[-1]) == (expected, 3, expected[1], expected[2])
    assert isinstance(rows[1:], CellRows)
    assert (rows[1:], rows[::2], rows.take([2, 0])) == (expected[1:], expected[::2], [expected[2], expected[0]])
    assert (rows.column("b"), rows.column("c")) == (["x", "y", "z"], None)
    assert isinstance(rows + rows, CellRows)
    assert rows + rows == expected + expected
    assert rows + CellRows(["a"], [["4"]]) == [*expected, {"a": "4"}]
    assert rows + [{"c": 1}] == [*expected, {"c": 1}]  # noqa: RUF005 - what is tested
