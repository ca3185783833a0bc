"""Texts of a trial: each document has another one at each write, so that a vector tells which write it is of."""

from __future__ import annotations

import random
import re

WORDS = re.findall(
    r"\w+",
    "river mountain house garden window bread winter summer stone forest bird horse iron silver paper letter road "
    "bridge market village king soldier doctor teacher music song colour green yellow white black water fire wind "
    "cloud rain morning evening night star moon field flower apple tree leaf root branch ship harbour island",
)


def text_of(key: str, number: int) -> str:
    """Return the text of a document at its write of this number."""
    chosen = random.Random(f"{key} {number}").choices(WORDS, k=8)  # noqa: S311 - a test
    return f"{' '.join(chosen)} {key} {number}"
