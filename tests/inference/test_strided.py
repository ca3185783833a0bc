"""Embeddings that are read in place: the same as those of the careful decoder, which judges the layout only."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from aiomlcommons import DecodeError, HttpResponse
from aiomlcommons.inference import _strided, vectors
from aiomlcommons.inference._strided import strided
from aiomlcommons.inference._whole import with_whole
from aiomlcommons.inference.vectors import embeddings
from tests.fuzzing.cbor import Style, encoded

CBOR = {"content-type": "application/cbor"}
RANDOM = np.random.default_rng(16)


def body_of(rows: Any, form: str, style: Style, **more: Any) -> bytes:
    """Return an answer: ``form`` is the type of the bytes, or ``numbers``."""
    tensors = []
    for row in rows:
        tensor: dict[str, Any] = {"name": "sentence_embedding", "data_type": "FLOAT32", "shape": [len(row)], **more}
        if form == "numbers":
            tensor["data"] = [float(number) for number in row]
        else:
            order = "BIG_ENDIAN" if form.startswith(">") else "LITTLE_ENDIAN"
            tensor["byte_buffer"] = {"array": np.asarray(row).astype(form).tobytes(), "order": order}
        tensors.append(tensor)
    data = {"inference_results": [{"output": tensors, "status_code": 200}]}
    return encoded(data, Random(0), style)  # noqa: S311


def body_of_numbers(rows: Any, style: Style) -> bytes:
    tensors = [{"name": "sentence_embedding", "data_type": "FLOAT64", "data": row} for row in rows]
    return encoded({"inference_results": [{"output": tensors}]}, Random(0), style)  # noqa: S311


def careful(body: bytes, count: int) -> Any:
    return vectors._of_cbor(body, count)


STYLES = {
    "open": Style(open=1, floats=8),
    "of known length": Style(open=0, floats=8),
    "floats": Style(open=1, floats=4),
    "floats of known length": Style(open=0, floats=4),
}


@pytest.mark.parametrize("form", ["<f4", ">f4", "numbers"])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("count", "size"), [(1, 1), (1, 384), (2, 3), (3, 24), (64, 768), (2, 5000)])
def test_embeddings_are_read_in_place_whatever_the_layout(form: str, style: str, count: int, size: int) -> None:
    rows = RANDOM.standard_normal((count, size)).astype("f4")
    body = body_of(rows, form, STYLES[style])
    found = strided(body, count, careful)
    assert found is not None
    assert found.dtype == np.float32
    assert found.shape == (count, size)
    assert found.tobytes() == rows.tobytes() == careful(body, count).tobytes()
    assert (found.flags.writeable, found.flags.owndata, found.flags.c_contiguous) == (True, True, True)


@pytest.mark.parametrize(("kind", "form"), [("INT8", "i1"), ("UINT8", "u1"), ("FLOAT16", ">f2"), ("FLOAT64", "<f8")])
def test_bytes_of_other_types_are_read_in_place_too(kind: str, form: str) -> None:
    rows = RANDOM.integers(0, 100, (3, 40))
    found = strided(body_of(rows, form, STYLES["open"], data_type=kind), 3, careful)
    assert found is not None
    assert found.dtype == np.dtype(form).newbyteorder("=")
    np.testing.assert_array_equal(found, rows)


@pytest.mark.parametrize("form", ["<f4", "numbers"])
def test_a_layout_is_judged_once_and_never_by_the_embeddings_themselves(form: str) -> None:
    seen: list[bytes] = []

    def judge(body: bytes, count: int) -> Any:
        seen.append(body)
        return careful(body, count)

    rows = RANDOM.standard_normal((3, 2, 50)).astype("f4")
    bodies = [body_of(part, form, STYLES["open"]) for part in rows]
    for part, body in zip(rows, bodies, strict=True):
        np.testing.assert_array_equal(strided(body, 2, judge), part)
    assert len(seen) == 1
    assert seen[0] not in bodies


@pytest.mark.parametrize("form", ["<f4", "numbers"])
def test_a_byte_that_differs_around_one_embedding_is_noticed(form: str) -> None:
    rows = RANDOM.standard_normal((3, 50)).astype("f4")
    body = body_of(rows, form, STYLES["open"])
    third = body.rindex(b"sentence_embedding")
    other = body[:third] + b"paragraph" + body[third + 9 :]
    assert strided(body, 3, careful) is not None
    assert strided(other, 3, careful) is None
    with pytest.raises(DecodeError, match="3 texts were sent and 2 embeddings came back"):
        embeddings(HttpResponse(200, other, CBOR), 3)


@pytest.mark.parametrize("style", ["open", "of known length"])
@pytest.mark.parametrize("whole", [0, 1, -1, 23, 24, -24, -25, 255, 256, -70_000, 2**40, 2**53 - 1])
def test_a_few_whole_numbers_among_doubles_are_the_numbers_that_they_are(style: str, whole: int) -> None:
    rows = RANDOM.standard_normal((3, 40)).tolist()
    for row, position in ((0, 0), (0, 1), (1, 7), (2, 38), (2, 39)):
        rows[row][position] = whole
    body = body_of_numbers(rows, STYLES[style])
    assert strided(body, 3, careful) is None
    found = with_whole(body, 3, careful)
    assert found is not None
    assert found.tobytes() == np.array(rows).tobytes() == careful(body, 3).tobytes()


@pytest.mark.parametrize("whole", [2**53, 2**63, 2**64 - 1, -(2**64), 10**30])
def test_large_whole_numbers_are_left_to_the_careful_decoder(whole: int) -> None:
    rows: list[list[Any]] = [[0.5, whole, 1.25], [1.5, 0.25, 2.5]]
    body = body_of_numbers(rows, STYLES["open"])
    assert with_whole(body, 2, careful) is None
    assert embeddings(HttpResponse(200, body, CBOR), 2).tolist() == [list(map(float, row)) for row in rows]


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_whole_numbers_of_other_than_so_many_texts_are_left_to_the_careful_decoder(count: int) -> None:
    body = body_of_numbers([[0.5, 0], [1, 0.25], [0.5, 1.5]], STYLES["open"])
    assert with_whole(body, count, careful) is None


def test_many_whole_numbers_are_left_to_the_careful_decoder() -> None:
    rows = RANDOM.integers(-100, 100, (3, 40)).tolist()
    body = body_of_numbers(rows, STYLES["open"])
    assert with_whole(body, 3, careful) is None
    assert embeddings(HttpResponse(200, body, CBOR), 3).tolist() == rows


@pytest.mark.parametrize("floats", [4, 8])
def test_doubles_of_a_quantized_embedding_are_whole_numbers_of_its_type(floats: int) -> None:
    style = Style(open=1, floats=floats)
    rows = RANDOM.integers(-128, 128, (3, 40))
    found = strided(body_of(rows, "numbers", style, data_type="INT8"), 3, careful)
    assert found is not None
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, rows)
    for wrong in (0.5, 128.0, -129.0, float("nan"), float("inf")):
        odd = rows.astype("f8")
        odd[1, 7] = wrong
        body = body_of(odd, "numbers", style, data_type="INT8")
        words = rf"texts\[1\] has {wrong} in place of a whole number that fits into int8, at position 7"
        with pytest.raises(DecodeError, match=words):
            embeddings(HttpResponse(200, body, CBOR), 3)


def test_a_double_beyond_the_range_of_a_float_is_refused_and_named() -> None:
    body = body_of([[1.0, 2.0], [1.0, 1e300]], "numbers", STYLES["open"])
    with pytest.raises(DecodeError, match=r"texts\[1\] has inf in place of a number, at position 1"):
        embeddings(HttpResponse(200, body, CBOR), 2)


@pytest.mark.parametrize("form", ["<f4", "numbers"])
def test_much_around_the_embeddings_is_left_to_the_careful_decoder(form: str) -> None:
    rows = RANDOM.standard_normal((2, 30)).astype("f4")
    for more in ({"note": "x" * 5000}, {"name": "y" * 5000}):
        body = body_of(rows, form, STYLES["open"], **more)
        assert strided(body, 2, careful) is None
        np.testing.assert_array_equal(embeddings(HttpResponse(200, body, CBOR), 2), rows)


def test_layouts_that_are_known_take_little_memory() -> None:
    assert _strided.types_of.cache_info().maxsize == 256
