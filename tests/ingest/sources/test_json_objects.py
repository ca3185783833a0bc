"""Lines that are parsed together: the same rows as if each were parsed alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomlcommons.ingest.sources._encoding import Encoding
from aiomlcommons.ingest.sources._json_objects import _BETWEEN, LineObjects, _together
from aiomlcommons.ingest.sources._lines import Lines, LineSplitter

# Lines of objects, torn lines that make an object with others, and what stands between lines that are parsed together.
PIECES = [
    b'{"a": 1}',
    '{"ä": {"b": [1, {"c": null}]}, "a": "x, y"}'.encode(),
    b'{"a": 1}\r',
    b"{}",
    b"",
    b" ",
    b'{"a": [{}',
    b'{}]}, {"b": 1}',
    b"{}]}",
    b'{"a": [[1',
    b"2]]}",
    b'{"c": 1}], [{"d": 1}',
    b'{"a": "x',
    b'y"}',
    b'{"e": 1}, {"f": 2}',
    b'{"e": 1}, %d, {"f": 2}' % _BETWEEN,
    b'{"e": 1}, %d.0, {"f": 2}' % _BETWEEN,
    b'{"n": %d}' % _BETWEEN,
    b"%d" % _BETWEEN,
    b"1",
    b'{"n": 12345678901234567890123}',
    b'{"n": 1e400}',
    b'{"n": "\xff"}',
    b'{"n": 1}\r{"n": 2}',
    b'\xef\xbb\xbf{"n": 1}',
    b"[" * 1023 + b"]" * 1023,
    b'{"a": %s}' % (b"[" * 1023 + b"]" * 1023),
]
GOOD = st.sampled_from(PIECES[:4])
TORN = st.sampled_from([piece for piece in PIECES if piece.strip()])


def one_by_one(objects: LineObjects, first: int, lines: Lines) -> list[Any]:
    return [row for number, line in enumerate(lines.split(), first) for row in objects._rows(number, line)]


@given(
    st.one_of(st.lists(GOOD, max_size=5), st.lists(TORN, max_size=6), st.lists(st.sampled_from(PIECES), max_size=5)),
    st.sampled_from([b"\n", b"\r"]),
    st.booleans(),
    st.sampled_from([1, 7]),
)
def test_lines_that_are_parsed_together_give_the_same_rows(
    pieces: list[bytes], newline: bytes, ended: bool, first: int
) -> None:
    data = newline.join(pieces) + (newline if ended and pieces else b"")
    splitter = LineSplitter("a.jsonl", Encoding(), newline.decode())
    whole = [splitter.feed(data), splitter.feed(b"")] if data else [splitter.feed(b"")]
    lines = Lines(data, newline, sum(each.count for each in whole))
    assert b"".join(each.data for each in whole) == data
    assert [*lines.split()] == [line for each in whole for line in each.split()]
    assert len(lines.split()) == lines.count
    objects = LineObjects("a.jsonl", Encoding())
    if lines.count:
        assert repr(objects.rows(first, lines)) == repr(one_by_one(objects, first, lines))


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b'{"a": 1}\n{"a": 2}\n{"a": 3}', [{"a": 1}, {"a": 2}, {"a": 3}]),
        (b'{"a": 1}\r\n{"a": 2}\r\n', [{"a": 1}, {"a": 2}]),
        (b"1\n{}\n", [1, {}]),
        (b'{"a": [{}\n{}]}, {"b": 1}\n', None),
        (b'{"n": %d}\n{}\n' % _BETWEEN, None),
        (b"{}\n", None),
        (b'{"a": "%s"}\n{}\n' % (b"x" * 5000), None),
    ],
)
def test_lines_are_parsed_together_if_each_is_one_value(data: bytes, values: list[Any] | None) -> None:
    assert _together(Lines(data, b"\n", data.count(b"\n") + (not data.endswith(b"\n")))) == values
