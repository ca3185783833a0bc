"""Tables for notebooks: plain HTML that inherits fonts and colors, without scripts. Everything is escaped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from html import escape
from itertools import islice
from typing import Any

from aiomlcommons.display.brief import HasParts, Part, Verbatim, brief, brief_headers, more
from aiomlcommons.masking import beginning

# Characters of a text in a table, of any other value, and rows and columns of a table of several.
TEXT, VALUE, ROWS, COLUMNS = 200, 300, 20, 8
# Colors are those of the notebook, whether dark or light; lines are gray on both.
GRAY = "rgba(128,128,128,0.35)"
TABLE = "border-collapse:collapse;margin:0.2em 0 0.6em;color:inherit;font-size:0.9em"
_LINE = f"border:none;border-bottom:1px solid {GRAY}"
_CELL = f"{_LINE};text-align:left;vertical-align:top;padding:0.2em 0.8em 0.2em 0"
_NAME = f"{_CELL};font-weight:600"
# Ids and times stay on one line; longer values are broken where they must be.
_SHORT, _ONE_LINE, _LINES = 40, "white-space:nowrap", "overflow-wrap:anywhere;min-width:14em"
TITLE = "margin:0.4em 0 0.1em"


def html_of(value: HasParts) -> str:
    """Return an object as a table of its parts, or of its items if it is a collection."""
    parts = {part.name: part.value for part in value._parts()}
    title = type(value).__name__
    if (items := _items(value)) is not None:
        told = {name: part for name, part in parts.items() if part is not items}
        count = f"{title}: {len(items):,}" + (f" of {told.pop('total'):,}" if "total" in told else "")
        return several(count, items, ", ".join(f"{name} {_plain(part)}" for name, part in told.items()))
    wide = {name: some for name, part in parts.items() if (some := _several_in(part))}
    narrow = {name: part for name, part in parts.items() if name not in {*wide, "name"}}
    whole = key_values(title, narrow, subtitle=parts.get("name", ""))
    return whole + "".join(several(name, some) for name, some in wide.items())


def key_values(title: str, values: Mapping[str, Any], *, subtitle: Any = "") -> str:
    """Return a table of names and values, under a title. Long values are cut, credentials masked."""
    return _titled(title, subtitle, _rows(values))


def several(title: str, items: Sequence[Any] | Mapping[str, Any], subtitle: str = "") -> str:
    """Return a table of several objects, a row each; of a mapping, with the keys as the first column."""
    keyed = items.items() if isinstance(items, Mapping) else ((None, item) for item in items)
    rows = [_row(key, item) for key, item in islice(keyed, ROWS)]
    names = list(dict.fromkeys(name for row in rows for name in row))[:COLUMNS]
    return grid(title, names, ([row.get(name) for name in names] for row in rows), len(items), subtitle=subtitle)


def grid(
    title: str, names: Sequence[str], rows: Iterable[Sequence[Any]], total: int | None = None, *, subtitle: str = ""
) -> str:
    """Return a table of named columns, under a title; ``total`` is the number of all rows, if only some are given."""
    given = list(rows)
    # A long name of a column is broken after an underscore.
    heads = (_safe(name).replace("_", "_<wbr>") for name in names)
    head = "".join(f'<th scope="col" style="{_NAME}">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(_cells(names, row))}</tr>" for row in given)
    left = (len(given) if total is None else total) - len(given)
    foot = f'<div style="opacity:0.7">{more(left)}</div>' if left > 0 else ""
    return _titled(title, subtitle, f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>" if given else "") + foot


def cell(name: str, value: Any) -> str:
    """Return the HTML of a value: times in UTC, large numbers with commas, texts without quotes."""
    if value is None:
        return ""
    if name == "headers":
        return _safe(brief_headers(value, VALUE))
    if type(value) is int:
        return _safe(_moment(name, value) or (f"{value:,}" if value.bit_length() < 64 else brief(value)))
    if isinstance(value, float) and (abs(value) >= 0.001 or not value):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return _safe(_plain(value))


def _rows(values: Mapping[str, Any], depth: int = 1) -> str:
    """Return the rows of names and values; a record among the values is a table in its cell, down to a depth."""
    rows = [
        f'<tr><th scope="row" style="{_NAME};{_ONE_LINE}">{_safe(name)}</th>{_inner(name, value, depth)}</tr>'
        for name, value in values.items()
    ]
    return f"<tbody>{''.join(rows)}</tbody>" if rows else ""


def _inner(name: str, value: Any, depth: int) -> str:
    if depth and isinstance(value, HasParts):
        rows = _rows({part.name: part.value for part in value._parts()}, depth - 1)
        return f'<td style="{_CELL}"><table style="{TABLE};margin:0">{rows}</table></td>'
    return _td(name, value)


def _td(name: str, value: Any) -> str:
    text = cell(name, value)
    return f'<td style="{_CELL};{_ONE_LINE if len(text) <= _SHORT else _LINES}">{text}</td>'


def _cells(names: Sequence[str], row: Sequence[Any]) -> Iterable[str]:
    return (_td(name, value) for name, value in zip(names, row, strict=True))


def _titled(title: str, subtitle: Any, table: str) -> str:
    words = f"<b>{_safe(title)}</b>" + (f" {_safe(_plain(subtitle))}" if subtitle else "")
    return f'<div style="{TITLE}">{words}</div>' + (
        f'<div style="overflow-x:auto"><table style="{TABLE}">{table}</table></div>' if table else ""
    )


def _row(key: str | None, item: Any) -> dict[str, Any]:
    cells = {"": key} if key is not None else {}
    parts: Iterable[Part] = item._row() if isinstance(item, HasParts) else [Part("value", item)]
    return cells | {part.name: part.value for part in parts}


def _items(value: Any) -> Sequence[Any] | None:
    items: Sequence[Any] | None = getattr(value, "_items", None)
    return items


def _several_in(value: Any) -> Sequence[Any] | Mapping[str, Any] | None:
    """Return the records in a field, if it holds nothing else and at least one: they are shown as a table."""
    if not isinstance(value, list | tuple | Mapping) or not value:
        return None
    some = value.values() if isinstance(value, Mapping) else value
    return value if all(isinstance(item, HasParts) for item in islice(some, ROWS)) else None


def _plain(value: Any) -> str:
    if isinstance(value, str):
        text, left = beginning(value, TEXT)
        return f"{text} {more(left)}" if left else text
    return str(value) if isinstance(value, Verbatim) else brief(value, VALUE)


def _moment(name: str, value: int) -> str | None:
    if name.endswith(("_time", "_at")) and value > 10**11:  # epoch milliseconds
        with suppress(ValueError, OverflowError, OSError):
            return f"{dt.datetime.fromtimestamp(value / 1000, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    return None


def _safe(text: str) -> str:
    # Half of an emoji (a lone surrogate) cannot be sent to a browser.
    return escape(text.encode("utf-8", "backslashreplace").decode())
