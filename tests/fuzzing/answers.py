"""Made-up answers of models: of every kind and shape, in JSON and CBOR, and damaged ones."""

from __future__ import annotations

import base64
import json
import struct
from decimal import Decimal
from random import Random
from typing import Any

import attrs

from aiomlcommons.http import CBOR, JSON, HttpResponse
from tests.fuzzing.cbor import Style, encoded

STRUCTS = {
    "FLOAT32": "f",
    "FLOAT64": "d",
    "FLOAT16": "e",
    "INT8": "b",
    "UINT8": "B",
    "INT32": "i",
    "INT64": "q",
    "BOOLEAN": "?",
    "BINARY": "b",
    "UBINARY": "B",
}
WHOLE = {"INT8": (-128, 127), "UINT8": (0, 255), "BINARY": (-128, 127), "UBINARY": (0, 255), "BOOLEAN": (0, 1)}
ODD: list[Any] = [
    None,
    True,
    "NaN",
    "Infinity",
    "1.5",
    "",
    [],
    [1.0],
    {},
    float("nan"),
    float("inf"),
    1e300,
    10**30,
    -(10**400),
]
HUGE = [Decimal(digits).scaleb(-16) for digits in (2**62, 2**63, 2**64 - 1, -(2**62), -(2**63) - 1, -(2**64))]
HUGE += [Decimal("1E+999"), Decimal("1E-999"), Decimal("12345678901234567890123E-3")]

# Beginnings of containers, of tags, and of references to containers around.
NESTS = [b"\x81", b"\x9f", b"\xa1\x61a", b"[", b'{"a":', b"\xc1", b"\xd8\x1c\x81", b"\xd8\x1d\x00"]


@attrs.frozen
class Made:
    """A made-up answer: its data, and how many texts it is for."""

    data: Any
    count: int


def embeddings(random: Random) -> Made:
    """Return the answer of a dense model."""
    count, size = random.choice([1, 1, 2, 3, 5, 17]), random.choice([1, 2, 3, 8, 23, 24, 64, 300])
    kind = random.choice(["FLOAT32"] * 4 + list(STRUCTS) + ["NEW"])
    form = random.choice(["bytes", "bytes", "numbers", "numbers", "decimals", "both"])
    order = random.choice(["<", "<", "<", ">"])
    rows = [_row(random, kind, form, size) for _ in range(count)]
    tensors = [_tensor(row, kind, form, order) for row in rows]
    if random.random() < 0.1:
        _spoil(random, tensors, kind)
    if random.random() < 0.2:
        tensors = [_shuffled(random, tensor) for tensor in tensors]
    data = _provider(random, rows) if random.random() < 0.15 else _prediction(random, tensors)
    return Made(data, max(0, count + random.choice([0] * 12 + [-1, 1])))


def _row(random: Random, kind: str, form: str, size: int) -> list[Any]:
    low, high = WHOLE.get(kind, (-100, 100))
    if kind in WHOLE or kind.startswith("INT") or random.random() < 0.05:
        return [random.randint(low, high) for _ in range(size)]
    numbers = [random.uniform(-1, 1) for _ in range(size)]
    if form == "bytes" or random.random() < 0.3:
        numbers = [struct.unpack("<f", struct.pack("<f", number))[0] for number in numbers]
    few = random.choice([0.0, 0.0, 0.05])
    row: list[Any] = [random.choice([0, 1, -1]) if random.random() < few else number for number in numbers]
    if form == "decimals":
        share = random.random()
        row = [Decimal(repr(number)) if random.random() < share else number for number in row]
        if random.random() < 0.1:
            row[random.randrange(size)] = random.choice(HUGE)
    return row


def _tensor(row: list[Any], kind: str, form: str, order: str) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": "sentence_embedding", "data_type": kind, "shape": [len(row)]}
    if form in {"numbers", "decimals", "both"}:
        tensor["data"] = row
    if form in {"bytes", "both"}:
        code = STRUCTS.get(kind, "f")
        raw = struct.pack(f"{order}{len(row)}{code}", *(float(x) if code in "fde" else int(x) for x in row))
        tensor["byte_buffer"] = {"array": raw, "order": {"<": "LITTLE_ENDIAN", ">": "BIG_ENDIAN"}[order]}
    return tensor


def _spoil(random: Random, tensors: list[dict[str, Any]], kind: str) -> None:
    """Make one tensor odd: another length, type, order, a value that is no number."""
    tensor = random.choice(tensors)
    match random.randrange(7):
        case 0 if "data" in tensor:
            tensor["data"] = [*tensor["data"]]
            tensor["data"][random.randrange(len(tensor["data"]))] = random.choice([*ODD, *HUGE])
        case 1 if "data" in tensor:
            tensor["data"] = tensor["data"][:-1] if random.random() < 0.5 else [*tensor["data"], 1.5]
        case 2 if "byte_buffer" in tensor:
            tensor["byte_buffer"]["array"] = tensor["byte_buffer"]["array"][: random.choice([0, -1, -4])]
        case 3 if "byte_buffer" in tensor:
            tensor["byte_buffer"]["order"] = random.choice(["BIG_ENDIAN", "LITTLE_ENDIAN", "", None, 5])
        case 4:
            tensor["data_type"] = random.choice([*STRUCTS, None, [], 5])
        case 5:
            tensor.pop(random.choice(list(tensor)))
        case _:
            tensor["name"] = random.choice(["other", None, "pooled"])


