"""Data frames from columns, rows, pandas and Arrow, and back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import orjson
import pytest

from aiomlcommons import InvalidRequest, frames
from aiomlcommons.api.algorithms import Train
from aiomlcommons.api.predict import Cell, ColumnMeta, DataFrame, Predict, Prediction, Row
from aiomlcommons.endpoint import Request
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import to_http
from tests.wire.recordings import exchanges

NAN = float("nan")
RECORDED = {exchange.case: exchange for exchange in exchanges() if ".kmeans" in exchange.case}


def cells(*pairs: tuple[str, Any]) -> list[Cell]:
    return [Cell(kind, value) for kind, value in pairs]


def only(frame: DataFrame) -> tuple[str, list[Cell]]:
    """The type of the first column, and its cells."""
    return frame.column_metas[0].column_type, [row.values[0] for row in frame.rows]


COLUMNS: Mapping[str, tuple[Any, str, list[Any]]] = {
    "booleans": ([True, False], "BOOLEAN", [True, False]),
    "integers": ([-(2**31), 2**31 - 1], "INTEGER", [-(2**31), 2**31 - 1]),
    "an integer too many": ([1, 2**31], "LONG", [1, 2**31]),
    "an integer too few": ([1, -(2**31) - 1], "LONG", [1, -(2**31) - 1]),
    "the longest": ([2**63 - 1, -(2**63)], "LONG", [2**63 - 1, -(2**63)]),
    "floats": ([0.5, 1.0], "DOUBLE", [0.5, 1.0]),
    "whole numbers among floats": ([1, 2.5, 2**53], "DOUBLE", [1.0, 2.5, 2.0**53]),
    "text": (["a", "ü"], "STRING", ["a", "ü"]),
    "missing": ([1, None, 3], "INTEGER", [1, None, 3]),
    "nan": ([1.5, NAN], "DOUBLE", [1.5, None]),
    "missing text": ([None, "a"], "STRING", [None, "a"]),
    "missing boolean": ([None, True], "BOOLEAN", [None, True]),
    "a tuple": ((1, 2), "INTEGER", [1, 2]),
    "a generator": ((i for i in (1, 2)), "INTEGER", [1, 2]),
    "numpy scalars": ([np.float32(0.5), np.int64(2)], "DOUBLE", [0.5, 2.0]),
    "bool": (np.array([True, False]), "BOOLEAN", [True, False]),
    "int8": (np.array([1], "i1"), "SHORT", [1]),
    "uint8": (np.array([255], "u1"), "SHORT", [255]),
    "int16": (np.array([1], "i2"), "SHORT", [1]),
    "uint16": (np.array([2**16 - 1], "u2"), "INTEGER", [2**16 - 1]),
    "int32": (np.array([1], "i4"), "INTEGER", [1]),
    "uint32": (np.array([2**32 - 1], "u4"), "LONG", [2**32 - 1]),
    "int64": (np.array([1], "i8"), "LONG", [1]),
    "uint64": (np.array([1], "u8"), "LONG", [1]),
    "float16": (np.array([0.5], "f2"), "FLOAT", [0.5]),
    "float32": (np.array([0.5, NAN], "f4"), "FLOAT", [0.5, None]),
    "float64": (np.array([0.5], "f8"), "DOUBLE", [0.5]),
    "float64 of nothing": (np.array([NAN, NAN]), "DOUBLE", [None, None]),
    "big-endian": (np.array([1], ">i2"), "SHORT", [1]),
    "str": (np.array(["a", "bc"]), "STRING", ["a", "bc"]),
    "object": (np.array(["a", None], object), "STRING", ["a", None]),
}


@pytest.mark.parametrize(("values", "kind", "expected"), COLUMNS.values(), ids=COLUMNS)
def test_a_column_gets_the_type_that_its_values_have(values: Any, kind: str, expected: list[Any]) -> None:
    found, column = only(frames.from_columns({"a": values}))
    assert found == kind
    assert column == [Cell("NULL") if value is None else Cell(kind, value) for value in expected]
    assert [type(cell.value) for cell in column] == [type(value) for value in expected]


def test_a_missing_value_is_sent_without_a_value_and_the_type_stands_first() -> None:
    frame = frames.from_columns({"a": [None, 1.5]})
    assert orjson.dumps(convert.unstructure(frame)) == (
        b'{"column_metas":[{"name":"a","column_type":"DOUBLE"}],'
        b'"rows":[{"values":[{"column_type":"NULL"}]},{"values":[{"column_type":"DOUBLE","value":1.5}]}]}'
    )


def test_rows_and_columns_make_the_same_frame() -> None:
    frame = frames.from_columns({"name": ["x", "y", None], "size": [1, None, 3]})
    assert frame == frames.from_rows([{"name": "x", "size": 1}, {"name": "y"}, {"size": 3}])
    assert frame == DataFrame(
        [ColumnMeta("name", "STRING"), ColumnMeta("size", "INTEGER")],
        [
            Row(cells(("STRING", "x"), ("INTEGER", 1))),
            Row(cells(("STRING", "y"), ("NULL", None))),
            Row(cells(("NULL", None), ("INTEGER", 3))),
        ],
    )


NOT_ROWS: Any = [{"a": 1}, 7]
NOT_NAMED: Any = {0: [1]}
REFUSED: Mapping[str, Callable[[], DataFrame]] = {
    "a data frame must have a column and a row": lambda: frames.from_columns({}),
    "a data frame must have a column and a row ": lambda: frames.from_columns({"a": []}),
    "a data frame must have a column and a row  ": lambda: frames.from_rows([]),
    "a data frame must have a column and a row   ": lambda: frames.from_rows([{}]),
    "column 'b' has 1 rows, but column 'a' has 2": lambda: frames.from_columns({"a": [1, 2], "b": [1]}),
    "column 'b' has 0 rows, but column 'a' has 2": lambda: frames.from_columns({"a": [1, 2], "b": []}),
    "column 'a' has only missing values, so its type cannot be inferred": lambda: frames.from_columns(
        {"a": [None, NAN]}
    ),
    "column 'a' mixes types: row 0 is a number and row 2 is text": lambda: frames.from_columns({"a": [1, None, "x"]}),
    "column 'a' mixes types: row 1 is a boolean and row 2 is a number": lambda: frames.from_rows(
        [{"b": 1}, {"a": True, "b": 2}, {"a": 1, "b": 3}]
    ),
    "column 'a', row 1: a data frame cannot hold values of type date": lambda: frames.from_columns(
        {"a": [None, date(2026, 1, 1)]}
    ),
    "column 'a', row 0: a data frame cannot hold values of type list": lambda: frames.from_columns({"a": [[1], [2]]}),
    "column 'a', row 0: a data frame cannot hold values of type bytes": lambda: frames.from_columns(
        {"a": np.array([b"x"])}
    ),
    "column 'a', row 0: a data frame cannot hold values of type complex": lambda: frames.from_columns(
        {"a": np.array([1j])}
    ),
    "column 'a', row 1: JSON cannot represent inf": lambda: frames.from_columns({"a": [1.0, float("inf")]}),
    "column 'a', row 0: a LONG cannot hold 9223372036854775808": lambda: frames.from_columns({"a": [2**63]}),
    "column 'a', row 1: a LONG cannot hold 18446744073709551615": lambda: frames.from_columns(
        {"a": np.array([1, 2**64 - 1], "u8")}
    ),
    "column 'a', row 1: a DOUBLE cannot hold 9007199254740993 exactly": lambda: frames.from_columns(
        {"a": [0.5, 2**53 + 1]}
    ),
    "column 'a' must have one dimension, not the shape \\(2, 1\\)": lambda: frames.from_columns(
        {"a": np.array([[1], [2]])}
    ),
    "column 'a' must be a sequence or an array, not str": lambda: frames.from_columns({"a": "text"}),
    "column 'a' must be a sequence or an array, not dict": lambda: frames.from_columns({"a": {0: 1}}),
    "column 'a' must be a sequence or an array, not set": lambda: frames.from_columns({"a": {1, 2}}),
    "row 1 must be a mapping of names to values, not int": lambda: frames.from_rows(NOT_ROWS),
    "column names must be text, not 0": lambda: frames.from_columns(NOT_NAMED),
}


@pytest.mark.parametrize(("words", "build"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_sent_is_refused_by_column_and_row(words: str, build: Callable[[], DataFrame]) -> None:
    with pytest.raises(InvalidRequest, match=f"^{words.strip()}"):
        build()


MIXED: Mapping[str, list[Any]] = {
    "b": [True, None],
    "i": [1, None],
    "l": [2**40, 1],
    "d": [0.5, None],
    "s": ["x", None],
}


def test_columns_come_back_as_they_went_in() -> None:
    assert frames.to_columns(frames.from_columns(MIXED)) == MIXED


@pytest.mark.parametrize("dtype", ["bool", "int16", "int32", "int64", "float32", "float64"])
def test_an_array_comes_back_as_it_went_in(dtype: str) -> None:
    given = np.array([0, 1, 1], dtype)
    back = frames.to_arrays(frames.from_columns({"a": given}))["a"]
    assert back.dtype == given.dtype
    np.testing.assert_array_equal(back, given)


def test_missing_values_come_back_as_nan_among_numbers_and_as_none_among_others() -> None:
    back = frames.to_arrays(frames.from_columns({**MIXED, "f": np.array([0.5, NAN], "f4")}))
    dtypes = ["object", "float64", "int64", "float64", "object", "float32"]
    assert [str(array.dtype) for array in back.values()] == dtypes
    assert back["b"].tolist() == [True, None]
    assert back["s"].tolist() == ["x", None]
    np.testing.assert_array_equal(back["i"], [1.0, NAN])
    np.testing.assert_array_equal(back["f"], [0.5, NAN])


# ---- what a real server was sent, and what it said -----------------------------------------------------------------


TWO = {"a": [0.0, 1.0], "b": [0.0, 1.0]}
SEVENS_AND_FIVES = {"a": [float(i % 7) for i in range(20)], "b": [float(i % 5) for i in range(20)]}
SENT: Mapping[str, tuple[Callable[..., Request[Any]], Mapping[str, list[float]]]] = {
    "train.kmeans": (Train, SEVENS_AND_FIVES),
    "train.kmeans_async": (partial(Train, async_=True), SEVENS_AND_FIVES),
    "predict.kmeans": (partial(Predict, model_id="m"), TWO),
}


@pytest.mark.parametrize(("case", "request_class", "columns"), [(case, *row) for case, row in SENT.items()])
def test_columns_make_the_very_frame_that_a_real_server_was_sent(
    case: str, request_class: Callable[..., Request[Any]], columns: Mapping[str, list[float]]
) -> None:
    recorded = orjson.loads(RECORDED[case].request.body or b"")
    for given in (columns, {name: np.array(values) for name, values in columns.items()}):
        frame = frames.from_columns(given)
        body = to_http(request_class("kmeans", parameters=recorded["parameters"], input_data=frame)).body or b""
        assert orjson.loads(body) == recorded
        # As bytes too: the order of the keys is a part of it.
        assert orjson.dumps(recorded["input_data"]) in body


def test_a_real_prediction_is_read_into_columns() -> None:
    prediction = convert.structure(RECORDED["predict.kmeans"].response.json(), Prediction)
    assert prediction.prediction_result is not None
    assert frames.to_columns(prediction.prediction_result) == {"ClusterID": [0, 2]}
    array = frames.to_arrays(prediction.prediction_result)["ClusterID"]
    assert (array.tolist(), str(array.dtype)) == ([0, 2], "int32")


# ---- pandas and Arrow ----------------------------------------------------------------------------------------------


def table(frame: DataFrame) -> dict[str, tuple[str, list[Any]]]:
    """Each column's type and values."""
    kinds = {meta.name: meta.column_type for meta in frame.column_metas}
    return {name: (kinds[name], values) for name, values in frames.to_columns(frame).items()}


