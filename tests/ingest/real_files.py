"""Real files that packages of PyPI and Debian ship, end to end: every row is written, or in the accounts.

    python -m tests.ingest.real_files [FOLDER]

Downloads the packages into FOLDER (default: a temporary one), embeds one file of each into Parquet and into an index,
and compares what was written with what pandas reads. On the embedded emulator, or on the cluster of OPENSEARCH_URL,
with a tiny model of the tests.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from aiomlcommons import Session, emulator
from aiomlcommons.ingest import Report
from aiomlcommons.ingest.sinks import IndexSink
from aiomlcommons.ingest.sources import CsvSource, open_source
from tests.support.contract.kinds import deployed
from tests.support.paths import MODELS

# They have no type hints here.
pandas, parquet = import_module("pandas"), import_module("pyarrow.parquet")
Frame: TypeAlias = Any
# The engine without native libraries, which any k-NN has.
LUCENE = {"mappings": {"properties": {"embedding": {"method": {"name": "hnsw", "engine": "lucene"}}}}}
UNICODE = "code,name,category,combining,bidi,decomposition,decimal,digit,numeric,mirrored,old,comment,upper,lower,title"
MODEL = MODELS / "tiny-dense.zip"
AS_TEXT: dict[str, Any] = {"dtype": str, "keep_default_na": False}


@attrs.frozen
class DataSet:
    """A file of a package: how it is opened as a source, how pandas reads it, and which fields are text and id."""

    package: str
    file: str
    text: str
    id: str | None
    expected: Callable[[Path], Frame]
    source: Callable[[Path], Any] = open_source
    is_debian: bool = False


def read_csv(path: Path) -> Frame:
    return pandas.read_csv(path, **AS_TEXT)


DATA_SETS = (
    DataSet("airportsdata", "airportsdata/airports.csv", "{name}, {city}, {country}", "icao", read_csv),
    DataSet("bokeh_sampledata", "bokeh_sampledata/_data/world_cities.csv.gz", "name", None, read_csv),
    DataSet("hadith", "hadith/data/Sahih_Bukhari.csv.gz", "Sahih Bukhari", None, read_csv),
    DataSet("plotly", "plotly/package_data/datasets/gapminder.csv.gz", "{country} in {year}", None, read_csv),
    DataSet("vega_datasets", "vega_datasets/_data/cars.json", "{Name} of {Origin}", None, pandas.read_json),
    DataSet(
        "vaderSentiment",
        "vaderSentiment/vader_lexicon.txt",
        "token",
        "token",
        lambda path: pandas.read_csv(
            path, sep="\t", names=["token", "mean", "deviation", "votes"], quoting=3, **AS_TEXT
        ),
        lambda path: CsvSource(path, delimiter="\t", quoting="none", header=["token", "mean", "deviation", "votes"]),
    ),
    DataSet(
        "unicode-data",
        "usr/share/unicode/UnicodeData.txt",
        "name",
        "code",
        lambda path: pandas.read_csv(path, sep=";", names=UNICODE.split(","), quoting=3, **AS_TEXT),
        lambda path: CsvSource(path, delimiter=";", quoting="none", header=UNICODE.split(",")),
        is_debian=True,
    ),
)


def fetched(one: DataSet, folder: Path) -> Path:
    """Download and unpack a package; return the path of the file. Raises CalledProcessError."""
    unpacked = folder / one.package
    if not unpacked.exists():
        _download(one, folder / f"{one.package}.download")
        _unpack(next((folder / f"{one.package}.download").iterdir()), unpacked)
    return unpacked / one.file


def _download(one: DataSet, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", one.package]
    subprocess.run(["apt-get", "download", "-q", one.package] if one.is_debian else pip, cwd=folder, check=True)  # noqa: S603


def _unpack(archive: Path, folder: Path) -> None:
    command = ["dpkg", "-x"] if archive.suffix == ".deb" else [sys.executable, "-m", "zipfile", "-e"]
    subprocess.run([*command, str(archive), str(folder)], check=True)  # noqa: S603


async def embedded(ml: Session, one: DataSet, path: Path, out: Path, model: str) -> tuple[Report, Report]:
    """Embed a file into Parquet and into an index; return both reports, checked against what pandas reads."""
    how: dict[str, Any] = {"model": model, "text": one.text, "id": one.id}
    async with ml.ingest(one.source(path), sink=out / f"{one.package}.parquet", **how) as job:
        into_file = await job
    index = f"real-files-{uuid.uuid4().hex[:12]}"
    try:
        async with ml.ingest(one.source(path), sink=IndexSink(ml, index, create=LUCENE), **how) as job:
            into_index = await job
        await ml.request("POST", f"/{index}/_refresh")
        count = (await ml.request("GET", f"/{index}/_count")).json()["count"]
    finally:
        await ml.request("DELETE", f"/{index}")
    assert count == into_index.written, (one.package, count, into_index)
    await asyncio.to_thread(_compare, one, path, out / f"{one.package}.parquet", into_file)
    return into_file, into_index


def _compare(one: DataSet, path: Path, out: Path, report: Report) -> None:
    expected, found = one.expected(path), parquet.read_table(out).drop(["embedding"]).to_pandas()
    assert report.read == len(expected), (one.package, report, len(expected))
    assert report.balanced, (one.package, report)
    kept = expected if one.id is None else expected.drop_duplicates(one.id)
    assert len(found) == report.written == len(kept) - report.failed, (one.package, report, len(kept))
    if not report.failed:
        pandas.testing.assert_frame_equal(
            found.reset_index(drop=True), kept.reset_index(drop=True)[found.columns], check_dtype=False
        )


async def main(folder: Path) -> None:
    out, name = Path(tempfile.mkdtemp(dir=folder)), f"real files {uuid.uuid4().hex[:8]}"
    async with emulator.serve() as url, Session.from_env({"OPENSEARCH_URL": url, **os.environ}) as ml:
        before = await ml.settings.allow_first_model()
        async with deployed(ml, "dense", MODEL, name) as model:
            for one in DATA_SETS:
                path = await asyncio.to_thread(fetched, one, folder)
                for into, report in zip(("Parquet", "index"), await embedded(ml, one, path, out, model), strict=True):
                    print(f"{one.package:<17} {path.name:<22} {into:<8} {report}")
        await ml.settings.apply(before)


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(main(Path(sys.argv[1])))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            asyncio.run(main(Path(temporary)))