def _shuffled(random: Random, tensor: dict[str, Any]) -> dict[str, Any]:
    items = list(tensor.items())
    random.shuffle(items)
    if random.random() < 0.3:
        items.insert(random.randint(0, len(items)), ("extra", random.choice(["x", 1, [1.5, 2.5], {"data": [0.5]}])))
    return dict(items)


def _prediction(random: Random, tensors: list[dict[str, Any]]) -> Any:
    if random.random() < 0.2:
        other = {"name": "token_embeddings", "data_type": "FLOAT32", "shape": [2], "data": [0.25, 0.75]}
        tensors = [one for tensor in tensors for one in random.choice([[other, tensor], [tensor, other]])]
    if random.random() < 0.5:
        results: list[Any] = [{"output": [tensor]} for tensor in tensors]
    else:
        results = [{"output": tensors, "status_code": 200}]
    if random.random() < 0.05:
        results.insert(random.randint(0, len(results)), random.choice([{}, {"output": []}, None, 5, {"output": None}]))
    return {"inference_results": results, **({"took": 5} if random.random() < 0.1 else {})}


def _provider(random: Random, rows: list[list[Any]]) -> Any:
    """Return what a provider answers, as the server passes it on without a ``post_process_function``."""
    answer: Any = random.choice(
        [
            {"data": [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]},
            {"embeddings": rows},
            {"embedding": rows[0]},
            {"embeddings": {"float": rows}},
            {"response": rows},
            {"data": rows},
        ]
    )
    return {"inference_results": [{"output": [{"name": "response", "dataAsMap": answer}], "status_code": 200}]}


def sparse(random: Random) -> Made:
    """Return the answer of a sparse encoder."""
    count = random.choice([1, 2, 5])
    maps = [{f"token{i}": _number(random) for i in range(random.randint(0, 9))} for _ in range(count)]
    if random.random() < 0.5:
        tensors = [{"name": "output", "dataAsMap": {"response": [one]}} for one in maps]
    else:
        tensors = [{"name": "response", "dataAsMap": {"response": maps}}]
    return Made(_prediction(random, tensors), count)


def scores(random: Random) -> Made:
    """Return the answer of a reranker."""
    count = random.choice([1, 2, 5])
    numbers = [_number(random) for _ in range(count)]
    if random.random() < 0.5:
        tensors: list[Any] = [{"name": "similarity", "data_type": "FLOAT32", "data": [one]} for one in numbers]
    else:
        order = random.sample(range(count), count) if random.random() < 0.9 else [0] * count
        name = random.choice(["relevance_score", "relevanceScore", "score"])
        tensors = [{"dataAsMap": {"results": [{"index": i, name: numbers[i]} for i in order]}}]
    return Made(_prediction(random, tensors), count)


def texts(random: Random) -> Made:
    """Return the answer of a question-answering model, or of a highlighter."""
    spans = [{"start": _offset(random), "end": _offset(random), "text": "soft", "position": 0.0} for _ in range(2)]
    tensors: list[Any] = random.choice(
        [
            [{"name": "answer", "result": "a soft answer"}],
            [{"name": "response", "dataAsMap": {"answer": random.choice(["a", 5, None])}}],
            [{"name": "highlights", "dataAsMap": {"highlights": spans}}],
            [{"name": "highlights", "dataAsMap": {"highlights": [{"start": 0.0, "end": 4.0}]}}],
        ]
    )
    return Made(_prediction(random, tensors), 1)


def _number(random: Random) -> Any:
    return (
        random.uniform(0, 10) if random.random() < 0.9 else random.choice([0, 1, Decimal("0.3535533905932737"), *ODD])
    )


def _offset(random: Random) -> Any:
    return random.choice([0, 1.0, 3, 4.0, 7, 50, -1, 1e300, None, "1", 2.5])


def response(random: Random, made: Made) -> HttpResponse:
    """Return an answer in CBOR or JSON, damaged every third time."""
    if random.random() < 0.65:
        body, kind = encoded(made.data, random, Style.any(random)), CBOR
    else:
        body, kind = json.dumps(made.data, default=_as_json).encode(), JSON
    if random.random() < 0.33:
        body = damaged(random, body)
    return HttpResponse(200, body, {"content-type": kind})


def _as_json(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else float(value)


def damaged(random: Random, body: bytes) -> bytes:
    """Return bytes with a fault or some: cut off, changed, with more or less of it, with another length."""
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        at = random.randrange(len(body) + 1)
        to = min(len(body), at + random.choice([1, 2, 9, 40]))
        match random.randrange(7):
            case 0:
                body = body[:at]
            case 1:
                body = body[:at] + bytes([random.randrange(256)]) + body[at + 1 :]
            case 2:
                body = body[:at] + body[to:]
            case 3:
                body = body[:to] + body[at:]
            case 4:
                body += body[at:to]
            case 5:  # a head that claims much, or nests
                heads = [b"\x5b", b"\x7b", b"\x9b", b"\xbb", b"\xdb"]
                claim = random.choice([2**63, 2**40, 2**31, 70_000, len(body)]).to_bytes(8, "big")
                body = body[:at] + random.choice(heads) + claim + body[at:]
            case _:
                nest = random.choice(
                    [b"\x81", b"\x9f", b"\xa1\x61a", b"[", b'{"a":', b"\xc1", b"\xd8\x1c\x81", b"\xd8\x1d\x00"]
                )
                body = body[:at] + nest * random.choice([1, 3, 500, 3000]) + body[at:]
    return body
