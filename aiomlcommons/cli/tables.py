"""Output as text tables and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson

from aiomlcommons.display.text_tables import text_table
from aiomlcommons.ingest.json_values import dumped_anyhow
from aiomlcommons.masking import without_escapes
from aiomlcommons.progress.words import plain


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Format rows under titles, each column as wide as its widest cell."""
    # Names come from the server: an escape sequence in one would reach the terminal, a line break tear the table.
    return text_table(titles, [[plain(str(cell), sys.maxsize) for cell in row] for row in rows])


def print_json(data: Any) -> None:
    """Print data as indented JSON."""
    sys.stdout.flush()
    sys.stdout.buffer.write(dumped_anyhow(data, orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


@contextmanager
def results(*, as_json: bool) -> Iterator[Callable[[Mapping[str, object], str], None]]:
    """Give a function that takes each result, as data and as a line: the line is printed at once, or JSON at the end.

    What was done before an error is printed, too.
    """
    done: list[Mapping[str, object]] = []

    def take(data: Mapping[str, object], line: str) -> None:
        done.append(data)
        if not as_json:
            print(line)

    try:
        yield take
    finally:
        if as_json and done:
            print_json(done)


def print_line(data: Any) -> None:
    """Print data as JSON on one line, for a reader who waits for it."""
    sys.stdout.flush()
    sys.stdout.buffer.write(dumped_anyhow(data, orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def print_record(data: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one thing: as JSON, or a field a line."""
    if as_json:
        print_json(data)
        return
    rows = [(name, value if isinstance(value, str) else dumped_anyhow(value).decode()) for name, value in data.items()]
    width = max(map(len, data), default=0)
    print(without_escapes("\n".join(f"{name:<{width}}  {value}" for name, value in rows)))


def moment(millis: int | None) -> str:
    """Format epoch milliseconds as date and time in UTC; the number itself if that is no date of ours."""
    if millis is None:
        return "-"
    try:
        return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(millis)
