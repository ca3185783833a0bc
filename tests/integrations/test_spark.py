"""embed_in_arrow: on record batches, and on a real Spark on this machine, in a process of its own."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.integrations.errors import RowsFailed
from aiomlcommons.integrations.spark import embed_in_arrow
from tests.support.emulator_with_models import EmulatorWithModels
from tests.support.opensearch.fixture import LIMIT
from tests.support.paths import ROOT

TEXTS: list[Any] = ["a soft answer", None, "a stone", "turns wrath away"]
NO_TEXT = "its text must be a string, not NoneType"
IN_CI = os.environ.get("CI") == "true"


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    gc.collect()
    assert [one for one in threading.enumerate() if one.name == "aiomlcommons"] == []


def batches(texts: Any = TEXTS, size: int = 2) -> Iterator[Any]:
    rows = pa.table({"id": list(range(len(texts))), "text": pa.array(texts, pa.string())})
    return iter(rows.to_batches(max_chunksize=size))


def test_each_batch_gets_lists_and_reasons(world: EmulatorWithModels) -> None:
    got = pa.Table.from_batches(embed_in_arrow(world.dense, world.url, on_error="column", batch=1)(batches()))
    assert got.column_names == ["id", "text", "embedding", "error"]
    assert got.schema.field("embedding").type == pa.list_(pa.float32())
    assert got["error"].to_pylist() == [None, NO_TEXT, None, None]
    vectors = got["embedding"].to_pylist()
    assert vectors.pop(1) is None
    np.testing.assert_array_equal(np.array(vectors, "f4"), world.vectors([TEXTS[0], *TEXTS[2:]]))


def test_a_sparse_model_gives_maps(world: EmulatorWithModels) -> None:
    embed = embed_in_arrow(world.sparse, world.url, sparse=True, text="text", output="weights", on_error="column")
    got = pa.Table.from_batches(embed(batches()))
    assert got.schema.field("weights").type == pa.map_(pa.string(), pa.float32())
    assert got["weights"].to_pylist()[1] is None
    assert dict(got["weights"].to_pylist()[2]) == pytest.approx(world.weights(["a stone"])[0])


@pytest.mark.parametrize("sparse", [False, True])
def test_a_model_of_the_other_kind_is_an_error_with_the_remedy(world: EmulatorWithModels, sparse: bool) -> None:
    embed = embed_in_arrow(world.dense if sparse else world.sparse, world.url, sparse=sparse)
    with pytest.raises(InvalidRequest, match=f"set sparse={not sparse}"):
        next(embed(batches(["a"])))


def test_a_task_has_one_session_that_ends_with_it(world: EmulatorWithModels) -> None:
    embed = pickle.loads(pickle.dumps(embed_in_arrow(world.dense, world.url)))  # noqa: S301 - our own
    task = embed(batches(["a", "b", "c", "d"]))
    next(task)
    assert [one.name for one in threading.enumerate()].count("aiomlcommons") == 1
    next(task)
    assert [one.name for one in threading.enumerate()].count("aiomlcommons") == 1
    task.close()  # as when a limit is reached
    assert [one.name for one in threading.enumerate()].count("aiomlcommons") == 0


def test_batches_without_rows_are_left_out(world: EmulatorWithModels) -> None:
    empty = pa.RecordBatch.from_pydict({"id": pa.array([], pa.int64()), "text": pa.array([], pa.string())})
    assert list(embed_in_arrow("m", "http://127.0.0.1:9")(iter([empty]))) == []


def test_rows_that_fail_are_named_without_the_column() -> None:
    with pytest.raises(RowsFailed, match=r"row 1 \(id '1'\) of the batch failed: its text must be a string"):
        next(embed_in_arrow("m", "http://127.0.0.1:9", id="id")(batches()))


def test_wrong_options_are_refused_at_once_and_secrets_are_not_shown() -> None:
    with pytest.raises(InvalidRequest, match="on_error must be"):
        embed_in_arrow("m", on_error="null")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="nope"):
        embed_in_arrow("m", nope=1)  # type: ignore[call-arg]
    embed = embed_in_arrow("m", "http://localhost", session={"auth": ("me", "s3cret")})
    assert repr(embed) == "EmbedInArrow(EmbedColumn('m', 'http://localhost', text='text', output='embedding'))"


def test_the_schema_has_the_new_columns_at_its_end_or_in_their_place() -> None:
    types = pyspark_types()
    text, old = types.StructField("text", types.StringType()), types.StructField("embedding", types.LongType())
    found = embed_in_arrow("m", on_error="column").schema(types.StructType([text])).simpleString()
    assert found == "struct<text:string,embedding:array<float>,error:string>"
    found = embed_in_arrow("m", sparse=True).schema(types.StructType([old, text])).simpleString()
    assert found == "struct<embedding:map<string,float>,text:string>"


def test_without_pyspark_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql.types", None)
    with pytest.raises(ImportError, match=r'needs PySpark .*: pip install "aiomlcommons\[spark\]"'):
        embed_in_arrow("m").schema(None)  # type: ignore[arg-type]


@pytest.mark.timeout(LIMIT)
def test_a_real_spark_gives_the_vectors_of_embed_many() -> None:
    pyspark_types()
    if not IN_CI and shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("there is no Java, which Spark needs")
    command = [sys.executable, "-m", "tests.integrations.columns", "--rows", "200", "--on", "spark", "--page"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert "196 vectors, all the same bit by bit; 4 dead letters in the column, all as expected" in done.stdout
    assert "the page: as expected" in done.stdout


def pyspark_types() -> Any:
    if IN_CI:
        import pyspark.sql.types

        return pyspark.sql.types
    why = "PySpark is not installed: pip install 'aiomlcommons[spark]'"
    return pytest.importorskip("pyspark.sql.types", reason=why)
