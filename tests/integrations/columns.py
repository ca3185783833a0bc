"""Ray and Spark embed the same documents as ``embed_many``, and name those that fail in a column.

    python -m tests.integrations.columns [--rows 100000] [--on ray spark] [--page]

Some rows have no text, and on some texts the model fails. Ray Data adds vectors and reasons to the rows in two actors,
and a datasink writes them into an index, which is read back. Spark adds the same to a data frame, in two tasks at once,
and writes Parquet. Each vector is compared with that of ``embed_many``, bit by bit, and each reason with the one that
its row is expected to have. Models and index are those of an emulator in this process. With ``--page`` the blocks of
docs/how-to/ray-and-spark.md for Spark are run too.
"""

from __future__ import annotations

import argparse
import base64
import logging
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from aiomlcommons import Session, Timeout
from aiomlcommons.ingest import IndexSource
from aiomlcommons.integrations.ray import Embed, OpenSearchDatasink
from aiomlcommons.integrations.spark import embed_in_arrow
from benchmarks.bulk import document
from tests.pages.blocks import DOCS, blocks_of
from tests.pages.runner import SHOWN_URL
from tests.support.emulator_with_models import EmulatorWithModels, emulator_with_models

Vectors = dict[str, npt.NDArray[np.float32]]
POISON = "poison"
NO_TEXT, FAILS = "its text must be a string, not NoneType", "ServerError: the text cannot be translated"
BLOCKS = 4
# One thread of this process answers all workers, and has to share two cores with them.
PATIENT = {"timeout": Timeout(read=900)}


@attrs.frozen
class Case:
    """Rows with what is to become of them: by their ids, the reasons of those that fail, and the others' vectors."""

    rows: Any
    reasons: Mapping[str, str]
    vectors: Vectors

    @classmethod
    def of(cls, world: EmulatorWithModels, count: int) -> Case:
        """Make rows, of which each 97th has no text, and on each 101st the model fails."""
        world.poison(POISON)
        rows = [document(number) for number in range(count)]
        reasons: dict[str, str] = {}
        for number, row in enumerate(rows):
            if number % 97 == 7:
                row["text"], reasons[row["id"]] = None, NO_TEXT
            elif number % 101 == 9:
                row["text"], reasons[row["id"]] = f"{row['text']} {POISON}", FAILS
        good = [row for row in rows if row["id"] not in reasons]
        vectors = world.vectors([row["text"] for row in good])
        by_id = {row["id"]: vector for row, vector in zip(good, vectors, strict=True)}
        return cls(pa.Table.from_pylist(rows), reasons, by_id)

    def judge(self, reasons: Mapping[str, str], vectors: Vectors) -> str:
        """Return what was found, in words. Raises AssertionError for whatever is not as expected."""
        plain = {key: why.partition(" (")[0] for key, why in reasons.items()}  # without a server's details
        assert plain == self.reasons, "rows have other reasons"
        assert vectors.keys() == self.vectors.keys(), "other rows have vectors"
        same = sum(np.array_equal(vectors[key].view("u4"), vector.view("u4")) for key, vector in self.vectors.items())
        assert same == len(self.vectors), f"{len(self.vectors) - same} vectors differ"
        return f"{same:,} vectors, all the same bit by bit; {len(plain):,} dead letters in the column, all as expected"


def page(world: EmulatorWithModels, lacks: str) -> dict[str, Any]:
    """Run the blocks of the page that need Ray or Java, with the file that they read; return their names.

    Four verses are in the file, of which the one with the id ``v2`` has no text.
    """
    names: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        texts = ["a soft answer", "a harsh word", None, "a merry heart"]
        pq.write_table(pa.table({"id": ["v0", "v1", "v2", "v3"], "text": texts}), f"{folder}/verses.parquet")
        for block in blocks_of(DOCS / "how-to" / "ray-and-spark.md"):
            if block.lacks == lacks:
                code = block.code.replace(SHOWN_URL, world.url)
                # Both engines take a path from the folder in which they were started.
                code = re.sub(r'"(verses\.parquet|embedded)"', rf'"{folder}/\1"', code)
                exec(compile(code, block.where, "exec"), names)  # noqa: S102
    return names


# ---- Ray -----------------------------------------------------------------------------------------------------------


