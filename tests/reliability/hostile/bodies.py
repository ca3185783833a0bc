"""Bodies that are hostile, well formed in HTTP: JSON, CBOR, and pages."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import cbor2
import orjson

from tests.reliability.hostile.writing import MB, repeated

ODD: tuple[Any, ...] = (None, True, 0, -1, 2**63, 1.5, "", "a", "\ud800", [], [None], {}, {"a": 1}, [[[]]], "9" * 5_000)
KEYS = (
    "name",
    "hits",
    "total",
    "inference_results",
    "output",
    "data",
    "error",
    "model_state",
    "_id",
    "_source",
    "status",
    "version",
)


def deep_json(random: Random) -> bytes:
    levels = random.choice([500, 1_000, 1_023, 1_025, 10**5, 10**6])
    opening, closing = random.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return opening * levels + b"0" + closing * levels * random.randint(0, 1)


def digits(random: Random) -> bytes:
    place = random.choice([b'{"total":%b}', b"%b", b"[%b]", b'{"hits":{"total":%b}}', b'{"created_time":-%b}'])
    return place % (b"9" * random.choice([20, 5_000, 10**6]))


def exponents(random: Random) -> bytes:
    number = random.choice([b"1e999999", b"-1e400", b"1e-999999", b"0." + b"0" * 10**5 + b"1", b"1" + b"0" * 400])
    return b'{"total":%b,"last_updated_time":%b}' % (number, number)


def nan(random: Random) -> bytes:
    return b'{"total":%b}' % random.choice([b"NaN", b"Infinity", b"-Infinity", b"nan", b"0x10", b"1_000", b"+1", b".5"])


def twice(random: Random) -> bytes:
    return b'{"name":"a","name":%b,"hits":{},"hits":%b}' % (
        random.choice([b"1", b'"b"']),
        random.choice([b"[]", b"{}"]),
    )


def surrogates(random: Random) -> bytes:
    return b'{"name":"%b"}' % random.choice(
        [b"\xff", b"\\ud800", b"\xed\xa0\x80", b"\\udc00\\ud800", b"\xf4\x90\x80\x80", b"\xc0\xaf"]
    )


def cut_json(random: Random) -> bytes:
    text = b'{"name":"a","hits":{"total":{"value":1},"hits":[{"_id":"1","_source":{}}]}}'
    return text[: random.randrange(1, len(text))]


def lists(random: Random) -> bytes:
    piece = random.choice([b"[],", b"[[]],", b"[[],[]],", b"[" * 500 + b"]" * 500 + b","])
    return b'{"a":[' + repeated(piece, MB, 4 * MB)(random) + b"0]}"


def objects(random: Random) -> bytes:
    piece = random.choice([b"{},", b'{"":0},', b'{"a":{}},', b'{"":' * 500 + b"0" + b"}" * 500 + b","])
    place = random.choice([b'{"a":[', b'{"hits":{"hits":['])
    return place + repeated(piece, MB, 4 * MB)(random) + b"0]}" + b"}" * (place.count(b"{") - 1)


def pairs(random: Random) -> bytes:
    values = b",".join(b'"%x":0' % number for number in range(100_000))
    return random.choice([b'{"nodes":{%b}}', b"{%b}", b'{"hits":{%b}}', b'{"planning_worker_nodes":{%b}}']) % values


def wrong_types(random: Random) -> bytes:
    return orjson.dumps(_odd(random, 4)) if random.random() < 0.9 else orjson.dumps([_odd(random, 3)])


def _odd(random: Random, levels: int) -> dict[str, Any]:
    return {
        key: _odd(random, levels - 1) if levels and random.random() < 0.4 else _writable(random.choice(ODD))
        for key in random.sample(KEYS, random.randint(1, 5))
    }


def _writable(value: Any) -> Any:
    return "" if value == "\ud800" else value


def empty(random: Random) -> bytes:
    return random.choice([b"", b" ", b"\xef\xbb\xbf{}", '{"name":"a"}'.encode("utf-16"), b"\0", b"null", b'""'])


def deep_cbor(random: Random) -> bytes:
    opening = random.choice([b"\x81", b"\x9f", b"\xa1\x60", b"\xbf\x61a", b"\xc4", b"\xd9\xd9\xf7", b"\xc2", b"\x5f"])
    return opening * random.choice([101, 399, 401, 10**5, 10**6]) + b"\x00"


def big_integers(random: Random) -> bytes:
    large = random.choice(
        [b"\xc2\x5a\x00\x10\x00\x00" + b"\xff" * MB, b"\xc3\x5f" + (b"\x58\x20" + b"\xff" * 32) * 9_000 + b"\xff"]
    )
    return _of_answer(b"\x81" + large)


def _of_answer(data: bytes) -> bytes:
    """Return CBOR with an item in the place of an embedding."""
    whole = cbor2.dumps({"inference_results": [{"output": [{"name": "sentence_embedding", "data": 23}]}]})
    return whole[:-1] + data


def itself(random: Random) -> bytes:
    loop = random.choice(
        [
            b"\xd8\x1c\x82\xd8\x1d\x00\xd8\x1d\x00",
            b"\xd8\x1c\xa1\x61a\xd8\x1d\x00",
            b"\xd9\x01\x00\x82\x63aaa\xd8\x19\x00",
        ]
    )
    return random.choice([loop, _of_answer(loop), b"\xa1\x65error" + loop])


def tags(random: Random) -> bytes:
    tag = random.choice([
        cbor2.dumps(cbor2.CBORTag(35, "(" * 50 + "a{1,9999}" + ")" * 50)),
        cbor2.dumps(cbor2.CBORTag(0, "9999-99-99")),
        cbor2.dumps(cbor2.CBORTag(1, 1e300)),
        cbor2.dumps(cbor2.CBORTag(260, b"1234")),
        cbor2.dumps(cbor2.CBORTag(30, [1, 0])),
        cbor2.dumps(cbor2.CBORTag(258, [[1]])),
        cbor2.dumps(cbor2.CBORTag(2**60, 1)),
        cbor2.dumps(cbor2.CBORTag(36, "a" * 1_000)),
    ])  # fmt: skip
    return random.choice([tag, _of_answer(b"\x81" + tag)])


def empty_items(random: Random) -> bytes:
    piece = random.choice(
        [b"\x80", b"\xa0", b"\x81\x80", b"\xa1\x61a\xa0", b"\x60", b"\x40", b"\xf8\xff", b"\x9f\xff", b"\x5f\xff"]
    )
    items = b"\x9f" + repeated(piece, MB // 4, MB)(random) + b"\xff"
    return random.choice([items, _of_answer(items)])


def huge_items(random: Random) -> bytes:
    head = random.choice([b"\x5b", b"\x7b", b"\x9b", b"\xbb"]) + struct.pack(
        ">Q", random.choice([2**31, 2**40, 2**63, 2**64 - 1])
    )
    return random.choice([head, _of_answer(head)]) + b"\x00" * random.randint(0, 1_000)


def odd_keys(random: Random) -> bytes:
    # All are multiples of 2**61 - 1, of which Python's hash is the rest.
    keys = b"".join(cbor2.dumps(number * (2**61 - 1)) + b"\x00" for number in range(9, 20_009))
    return random.choice([b"\xbf" + keys + b"\xff", _of_answer(b"\xbf" + keys + b"\xff")])


def decimals(random: Random) -> bytes:
    exponent = random.choice(
        [b"\x1b\x0d\xe0\xb6\xb3\xa7\x63\xff\xff", b"\x3b\x0d\xe0\xb6\xb3\xa7\x63\xff\xff", b"\x1a\x7f\xff\xff\xff"]
    )
    return _of_answer(b"\x82\xc4\x82" + exponent + b"\x01\xc4\x82\x3a\x7f\xff\xff\xff\x01")


def random_bytes(random: Random) -> bytes:
    return random.randbytes(random.randint(1, 5_000))


def damaged(random: Random) -> bytes:
    tensors = [
        {"name": "sentence_embedding", "data_type": "FLOAT32", "data": [random.random() for _ in range(64)]}
        for _ in range(2)
    ]
    body = bytearray(cbor2.dumps({"inference_results": [{"output": [tensor]} for tensor in tensors]}))
    for _ in range(random.randint(1, 5)):
        body[random.randrange(len(body))] = random.randrange(256)
    return bytes(body)


def brackets(random: Random) -> bytes:
    piece = random.choice([b"<", b"<script ", b"<title", b"<!--", b"<script>", b"&#", b"<head>"])
    return b"<html>" + repeated(piece, MB // 2, 2 * MB)(random)


def comments(random: Random) -> bytes:
    return random.choice([b"<!---->", b"<!-- --> ", b"<?xml ?><!---->"]) * random.choice([50, 5_000, 100_000]) + b"x"


def words(random: Random) -> bytes:
    piece = random.choice(
        [
            b"A",
            b"aB",
            b"Exception ",
            b"plugins.ml_commons.a ",
            b"Error from remote service: ",
            b'\\"type\\" : ',
            b"x-amz-security-token:",
            b"Authorization=",
        ]
    )
    return b'{"error":{"type":"a","reason":"' + repeated(piece, 10_000, 2 * MB)(random) + b'"}}'


def nested(random: Random) -> bytes:
    error: Any = {"type": "a", "reason": "b"}
    for _ in range(random.randint(5, 12)):
        error = {
            "type": "a",
            "reason": orjson.dumps({"error": error}).decode(),
            "caused_by": error if random.random() < 0.3 else None,
        }
    return orjson.dumps({"error": error})
