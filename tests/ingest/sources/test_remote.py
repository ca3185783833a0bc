"""Files elsewhere, read by fsspec: in memory, and over HTTP from a server on this machine."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest import ArrowSource, CsvSource, FilesSource, JsonlSource, RemotePath, SourceError
from aiomlcommons.ingest.paths import redacted
from aiomlcommons.ingest.sources import arrow, open_source
from aiomlcommons.ingest.sources.reading import source_errors
from aiomlcommons.ingest.sources.traits import once_only, reads
from aiomlcommons.ingest.types import Source
from tests.support.sources import batches_of, check_positions, rows_of
from tests.support.web_files import web_files

fsspec: Any = pytest.importorskip("fsspec")
pytest.importorskip("fsspec.implementations.http")
pa: Any = pytest.importorskip("pyarrow")
feather: Any = pytest.importorskip("pyarrow.feather")
pq: Any = pytest.importorskip("pyarrow.parquet")
SECRET = "s3cr3t%2F4711"


def lines(first: int, count: int) -> bytes:
    return b"".join(b'{"n": %d}\n' % n for n in range(first, first + count))


def parquet(first: int, count: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"n": range(first, first + count)}), file, row_group_size=40)
    return file.getvalue()


def arrow_file(count: int) -> bytes:
    file = io.BytesIO()
    feather.write_feather(pa.table({"n": range(count)}), file, compression="uncompressed", chunksize=40)
    return file.getvalue()


def arrow_stream(count: int) -> bytes:
    file = io.BytesIO()
    table = pa.table({"n": range(count)})
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=40)
    return file.getvalue()


def csv(count: int) -> bytes:
    return b"n\n" + b"".join(b"%d\n" % n for n in range(count))


FILES = {
    "a.jsonl": lines(0, 100),
    "a.jsonl.gz": gzip.compress(lines(0, 100)),
    "a.json": b"[" + lines(0, 100).strip().replace(b"\n", b",\n") + b"]",
    "a.csv": csv(100),
    "a.csv.gz": gzip.compress(csv(100)),
    "a.parquet": parquet(0, 100),
    "a.arrow": arrow_file(100),
    "stream.arrow": arrow_stream(100),
}
# Whose metadata are at their end, so that they are not read from their beginning to their end.
NOT_IN_ORDER = ("a.parquet", "a.arrow")


@pytest.fixture(scope="module", autouse=True)
def _thread_of_fsspec() -> None:
    # It begins with the first use and stays: its files are none that a test left open.
    fsspec.asyn.get_loop()


@pytest.fixture
def memory() -> Iterator[Any]:
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def opened(what: Any) -> Source:
    return asyncio.run(asyncio.to_thread(open_source, what))


def numbers(rows: list[Any]) -> list[int]:
    return [int(row["n"]) for row in rows]


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_is_read_and_read_on_elsewhere(memory: Any, name: str) -> None:
    memory.pipe(f"/d/{name}", FILES[name])
    source = opened(f"memory://d/{name}")
    assert numbers(asyncio.run(check_positions(lambda: source))) == list(range(100))
    assert source.name == f"memory://d/{name}"
    assert not once_only(source)
    assert not reads(source, f"/d/{name}")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "ranges"),
    [*((name, True) for name in FILES), *((name, False) for name in FILES if name not in NOT_IN_ORDER)],
)
async def test_every_kind_of_file_is_read_over_http(name: str, ranges: bool) -> None:
    async with web_files(FILES, ranges=ranges, signature=SECRET) as served:
        source = await asyncio.to_thread(open_source, f"{served.url}/{name}?sig={SECRET}")
        assert numbers(await check_positions(lambda: source)) == list(range(100))
        assert source.name == f"{served.url}/{name}"
        assert SECRET not in str([batch.position for batch in await batches_of(source)])


@pytest.mark.asyncio
async def test_a_server_without_ranges_is_an_error_for_files_that_are_not_read_in_order() -> None:
    async with web_files(FILES, ranges=False) as served:
        for name in NOT_IN_ORDER:
            with pytest.raises(SourceError, match=rf"{name} cannot be read: .*seek"):
                await rows_of(await asyncio.to_thread(open_source, f"{served.url}/{name}"))


@pytest.mark.asyncio
async def test_reading_on_does_not_fetch_what_was_read_before() -> None:
    files = {"a.jsonl": b'{"text": "%s"}\n' % (b"x" * 1000) * 40_000}
    async with web_files(files) as served:
        source = JsonlSource(RemotePath(f"{served.url}/a.jsonl", {"block_size": 1 << 20}))
        last = (await batches_of(source))[-1]
        assert last.share == 1
        served.sent = 0
        assert len(await rows_of(source, last.position, last.start)) == len(last.rows)
        assert served.sent < len(files["a.jsonl"]) / 4


def test_a_glob_and_a_folder_elsewhere_are_several_files(memory: Any) -> None:
    memory.pipe(
        {"/d/b.jsonl": lines(10, 10), "/d/a.jsonl": lines(0, 10), "/d/sub/c.jsonl.gz": gzip.compress(lines(20, 5))}
    )
    for what in (
        "memory://d/**/*.jsonl*",
        "memory://d",
        [RemotePath("memory://d/*.jsonl"), RemotePath("memory://d/sub")],
    ):
        source = opened(what)
        assert isinstance(source, FilesSource)
        assert numbers(asyncio.run(check_positions(lambda source=source: source))) == list(range(25))  # type: ignore[misc]
    with pytest.raises(FileNotFoundError, match=r"no file matches: 'memory://d/\*\.csv'"):
        opened("memory://d/*.csv")


def test_a_folder_of_partitions_elsewhere_has_their_values_as_columns(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow, "ROWS_AT_ONCE", 30)
    memory.pipe({f"/d/year={2020 + n}/x.parquet": parquet(50 * n, 50) for n in (1, 0)} | {"/d/README.md": b"words"})
    source = opened("memory://d")
    assert isinstance(source, ArrowSource)
    rows: list[Any] = asyncio.run(check_positions(lambda: source))
    assert numbers(rows) == list(range(100))
    assert [rows[0]["year"], rows[99]["year"]] == [2020, 2021]


def test_a_file_that_was_replaced_is_not_read_on(memory: Any) -> None:
    for name, other in (("a.parquet", parquet(5, 90)), ("stream.arrow", arrow_stream(90)), ("a.jsonl", lines(9, 60))):
        memory.pipe(f"/{name}", FILES[name])
        source = opened(f"memory://{name}")
        position = asyncio.run(batches_of(source))[-1].position
        memory.pipe(f"/{name}", other)
        position = [len(FILES[name]), 100, 1] if name == "a.jsonl" else json.loads(json.dumps(position))
        with pytest.raises(SourceError, match=r"was it replaced|is it another file"):
            asyncio.run(rows_of(source, position, 80))


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a b.jsonl"
    path.write_bytes(lines(0, 1))
    source = opened(path.as_uri())
    assert source == JsonlSource(path)
    assert reads(source, str(path))


def test_sources_take_urls_like_paths(memory: Any) -> None:
    memory.pipe("/a.txt", b"n;m\n1;2\n")
    source = CsvSource("memory://a.txt", delimiter=";")
    assert asyncio.run(rows_of(source)) == [{"n": "1", "m": "2"}]
    assert ArrowSource("memory://a.parquet") == ArrowSource(RemotePath("memory://a.parquet"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://me:pw@host/a/b.csv?sig=x%2Fy&se=1", "https://host/a/b.csv"),
        ("https://token@host/a.csv", "https://host/a.csv"),
        ("see 'http://h/a?k=v', and https://b:c@d", "see 'http://h/a', and https://d"),
        ("s3://key:secret@bucket/a.jsonl?versionId=3", "s3://bucket/a.jsonl"),
        ("s3://bucket/part-?.csv", "s3://bucket/part-?.csv"),
        ("s3://bucket/y=?/m=1.csv", "s3://bucket/y=?/m=1.csv"),
        ("abfs://container@account.dfs.core.windows.net/a", "abfs://container@account.dfs.core.windows.net/a"),
        ("hf://datasets/me/name@main/a.parquet", "hf://datasets/me/name@main/a.parquet"),
        ("no URL: a?b=c@d", "no URL: a?b=c@d"),
    ],
)
def test_a_url_is_shown_without_credentials(url: str, words: str) -> None:
    assert redacted(url) == words


def test_a_path_shows_no_credentials() -> None:
    path = RemotePath(f"https://me:{SECRET}@host/a.jsonl?sig={SECRET}", {"password": SECRET})
    for shown in (repr(path), str(path), repr(JsonlSource(path)), JsonlSource(path).name, repr(FilesSource([path]))):
        assert SECRET not in shown
    for source in (FilesSource(path), JsonlSource(path.url), ArrowSource(path.url)):
        assert source.name == "https://host/a.jsonl"
        assert SECRET not in repr(source)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["none.jsonl", "none.parquet", "a.jsonl", "a.parquet"])
async def test_no_error_shows_credentials(name: str) -> None:
    async with web_files(FILES, signature="another") as served:
        url = f"{served.url}/{name}?sig={SECRET}"
        makers: list[Callable[[str], Source]] = [open_source, JsonlSource, ArrowSource]
        for make in makers:
            with pytest.raises((SourceError, OSError)) as caught:
                await rows_of(await asyncio.to_thread(lambda make=make: make(url)))  # type: ignore[misc]
            assert f"{served.url}/{name}" in str(caught.value)
            assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_an_error_of_a_driver_shows_neither_its_options_nor_its_cause() -> None:
    path = RemotePath("s3://bucket/a.jsonl", {"client": {"secret": SECRET}, "anon": False})
    with pytest.raises(
        SourceError, match=r"s3://bucket/a\.jsonl: reading failed: ValueError: the key \*\*\* is wrong"
    ) as one:
        with path.errors():
            raise ValueError(f"the key {SECRET} is wrong")
    with pytest.raises(SourceError, match="reading failed: RuntimeError: the driver failed") as other:
        with source_errors(str(path)):
            raise RuntimeError("the driver failed") from ValueError(SECRET)
    for caught in (one, other):
        assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("s3://bucket/a.jsonl", ImportError, "reading s3:// needs a driver of fsspec: Install s3fs"),
        ("gs://bucket/a.jsonl", ImportError, "reading gs:// needs a driver of fsspec: .*gcsfs"),
        ("az://bucket/a.jsonl", ImportError, "reading az:// needs a driver of fsspec: .*adlfs"),
        ("hf://datasets/a/b/c.parquet", ImportError, "reading hf:// needs a driver of fsspec: .*huggingface_hub"),
        ("nope://bucket/a.jsonl", InvalidRequest, "cannot read nope://bucket/a.jsonl: Protocol not known: nope"),
    ],
)
def test_a_driver_that_is_missing_is_named(
    url: str, error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # installed for the tests of models from there
    with pytest.raises(error, match=words):
        opened(url)


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ImportError, match=r"reading s3:// needs fsspec: pip install 'aiomlcommons\[remote\]'"):
        opened("s3://bucket/a.jsonl")
