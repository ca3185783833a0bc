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
_TABLE = "border-collapse:collapse;margin:0.2em 0 0.6em;color:inherit;font-size:0.9em"
_LINE = "border:none;border-bottom:1px solid rgba(128,128,128,0.35)"
_CELL = f"{_LINE};text-align:left;vertical-align:top;padding:0.2em 0.8em 0.2em 0;overflow-wrap:anywhere"
_NAME = f"{_CELL};font-weight:600;white-space:nowrap;overflow-wrap:normal"
_TITLE = "margin:0.4em 0 0.1em"


def html_of(value: HasParts) -> str:
    """Return an object as a table of its parts, or of its items if it is a collection."""
    parts = list(value._parts())
    if (items := _items(value)) is not None:
        some = [part for part in parts if part.value is not items]
        told = ", ".join(f"{_words(part.name)} {_plain(part.value)}" for part in some if _is_short(part.value))
        return several(f"{type(value).__name__} of {len(items):,}", items, told)
    wide = {id(part): found for part in parts if (found := _several_in(part.value))}
    name = next((str(part.value) for part in parts if part.name == "name"), "")
    whole = key_values(type(value).__name__, {p.name: p.value for p in parts if id(p) not in wide}, subtitle=name)
    return whole + "".join(several(_words(part.name), wide[id(part)]) for part in parts if id(part) in wide)


def key_values(title: str, values: Mapping[str, Any], *, subtitle: str = "") -> str:
    """Return a table of names and values, under a title. Long values are cut, credentials masked."""
    cells = ((_safe(_words(name)), cell(name, value)) for name, value in values.items())
    rows = "".join(
        f'<tr><th scope="row" style="{_NAME}">{th}</th><td style="{_CELL}">{td}</td></tr>' for th, td in cells
    )
    return _titled(title, subtitle, f"<tbody>{rows}</tbody>" if rows else "")


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
    head = "".join(f'<th scope="col" style="{_NAME}">{_safe(_words(name))}</th>' for name in names)
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
    return _safe(_plain(value))


def _cells(names: Sequence[str], row: Sequence[Any]) -> Iterable[str]:
    return (f'<td style="{_CELL}">{cell(name, value)}</td>' for name, value in zip(names, row, strict=True))


def _titled(title: str, subtitle: str, table: str) -> str:
    words = f"<b>{_safe(title)}</b>" + (f" {_safe(_plain(subtitle))}" if subtitle else "")
    return f'<div style="{_TITLE}">{words}</div>' + (f'<table style="{_TABLE}">{table}</table>' if table else "")


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


def _is_short(value: Any) -> bool:
    return isinstance(value, str | int | float)


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


def _words(name: str) -> str:
    return name.replace("_", " ").strip()


def _safe(text: str) -> str:
    # Half of an emoji (a lone surrogate) cannot be sent to a browser.
    return escape(text.encode("utf-8", "backslashreplace").decode())
