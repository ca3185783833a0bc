"""JSON and CBOR within bounds of memory."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any
from unittest import mock

import cbor2
import orjson
import pytest

from aiomlcommons.decoding import cbor_walk
from aiomlcommons.decoding.bounded import LARGEST_RESPONSE, TIMES, TooMuch, decode_cbor, decode_json
from aiomlcommons.decoding.cbor_walk import check_cbor, weight_of
from aiomlcommons.http import CBOR
from tests.wire.recordings import exchanges

HEAVY = [b"[]", b"{}", b"[[]]", b'{"":0}', b"[" * 500 + b"]" * 500, b'{"":' * 500 + b"0" + b"}" * 500, b'{"a":{}}']
LIGHT: list[Any] = [
    {"inference_results": [{"output": [{"name": "a", "shape": [2], "data": [0.5, -1, 2**40, 2**70, None, True]}]}]},
    {"a": "x" * 70_000, "b": b"\x00" * 300, "c": [1.5] * 5_000, "d": list(range(600)), "\N{GRINNING FACE}": "é"},
    [Decimal("1.25"), Decimal("-1E+20"), -(2**200)],
    # Quantized embeddings, doubles with whole numbers among them, and runs that end in the middle of a block.
    [[(7 * n) % 256 - 128 for n in range(count)] for count in (7, 8, 63, 64, 71, 72, 1_000)],
    [[[n / 3, 0, -1, 300 * n, -70_000 * n, 2**40 + n][n % 6] for n in range(1_000)], "end", 1, None],
    [[0] * 5_000, [-20] * 5_000, [1] * 7 + [2.5] * 9, {"a": [1] * 9, "b": 1}, True],
    [],
    "a",
]


@pytest.mark.parametrize("piece", HEAVY)
def test_json_that_would_become_many_times_as_large_is_refused(piece: bytes) -> None:
    body = b"[" + b",".join([piece] * (300_000 // len(piece))) + b"]"
    with pytest.raises(TooMuch, match="take more than 1200000 bytes of memory"):
        decode_json(body, 300_000)


def test_json_of_texts_and_numbers_is_decoded_up_to_the_limit_itself() -> None:
    texts = orjson.dumps(["the quick brown fox, and so on. " * 4] * 2_000)
    numbers = orjson.dumps([0.123456789012345] * 20_000)
    assert len(decode_json(texts, len(texts))) == 2_000
    assert len(decode_json(numbers, len(numbers))) == 20_000


@pytest.mark.parametrize("data", LIGHT, ids=range(len(LIGHT)))
def test_what_servers_send_in_cbor_is_decoded(data: Any) -> None:
    body = cbor2.dumps(data)
    assert decode_cbor(body, LARGEST_RESPONSE) == data
    assert check_cbor(b"\xd9\xd9\xf7" + body, LARGEST_RESPONSE)  # with the tag that says that it is CBOR


def test_recorded_cbor_is_decoded() -> None:
    bodies = [one.response.body for one in exchanges() if one.response.content_type == CBOR and one.answered_whole]
    assert bodies
    assert all(check_cbor(body, TIMES * LARGEST_RESPONSE) for body in bodies)


@pytest.mark.parametrize("data", LIGHT, ids=range(len(LIGHT)))
def test_the_weight_of_cbor_is_no_less_than_what_its_values_take(data: Any) -> None:
    assert weight_of(cbor2.dumps(data), LARGEST_RESPONSE) >= _memory(data)


def test_numbers_of_an_array_that_a_break_ends_are_walked_as_well() -> None:
    for inner in (b"\x18\xff" * 100, b"\x05" * 100, b"\xfb" + b"\xff" * 8 + b"\x01" * 3, b"\xf9\x3c\x00" * 9):
        body = b"\x82\x9f" + inner + b"\xff\x01"
        assert check_cbor(body, 100_000)
        with pytest.raises(ValueError, match="cut off"):
            check_cbor(body[:-1], 100_000)


def test_quantized_embeddings_are_walked_in_blocks_of_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step for each number takes several times as long as to decode them."""
    original = mock.Mock(wraps=cbor_walk.numbers_of)
    monkeypatch.setattr(cbor_walk, "numbers_of", original)
    body = cbor2.dumps([[(7 * n) % 256 - 128 for n in range(1_024)]] * 10)
    assert check_cbor(body, LARGEST_RESPONSE)
    assert original.call_count == 10


def _memory(value: Any) -> int:
    if isinstance(value, int) and -6 < value < 257:
        return 0  # it exists once
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return sys.getsizeof(value) + sum(map(_memory, parts))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\x9f" + b"\x80" * 20_000 + b"\xff", "take more than"),
        (b"\x81" * 101 + b"\x80", "nested in more than 100 levels"),
        (b"\xc4" * 1_000, "tag 4"),
        (b"\xd8\x1c\x82\xd8\x1d\x00\xd8\x1d\x00", "tag 28"),
        (cbor2.dumps(cbor2.CBORTag(35, "a*")), "tag 35"),
        (b"\xc2\x58\x41" + b"\xff" * 65, "an integer of 65 bytes"),
        (b"\xc2\x5f" + b"\x58\x20" * 40, "an integer of 82 bytes|integer of 8"),
        (cbor2.dumps({1: 2}), "a key is no text"),
        (b"\xf8\xff", "a simple value"),
        (b"\x9f" + b"\xe5" * 9 + b"\xff", "a simple value"),
        (b"\x98\x50" + b"\x18" * 80, "cut off"),
        (b"\x9f" + b"\x37" * 20_000 + b"\xff", "take more than"),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "cut off"),
        (b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "cut off"),
        (b"\x81", "cut off"),
        (b"", "cut off"),
        (b"\xff", "a break where nothing is open"),
        (b"\xbf\x61a\xff", "a break where nothing is open"),
    ],
)
def test_cbor_that_no_server_sends_is_refused_before_it_is_decoded(body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode_cbor(body, 100_000)
