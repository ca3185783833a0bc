"""Decimals among doubles: the same numbers as Python's float makes of them."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiomlcommons import HttpResponse
from aiomlcommons.inference import _decimals, vectors
from aiomlcommons.inference._decimals import with_decimals
from aiomlcommons.inference.vectors import embeddings
from aiomlcommons.inference.words import words
from tests.fuzzing.cbor import Style, encoded

RANDOM = np.random.default_rng(16)
OPEN, CLOSED = Style(open=1, floats=8), Style(open=0, floats=8)


def body_of(rows: Any, style: Style = OPEN, kind: str = "FLOAT32") -> bytes:
    tensors = [{"name": "sentence_embedding", "data_type": kind, "data": row} for row in rows]
    return encoded({"inference_results": [{"output": tensors}]}, Random(0), style)  # noqa: S311


def mixed(count: int, size: int) -> list[list[Any]]:
    """Return numbers as a server of 3.8 passes them on: a decimal is one that takes more than 18 characters."""
    rows = RANDOM.standard_normal((count, size)).astype("f4").astype("f8").tolist()
    return [[Decimal(repr(number)) if len(repr(number)) > 18 else number for number in row] for row in rows]


def plain(rows: list[list[Any]], dtype: str) -> Any:
    return np.array([[float(number) for number in row] for row in rows]).astype(dtype)


@pytest.mark.parametrize("style", [OPEN, CLOSED])
@pytest.mark.parametrize(("kind", "dtype"), [("FLOAT32", "f4"), ("FLOAT64", "f8")])
@pytest.mark.parametrize(("count", "size"), [(1, 1), (1, 384), (2, 3), (20, 768)])
def test_decimals_among_doubles_are_rounded_once(style: Style, kind: str, dtype: str, count: int, size: int) -> None:
    rows = mixed(count, size)
    rows[0][0] = Decimal("0.35355339059327373")
    body = body_of(rows, style, kind)
    found = with_decimals(body, count, vectors._of_cbor)
    assert found is not None
    assert found.dtype == np.dtype(dtype)
    assert found.tobytes() == plain(rows, dtype).tobytes() == vectors._of_cbor(body, count).tobytes()


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(-(2**62) + 1, 2**62 - 1), st.integers(1, 256))
@example(9007199254740993, 1)  # the middle between two doubles, times ten
@example(2**53 + 1, 22)
@example(-(2**62) + 1, 23)
@example(0, 17)
def test_a_decimal_is_the_double_that_python_makes_of_it(digits: int, scale: int) -> None:
    found = _decimals._decimals(np.array([digits]), np.array([scale]))
    assert found[0] == float(f"{digits}e-{scale}")


def test_decimals_in_the_middle_between_two_doubles_are_rounded_to_the_even_one() -> None:
    # 2**53 + 1, 3, 5, ... divided by powers of two, which have finite decimals.
    whole = [2**53 + odd for odd in range(1, 99, 2)]
    for power in (1, 2, 3):
        digits, scale = [number * 5**power for number in whole], [power] * len(whole)
        found = _decimals._decimals(np.array(digits), np.array(scale))
        assert found.tolist() == [number / 2**power for number in whole]


def test_bytes_that_look_like_heads_are_not_taken_for_numbers() -> None:
    traps = [
        float(np.frombuffer(bytes(head) * (8 // len(head)), ">f8")[0]) for head in (b"\x3b", b"\x3a\xfb", b"\xbf\xfa")
    ]
    inner = int.from_bytes(b"\x01\xfb\x01\xc4\x82\x30\x1b\xfb", "big")
    rows = [[traps[i % 3], Decimal(inner).scaleb(-17), 0.5, Decimal(-inner).scaleb(-30)] for i in range(5)]
    found = with_decimals(body_of(rows, kind="FLOAT64"), 5, vectors._of_cbor)
    assert found is not None
    assert found.tobytes() == plain(rows, "f8").tobytes()


@pytest.mark.parametrize(
    "odd",
    [
        0,
        "0.5",
        None,
        True,
        10**30,
        Decimal("1E+3"),
        Decimal(2**63).scaleb(-20),
        Decimal(-(2**63) - 5).scaleb(-20),
        Decimal(1).scaleb(-400),
    ],
)
def test_what_is_neither_is_left_to_the_careful_decoder(odd: Any) -> None:
    rows = mixed(3, 50)
    rows[1][7] = odd
    body = body_of(rows)
    assert with_decimals(body, 3, vectors._of_cbor) is None
    if not isinstance(odd, str | None):
        found = embeddings(HttpResponse(200, body, {"content-type": "application/cbor"}), 3)
        assert found.tobytes() == plain(rows, "f4").tobytes()


def test_rows_of_different_lengths_are_left_to_the_careful_decoder() -> None:
    rows = mixed(3, 50)
    assert with_decimals(body_of([rows[0], rows[1][:-1], rows[2]]), 3, vectors._of_cbor) is None
    assert with_decimals(body_of(rows), 2, vectors._of_cbor) is None
    assert with_decimals(body_of(rows), 4, vectors._of_cbor) is None


def test_a_decimal_of_a_billion_digits_is_not_written_out() -> None:
    assert words(Decimal("1E+1000000000")) == "1E+1000000000"
    assert words(Decimal("1E-1000000000")) == "1E-1000000000"
    assert words(Decimal("1E+3")) == "1000"