def test_a_pandas_frame_keeps_its_types_and_its_missing_values() -> None:
    pandas = pytest.importorskip("pandas")
    columns: Mapping[str, tuple[Any, str, list[Any]]] = {
        "short": (np.array([1, 2], "i2"), "SHORT", [1, 2]),
        "long": ([1, 2], "LONG", [1, 2]),
        "float": (np.array([0.5, NAN], "f4"), "FLOAT", [0.5, None]),
        "double": ([0.5, None], "DOUBLE", [0.5, None]),
        "text": (["a", None], "STRING", ["a", None]),
        "boolean": ([True, False], "BOOLEAN", [True, False]),
        "integers": (pandas.array([1, None], dtype="Int16"), "SHORT", [1, None]),
        "booleans": (pandas.array([True, None], dtype="boolean"), "BOOLEAN", [True, None]),
        "strings": (pandas.array([None, None], dtype="string"), "STRING", [None, None]),
        "category": (pandas.Categorical(["x", "y"]), "STRING", ["x", "y"]),
    }
    given = pandas.DataFrame({name: row[0] for name, row in columns.items()}, index=["first", "second"])
    assert table(frames.from_pandas(given)) == {name: row[1:] for name, row in columns.items()}


def test_a_pandas_frame_that_cannot_be_sent_is_refused_by_its_column() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InvalidRequest, match="column names must be text, not 0"):
        frames.from_pandas(pandas.DataFrame([[1, 2]]))
    with pytest.raises(InvalidRequest, match="column 'a' occurs 2 times"):
        frames.from_pandas(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(InvalidRequest, match="column 'when', row 0: a data frame cannot hold values of type Timestamp"):
        frames.from_pandas(pandas.DataFrame({"when": pandas.to_datetime(["2020-01-01"])}))
    with pytest.raises(InvalidRequest, match="must have a column and a row"):
        frames.from_pandas(pandas.DataFrame({"a": []}))


def test_an_arrow_table_keeps_its_types_and_its_missing_values() -> None:
    arrow = pytest.importorskip("pyarrow")
    columns: Mapping[str, tuple[Any, str, list[Any]]] = {
        "short": (arrow.array([1, None], arrow.int16()), "SHORT", [1, None]),
        "long": ([1, 2], "LONG", [1, 2]),
        "float": (arrow.array([0.5, NAN], arrow.float32()), "FLOAT", [0.5, None]),
        "double": ([0.5, None], "DOUBLE", [0.5, None]),
        "text": (arrow.array([None, None], arrow.string()), "STRING", [None, None]),
        "boolean": ([True, None], "BOOLEAN", [True, None]),
        "dictionary": (arrow.array(["x", "y"]).dictionary_encode(), "STRING", ["x", "y"]),
    }
    whole = arrow.table({name: row[0] for name, row in columns.items()})
    for given in (whole, whole.to_batches()[0]):
        assert table(frames.from_arrow(given)) == {name: row[1:] for name, row in columns.items()}


def test_an_arrow_table_that_cannot_be_sent_is_refused_by_its_column() -> None:
    arrow = pytest.importorskip("pyarrow")
    with pytest.raises(InvalidRequest, match="column 'a', row 0: a data frame cannot hold values of type list"):
        frames.from_arrow(arrow.table({"a": [[1]]}))
    with pytest.raises(InvalidRequest, match="column 'a' occurs 2 times"):
        frames.from_arrow(arrow.table([arrow.array([1]), arrow.array([2])], names=["a", "a"]))


def test_neither_pandas_nor_arrow_is_imported() -> None:
    code = (
        "import sys; from aiomlcommons import frames; frames.from_columns({'a': [1]});"
        "sys.exit('pandas' in sys.modules or 'pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
