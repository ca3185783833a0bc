"""Rows for people, and JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from aiomlcommons.ingest.json_values import dumped


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under their titles, each column as wide as its widest cell."""
    lines = [list(titles), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def print_json(data: Any) -> None:
    """Print it indented."""
    sys.stdout.flush()
    sys.stdout.buffer.write(dumped(data, orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def moment(millis: int | None) -> str:
    """Epoch milliseconds as a date and a time."""
    return "-" if millis is None else datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
