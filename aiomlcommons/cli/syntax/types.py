"""How the value of an option is read; argparse names the option in the error."""

from __future__ import annotations

import argparse
import math


def maybe_empty(text: str) -> str:
    """Take any text, also an empty one, which the parser refuses of other options."""
    return text


def positive(text: str) -> int:
    """Parse a whole number from 1 on."""
    return _whole(text, 1)


def several_positive(text: str) -> list[int]:
    """Parse whole numbers from 1 on, with commas between them."""
    return [positive(part) for part in text.split(",")]


def not_negative(text: str) -> int:
    """Parse a whole number from 0 on."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"must be {least} or more, not {number}")
    return number


def failures(text: str) -> float:
    """Parse the most failures: a whole number from 0 on, a share between 0 and 1, or ``inf``."""
    try:
        number = int(text) if text.isdecimal() else float(text)
    except ValueError:
        number = -1
    if not (0 <= number < math.inf and isinstance(number, int)) and not 0 < number < 1 and number != math.inf:
        raise argparse.ArgumentTypeError(f"must be a whole number, a share like 0.05, or inf, not {text!r}")
    return number


def seconds(text: str) -> float:
    """Parse a number of seconds that is not negative."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}")
    return number


def from_now(text: str) -> float:
    """Parse a number of seconds above 0; ``inf`` is without end."""
    number = seconds(text)
    if not number:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return number


def some_seconds(text: str) -> float:
    """Parse a number of seconds that is finite and more than 0."""
    number = seconds(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return number


def concurrency(text: str) -> int | tuple[int, int]:
    """Parse a concurrency: ``4``, or the bounds ``1-64``."""
    first, dash, last = text.partition("-")
    if not dash:
        return positive(first)
    least, most = positive(first), positive(last)
    if least > most:
        raise argparse.ArgumentTypeError(f"must be like 4 or 1-64, not {text!r}")
    return least, most


def delimiter(text: str) -> str:
    """Parse a delimiter; ``\\t`` and ``tab`` are a tab."""
    found = "\t" if text in {"\\t", "tab"} else text
    if len(found) != 1:
        raise argparse.ArgumentTypeError(f"must be one character, not {text!r}")
    return found


def encoding(text: str) -> str:
    """Parse the name of a text encoding."""
    try:
        "".encode(text)
    except (LookupError, ValueError):
        raise argparse.ArgumentTypeError(f"must be a text encoding such as latin-1, not {text!r}") from None
    return text


def names(text: str) -> list[str]:
    """Parse names that commas divide."""
    found = text.split(",")
    if not all(found):
        raise argparse.ArgumentTypeError(f"must be names with commas between them, not {text!r}")
    return found


def port(text: str) -> int:
    """Parse the number of a port; 0 is any."""
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535, not {text!r}")
    return int(text)
