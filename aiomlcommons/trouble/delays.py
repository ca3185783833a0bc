"""Delays that a provider names within its message, where no header can: "Please try again in 20s"."""

from __future__ import annotations

import re

# Texts, which are compiled where one is looked for: at import they would take a hundredth of its time.
_ASKED = r"(?:try again|retry|wait|replenished) (?:in |after |for )?"
_PART = r"(\d+(?:\.\d+)?) ?(ms|milliseconds?|h|hours?|m|minutes?|s|seconds?)(?![a-z])"
_PARTS = rf"{_ASKED}((?:{_PART}(?:,? )?)+)"
_CLOCK = rf"{_ASKED}(\d+):(\d\d):(\d\d)"
# RetryInfo of Google, and the loading model of Hugging Face.
_FIELD = r'\\?"(?:retryDelay\\?":\s*\\?"(\d+(?:\.\d+)?)s|estimated_time\\?":\s*(\d+(?:\.\d+)?))'
_SECONDS = {"m": 60.0, "h": 3600.0, "s": 1.0, "ms": 0.001}


def delay_in(words: str) -> float | None:
    """Return the seconds after which the words say that a retry is welcome; None if they name no delay."""
    if found := re.search(_FIELD, words):
        return float(found[1] or found[2])
    if found := re.search(_CLOCK, words, re.IGNORECASE):
        hours, minutes, seconds = map(int, found.groups())
        return float(hours * 3600 + minutes * 60 + seconds)
    if found := re.search(_PARTS, words, re.IGNORECASE):
        parts = re.findall(_PART, found[1], re.IGNORECASE)
        return sum(float(number) * _SECONDS[_unit(unit.lower())] for number, unit in parts)
    return None


def _unit(name: str) -> str:
    return "ms" if name.startswith(("ms", "milli")) else name[0]
