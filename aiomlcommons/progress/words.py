"""Numbers, times and names as people read them, without what could change a terminal."""

from __future__ import annotations

import math
from itertools import accumulate
from unicodedata import combining, east_asian_width

from aiomlcommons.masking import without_escapes

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def span(seconds: float | None) -> str:
    """Format a duration: ``45 s``, ``13 min 20 s``, ``2 h 5 min``; ``-`` if it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: int | None) -> str:
    """Format a number of bytes: ``191.9 kB``; ``-`` if it is not known."""
    if count is None:
        return "-"
    number, unit = float(count), 0
    while number >= 1000 and unit + 1 < len(_UNITS):
        number, unit = number / 1000, unit + 1
    return f"{number:,.1f} {_UNITS[unit]}" if unit else f"{count} bytes"


def amount(count: int, unit: str) -> str:
    """Format a count; bytes as their size."""
    return size(count) if unit == "bytes" else f"{count:,}"


def plain(text: str, most: int = 500) -> str:
    r"""Return a text as one line of at most ``most`` characters.

    Names come from servers and files: an escape sequence in them would reach the terminal. The middle is left out.
    """
    line = without_escapes(" ".join(text.split()))
    if len(line) <= most:
        return line
    half = (most - 1) // 2
    return f"{line[: most - 1 - half]}…{line[len(line) - half :]}"


def fit(text: str, width: int) -> str:
    """Return a text of at most so many columns of a terminal, where a Chinese character takes two; its end is cut."""
    columns = list(accumulate(_columns(char) for char in text))
    if not columns or columns[-1] <= width:
        return text
    return f"{text[: sum(count < width for count in columns)]}…"


def _columns(char: str) -> int:
    return 0 if combining(char) else 2 if east_asian_width(char) in {"W", "F"} else 1
