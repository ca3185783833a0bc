"""Arrow IPC streams, told from Arrow files by their first bytes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons.ingest import ArrowSource, ArrowStreamSource, SourceError
from aiomlcommons.ingest.sources import arrow_stream, open_source
from tests.support.sources import batches_of, check_positions, read_one, rows_of

pa: Any = pytest.importorskip("pyarrow")
feather: Any = pytest.importorskip("pyarrow.feather")


def stream(path: Path, count: int, size: int, **how: Any) -> Path:
    table = pa.table({"n": range(count), "text": [f"text {n}" for n in range(count)]})
    with pa.ipc.new_stream(path, table.schema, options=pa.ipc.IpcWriteOptions(**how)) as writer:
        writer.write_table(table, max_chunksize=size)
    return path


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
@pytest.mark.parametrize(("count", "size"), [(0, 1), (1, 1), (23, 7), (20, 20)])
def test_reading_on_from_any_position_gives_exactly_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, size: int, compression: str | None
) -> None:
    monkeypatch.setattr(arrow_stream, "ROWS_AT_ONCE", 3)
    path = stream(tmp_path / "a.arrow", count, size, compression=compression)
    source = open_source(path)
    assert isinstance(source, ArrowStreamSource)
    rows = asyncio.run(check_positions(lambda: source))
    assert rows == [{"n": n, "text": f"text {n}"} for n in range(count)]
    assert asyncio.run(source.count()) == count


def test_both_formats_of_arrow_have_the_same_suffixes(tmp_path: Path) -> None:
    feather.write_feather(pa.table({"n": [1]}), tmp_path / "file.arrow")
    stream(tmp_path / "stream.feather", 1, 1)
    (tmp_path / "empty.arrow").touch()
    kinds = [type(open_source(tmp_path / name)) for name in ("file.arrow", "stream.feather", "empty.arrow")]
    assert kinds == [ArrowSource, ArrowStreamSource, ArrowSource]


def test_a_folder_as_hugging_face_datasets_are_saved_is_read(tmp_path: Path) -> None:
    for n in range(2):
        stream(tmp_path / f"data-0000{n}-of-00002.arrow", 5, 2)
    for name in ("dataset_info.json", "state.json"):
        (tmp_path / name).write_text("{}")
    source = open_source(tmp_path)
    assert asyncio.run(source.count()) == 10
    assert [row["n"] for row in asyncio.run(check_positions(lambda: source)) if isinstance(row, dict)] == [
        *range(5)
    ] * 2


def test_version_1_of_feather_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "old.feather").write_bytes(b"FEA1....")
    with pytest.raises(
        SourceError, match=r"old\.feather is of version 1 of Feather.*write it anew by pyarrow\.feather"
    ):
        open_source(tmp_path / "old.feather")


@pytest.mark.asyncio
async def test_a_stream_that_is_cut_or_replaced_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = await asyncio.to_thread(stream, tmp_path / "a.arrow", 2500, 1000)
    source = ArrowStreamSource(path)
    position = (await batches_of(source))[-1].position
    assert position[:2] == [2, 0]
    data = await asyncio.to_thread(path.read_bytes)
    await asyncio.to_thread(path.write_bytes, data[:-300])
    with pytest.raises(SourceError, match=r"a\.arrow: reading failed"):
        await rows_of(source)
    with pytest.raises(SourceError, match=r"a\.arrow has .* bytes, and had .* when it was read: was it replaced\?"):
        await rows_of(source, position, 2000)
    with pytest.raises(SourceError, match="which is not a position in it"):
        await rows_of(source, [1], 1)
    with pytest.raises(FileNotFoundError, match=r"none\.arrow"):
        await rows_of(ArrowStreamSource(tmp_path / "none.arrow"))


@pytest.mark.asyncio
async def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    path = await asyncio.to_thread(stream, tmp_path / "a.arrow", 5000, 1000)
    assert len((await read_one(ArrowStreamSource(path))).rows) == 1000