def on_ray(world: EmulatorWithModels, case: Case, batch_format: str = "pyarrow") -> str:
    """Embed on a Ray that runs, write with the datasink, and judge what the index holds. Returns words."""
    import ray

    embedded = ray.data.from_arrow(case.rows).repartition(BLOCKS).map_batches(
        Embed,
        fn_constructor_kwargs={"model": world.dense, "url": world.url, "on_error": "column", "session": PATIENT},
        batch_format=batch_format,
        batch_size=2048,
        compute=ray.data.ActorPoolStrategy(size=2),
    )  # fmt: skip
    embedded = embedded.materialize()
    failed = embedded.select_columns(["id", "error"]).filter(lambda row: row["error"] is not None).take_all()
    less: dict[str, Any] = {"concurrency": 1, "bulk_bytes": 1_000_000}
    sink = OpenSearchDatasink("docs", world.url, on_error="report", session=PATIENT, create=True, **less)
    embedded.write_datasink(sink, concurrency=2)
    reasons = {row["id"]: row["error"] for row in failed}
    assert {one.id: one.why for one in sink.refused} == reasons, "the datasink tells other reasons"
    assert sink.written == len(case.vectors), f"the datasink says that it wrote {sink.written}"
    return case.judge(reasons, world.ask(_read)) + "; written by the datasink, and read back from the index"


async def _read(ml: Session) -> Vectors:
    rows: list[Any] = [row async for some in IndexSource(ml, "docs").read() for row in some.rows]
    assert all(row.keys() == {"_id", "id", "text", "embedding"} for row in rows), "the documents have other fields"
    return {row["id"]: _vector(row["embedding"]) for row in rows}


def _vector(stored: Any) -> npt.NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(stored), "<f4") if isinstance(stored, str) else np.array(stored, "f4")


def _with_ray(world: EmulatorWithModels, case: Case) -> str:
    import ray

    # Logical CPUs for two actors, and for reading and writing.
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        return on_ray(world, case)
    finally:
        ray.shutdown()


# ---- Spark ---------------------------------------------------------------------------------------------------------


def spark_here() -> Any:
    """Return a Spark in this process and on this machine, whose workers are of this Python."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder: Any = SparkSession.builder
    spark = (
        builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
    ).getOrCreate()  # fmt: skip
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def on_spark(world: EmulatorWithModels, case: Case) -> str:
    """Embed on Spark, write Parquet, and judge what it holds. Returns words."""
    embed = embed_in_arrow(world.dense, world.url, on_error="column", session=PATIENT)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.parquet"), Path(folder, "target")
        pq.write_table(case.rows, source)
        frame = spark_here().read.parquet(str(source)).repartition(BLOCKS)
        frame.mapInArrow(embed, embed.schema(frame.schema)).write.parquet(str(target))
        found = pq.read_table(target)
    ids, why = found["id"].to_pylist(), found["error"].to_pylist()
    reasons = {key: one for key, one in zip(ids, why, strict=True) if one is not None}
    good = found.filter(found["embedding"].is_valid())
    flat = good["embedding"].combine_chunks().flatten().to_numpy()
    vectors = dict(zip(good["id"].to_pylist(), flat.reshape(good.num_rows, -1), strict=True))
    return case.judge(reasons, vectors)


def spark_page(world: EmulatorWithModels) -> str:
    """Run the blocks of the page, and judge what they found. Returns words."""
    failed = [row.asDict() for row in page(world, "java")["failed"]]
    assert failed == [{"id": "v2", "error": NO_TEXT}], failed
    return "the page: as expected"


ENGINES: dict[str, Callable[[EmulatorWithModels, Case], str]] = {"ray": _with_ray, "spark": on_spark}


def outcomes(rows: int, engines: list[str], *, page: bool) -> Iterator[str]:
    """Yield a line for each engine, and for the page."""
    with emulator_with_models() as world:
        case = Case.of(world, rows)
        for name in engines:
            started = time.perf_counter()
            said = ENGINES[name](world, case)
            yield f"{name}: {rows:,} rows in {time.perf_counter() - started:.1f} s with its start: {said}"
        if page:
            yield spark_page(world)


def main() -> None:
    """Parse the options, and print what each engine did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--on", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # both engines warn of themselves
    for line in outcomes(given.rows, given.on, page=given.page):
        print(line, flush=True)


if __name__ == "__main__":
    main()
