"""Values of any type as plain JSON data."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest

from aiomlcommons.api.common import AccessMode
from aiomlcommons.display.json_data import dumped, plain


class Words(str):
    """A text of another class."""

    __slots__ = ()

    def __str__(self) -> str:
        return "other words"


ONE = uuid.UUID(int=1)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, None),
        (True, True),
        (np.True_, True),
        (2**70, 2**70),
        (math.inf, None),
        (np.float32(0.5), 0.5),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.array([1, math.nan]), [1.0, None]),
        (AccessMode.PUBLIC, "public"),
        (Words("words"), "words"),
        ({1: {"a": (1, {2})}, None: 0, AccessMode.PUBLIC: 1}, {"1": {"a": [1, [2]]}, "null": 0, "public": 1}),
        (memoryview(b"\xff\xfe"), "//4="),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), "2026-01-02T03:00:00+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(1, 2), "01:02:00"),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        (pd.NaT, None),
        (Decimal(5), 5),
        (Decimal("0.5"), 0.5),
        (Decimal("NaN"), None),
        (Decimal("1E+30"), 10**30),
        (Decimal("1E+1000000000"), None),
        (Decimal("1E-1000000000"), 0.0),
        (ONE, str(ONE)),
        (Path("a"), "a"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, memoryview) else repr(value),
)
def test_a_value_becomes_what_json_holds(value: Any, data: Any) -> None:
    made = plain(value)
    assert made == data
    assert type(made) is type(data)
    assert json.loads(dumped(made, indent=False)) == data


def test_text_is_readable_unless_it_is_half_a_character() -> None:
    assert dumped({"a": "é", "b": [1]}, indent=False) == '{"a":"é","b":[1]}'
    assert dumped({"a": 1}, indent=True) == '{\n  "a": 1\n}'
    assert dumped(["\ud83d"], indent=False).encode() == b'["\\ud83d"]'
