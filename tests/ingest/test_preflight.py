"""What a job leaves alone, and what it leaves: outputs, checkpoints, dead letters, numbered documents of an index."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sqlite3
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from aiomlcommons import InvalidRequest, Session
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.ingest import Chunks
from aiomlcommons.ingest.errors import CacheError, SinkError, TooManyFailures, WrongJob
from aiomlcommons.ingest.paths import file_name
from aiomlcommons.ingest.sinks import IndexSink
from aiomlcommons.ingest.state.dead_letters import DeadLetter, DeadLetters, read_dead_letters
from aiomlcommons.ingest.stats import Report
from aiomlcommons.ingest.types import Documents, Row
from tests.support.bulk_server import BulkServer, bulk_server, knn
from tests.support.jobs import JobsOnAnEmulator, documents, outputs

every_file = pytest.mark.parametrize("ending", [".jsonl", ".npy", ".parquet"])


async def run(world: JobsOnAnEmulator, source: Any, sink: Any, **how: Any) -> Report:
    async with world.ml.ingest(source, model=world.model_id, sink=sink, **how) as job:
        return await job


def files(world: JobsOnAnEmulator) -> set[str]:
    return {path.name for path in world.folder.iterdir()}


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@every_file
async def test_a_file_that_exists_is_replaced_only_if_that_is_said(world: JobsOnAnEmulator, ending: str) -> None:
    out = world.folder / f"keep{ending}"
    await asyncio.to_thread(out.write_bytes, b"precious\n")
    with pytest.raises(InvalidRequest, match=r"keep\.\w+ exists already: .*overwrite=True \(--overwrite\)"):
        # Before the model is looked for.
        async with world.ml.ingest(documents(5), model="no-such-model", sink=out, checkpoint=world.folder / "job"):
            pass
    assert (await asyncio.to_thread(out.read_bytes), files(world)) == (b"precious\n", {out.name})
    report = await run(world, documents(5), out, overwrite=True)
    assert (report.written, files(world)) == (5, outputs(out))
    assert await asyncio.to_thread(out.read_bytes) != b"precious\n"


@pytest.mark.asyncio
async def test_a_folder_is_never_replaced(world: JobsOnAnEmulator) -> None:
    (world.folder / "out.parquet").mkdir()
    with pytest.raises(InvalidRequest, match=r"out\.parquet is a folder: name another file"):
        await run(world, documents(5), world.folder / "out.parquet", overwrite=True)


@pytest.mark.asyncio
async def test_files_of_others_in_the_folder_of_a_job_are_not_removed(world: JobsOnAnEmulator) -> None:
    other = world.folder / "out.parquet.parts" / "notes.txt"
    other.parent.mkdir()
    await asyncio.to_thread(other.write_bytes, b"precious\n")
    with pytest.raises(SinkError, match=r"notes\.txt is not of a job"):
        await run(world, documents(5), world.folder / "out.parquet")
    assert await asyncio.to_thread(other.read_bytes) == b"precious\n"


@pytest.mark.asyncio
@pytest.mark.parametrize("option", ["checkpoint", "cache", "dead_letters"])
async def test_a_file_of_something_else_is_refused_before_the_model_is_ensured(
    world: JobsOnAnEmulator, option: str
) -> None:
    path = world.folder / "precious"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE people (name TEXT)")
    before = await asyncio.to_thread(path.read_bytes)
    with pytest.raises((WrongJob, CacheError, InvalidRequest), match=r"precious.* name another file"):
        given: Any = {option: path}
        async with world.ml.ingest(documents(5), model="no-such-model", sink=world.folder / "out.jsonl", **given):
            pass
    assert (await asyncio.to_thread(path.read_bytes), files(world)) == (before, {"precious"})


every_place = pytest.mark.parametrize("option", ["sink", "checkpoint", "dead_letters", "cache"])


async def refused(world: JobsOnAnEmulator, option: str, name: str, words: str) -> None:
    """Check that a job with a file there is refused before the model is looked for, and leaves nothing."""
    given: dict[str, Any] = {"sink": world.folder / "out.jsonl", option: world.folder / name}
    before = files(world)
    with pytest.raises((InvalidRequest, SinkError), match=words):
        async with world.ml.ingest(documents(5), model="no-such-model", **given):
            pass
    assert files(world) == before


@pytest.mark.asyncio
@every_place
async def test_a_folder_that_is_missing_is_named_first(world: JobsOnAnEmulator, option: str) -> None:
    await refused(world, option, "no/a.jsonl", r"cannot write .*a\.jsonl: there is no folder .*no")


@pytest.mark.asyncio
@every_place
async def test_a_folder_that_is_read_only_is_named_first(
    world: JobsOnAnEmulator, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.folder / "fixed").mkdir()
    monkeypatch.setattr("os.access", lambda path, *_, **__: Path(path).name != "fixed")  # root may write anywhere
    await refused(
        world, option, "fixed/a.jsonl", rf"{option}: cannot write .*a\.jsonl: the folder .*fixed is read-only"
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("option", ["checkpoint", "dead_letters", "cache"])
async def test_a_folder_is_no_file_of_a_job(world: JobsOnAnEmulator, option: str) -> None:
    (world.folder / "folder").mkdir()
    await refused(world, option, "folder", rf"{option}: cannot write .*folder: it is no regular file")


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes")
@pytest.mark.parametrize("option", ["checkpoint", "dead_letters", "cache"])
async def test_a_device_or_pipe_is_not_replaced(world: JobsOnAnEmulator, option: str) -> None:
    if sys.platform != "win32":
        os.mkfifo(world.folder / "pipe")
    await refused(world, option, "pipe", rf"{option}: cannot write .*pipe: it is no regular file")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"id": "embedding"}, "the field 'embedding' of the rows, which id= (--id) names"),
        ({"text": "embedding"}, "the field 'embedding' of the rows, which text= (--text) names"),
        ({"text": "{title}: {embedding}"}, "the field 'embedding' of the rows, which text= (--text) names"),
    ],
)
async def test_vectors_do_not_replace_ids_or_texts(world: JobsOnAnEmulator, given: dict[str, Any], words: str) -> None:
    for sink in (world.folder / "out.jsonl", world.folder / "out.parquet", IndexSink(world.ml, "docs", create=True)):
        with pytest.raises(InvalidRequest, match=re.escape(words)):
            await run(world, documents(5), sink, **given)


@pytest.mark.asyncio
async def test_vectors_have_a_name(world: JobsOnAnEmulator) -> None:
    with pytest.raises(InvalidRequest, match="must be the name of the field of the vectors, not empty"):
        await run(world, documents(5), IndexSink(world.ml, "docs", field=""))


@pytest.mark.asyncio
@every_file
async def test_a_job_leaves_its_output_alone_and_a_finished_one_is_not_run_again(
    world: JobsOnAnEmulator, ending: str
) -> None:
    out, checkpoint = world.folder / f"out{ending}", world.folder / "job"
    how: dict[str, Any] = {"checkpoint": checkpoint, "batch": 8, "checkpoint_every": 1}

    def rows(fails: bool) -> Callable[[], Iterator[Row]]:
        def read() -> Iterator[Row]:
            yield from documents(50)
            if fails:
                raise OSError("row 50 cannot be read")

        return read

    with pytest.raises(OSError, match="row 50 cannot be read"):
        await run(world, rows(True), out, **how)
    assert {"job", "job.seen"} < files(world)
    report = await run(world, rows(False), out, **how)
    assert (report.written, files(world)) == (50, outputs(out))
    with pytest.raises(InvalidRequest, match="exists already"):
        await run(world, rows(False), out, **how)
    assert files(world) == outputs(out)


@pytest.mark.asyncio
@every_file
async def test_a_crash_between_publishing_and_cleaning_up_is_recognized(
    world: JobsOnAnEmulator, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, checkpoint = world.folder / f"out{ending}", world.folder / "job"
    asked: list[Any] = []

    async def listen(request: Any, go: Any) -> Any:
        asked.append(request)
        return await go()

    with monkeypatch.context() as patched:
        patched.setattr("aiomlcommons.ingest.job.JobFiles.discard", lambda _: None)
        first = await run(world, documents(50), out, checkpoint=checkpoint)
    whole = await asyncio.to_thread(out.read_bytes)
    world.emulator.faults.add(listen, times=None)
    (world.folder / "job.seen").unlink()  # the checkpoint is removed last
    report = await run(world, documents(50), out, checkpoint=checkpoint)
    assert (report.written, report.embedded, asked) == (50, first.embedded, [])
    assert (files(world), await asyncio.to_thread(out.read_bytes) == whole) == (outputs(out), True)


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", [".jsonl", ".npy", ".parquet", ""])
async def test_a_job_that_ends_before_anything_is_settled_leaves_nothing(world: JobsOnAnEmulator, ending: str) -> None:
    world.emulator.faults.fail(404, times=None, reason="Failed to find model")
    sink: Any = world.folder / f"out{ending}" if ending else (lambda _: None)
    with pytest.raises(MLCommonsError):
        await run(world, documents(50), sink, checkpoint=world.folder / "job", redeploy=False)
    assert files(world) == set()


# ---- failures --------------------------------------------------------------------------------------------------------


def bad(count: int) -> list[Row]:
    return [{"id": f"d{number}", "text": ""} for number in range(count)]


@pytest.mark.asyncio
@every_file
async def test_a_job_whose_first_rows_all_fail_ends_and_says_why(world: JobsOnAnEmulator, ending: str) -> None:
    out = world.folder / f"out{ending}"
    with pytest.raises(TooManyFailures, match=r"all of the first 1,000 for one reason.*for: its text is empty"):
        await run(world, bad(5_000), out)
    assert files(world) == {f"{out.name}.dead.jsonl"}
    found = await asyncio.to_thread(lambda: list(read_dead_letters(world.folder / f"{out.name}.dead.jsonl")))
    assert 1_000 <= len(found) < 5_000


@pytest.mark.asyncio
async def test_a_job_of_few_rows_may_fail_as_a_whole(world: JobsOnAnEmulator) -> None:
    report = await run(world, bad(999), world.folder / "out.jsonl")
    assert (report.read, report.failed) == (999, 999)


@pytest.mark.asyncio
async def test_a_job_with_too_many_failures_is_continued_with_a_higher_limit(world: JobsOnAnEmulator) -> None:
    rows: list[Row] = [*documents(300), *bad(20), {"id": "last", "text": "text"}]
    out, how = world.folder / "out.jsonl", {"checkpoint": world.folder / "job", "batch": 8}
    with pytest.raises(TooManyFailures, match=r"20 of 3.. rows failed, more than max_failures=5; 20 of them for: its"):
        await run(world, rows, out, max_failures=5, **how)
    report = await run(world, rows, out, max_failures=20, **how)
    assert (report.read, report.written, report.failed) == (321, 301, 20)
    assert files(world) == {"out.jsonl", "job.dead.jsonl"}


@pytest.mark.asyncio
async def test_a_share_counts_for_few_rows_at_the_end(world: JobsOnAnEmulator) -> None:
    out = world.folder / "out.jsonl"
    with pytest.raises(TooManyFailures, match=r"2 of 8 rows failed, more than max_failures=0\.2"):
        await run(world, [*documents(6), *bad(2)], out, max_failures=0.2)
    report = await run(world, [*documents(6), *bad(2)], out, max_failures=0.25)
    assert (report.written, report.failed) == (6, 2)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("value", "words"),
    [(-1, "0 or more, not -1"), (1.5, "a share between 0 and 1"), (True, "a number"), ("1", "a number")],
)
async def test_a_limit_that_cannot_be_is_refused(world: JobsOnAnEmulator, value: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=f"max_failures must be .*{words}"):
        await run(world, documents(1), lambda _: None, max_failures=value)


# ---- names of files --------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_jobs_with_functions_at_once_have_dead_letters_of_their_own(
    world: JobsOnAnEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.folder)
    loop, both_failed, write = asyncio.get_running_loop(), asyncio.Event(), DeadLetters.write
    left = {"a-bad", "b-bad"}

    def note(dead_letters: Sequence[DeadLetter]) -> None:
        left.difference_update(str(each.id) for each in dead_letters)
        if not left:
            both_failed.set()

    def written(self: DeadLetters, dead_letters: Iterable[DeadLetter]) -> None:
        write(self, found := list(dead_letters))
        loop.call_soon_threadsafe(note, found)

    monkeypatch.setattr(DeadLetters, "write", written)

    async def rows(name: str) -> AsyncGenerator[Row]:
        yield {"id": f"{name}-bad", "text": ""}
        yield {"id": f"{name}-good", "text": "text"}
        await both_failed.wait()  # neither ends before both have a file of dead letters

    async def keep(_: Documents) -> None:
        pass

    reports = await asyncio.gather(*(run(world, rows(name), lambda batch: keep(batch), batch=1) for name in "ab"))
    names = {str(report.dead_letters) for report in reports}
    assert len(names) == 2
    assert names == files(world)
    for report, name in zip(reports, "ab", strict=True):
        found = await asyncio.to_thread(lambda path: list(read_dead_letters(path)), str(report.dead_letters))
        assert [letter.id for letter in found] == [f"{name}-bad"]
    for name in names:
        assert not set('<>:"/\\|?*') & set(name)
        assert "test_jobs_with_functions_at_once" in name


# ---- an index --------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def an_index() -> AsyncGenerator[tuple[BulkServer, Session]]:
    async with bulk_server(knn(384)) as server, Session(server.url) as elsewhere:
        yield server, elsewhere


@pytest.mark.asyncio
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("once", [False, True])
async def test_numbered_rows_do_not_replace_those_of_another_job(
    world: JobsOnAnEmulator, bare: bool, once: bool
) -> None:
    def rows(word: str) -> Any:
        texts = [f"{word} {number}" for number in range(5)]
        found: list[Any] = texts if bare else [{"text": text} for text in texts]
        return iter(found) if once else found

    how: dict[str, Any] = {} if bare else {"id": None}
    async with an_index() as (server, ml):
        await run(world, rows("first"), IndexSink(ml, "docs"), **how)
        with pytest.raises(
            InvalidRequest, match=r"index docs holds a document 0 already, .*ids='auto'.*overwrite=True"
        ):
            await run(world, rows("second"), IndexSink(ml, "docs"), **how)
        assert server.documents["3"]["text"] == "first 3"
        await run(world, rows("third"), IndexSink(ml, "docs"), overwrite=True, **how)
        await run(world, rows("fourth"), IndexSink(ml, "docs", overwrite=True), **how)
        assert server.documents["3"]["text"] == "fourth 3"


@pytest.mark.asyncio
async def test_numbers_of_chunks_do_not_replace_those_of_another_job(world: JobsOnAnEmulator) -> None:
    async with an_index() as (_, ml):
        how: dict[str, Any] = {"id": None, "chunk": Chunks(size=20)}
        await run(world, [{"text": "one sentence. another sentence."}], IndexSink(ml, "docs"), **how)
        with pytest.raises(InvalidRequest, match="index docs holds a document 0#0 already"):
            await run(world, [{"text": "something else"}], IndexSink(ml, "docs"), **how)


def test_names_of_files_are_of_any_system_and_differ() -> None:
    names = ["main.<locals>.<lambda>", "con", "a:b/c", "n" * 300, "n" * 299 + "m", "", "dots..."]
    files = [file_name(name) for name in names]
    assert files[:3] == ["main.locals.lambda", "_con", "a_b_c"]
    assert len(set(files)) == len(names)
    assert all(0 < len(file.encode()) <= 200 and not file.endswith(".") for file in files)


@pytest.mark.asyncio
async def test_numbered_rows_of_an_interrupted_job_are_its_own(world: JobsOnAnEmulator) -> None:
    fails = True

    def rows() -> Iterator[Row]:
        yield from ({"text": f"text {number}"} for number in range(40))
        if fails:
            raise OSError("cannot be read")

    how: dict[str, Any] = {"id": None, "checkpoint": world.folder / "job", "batch": 8}
    async with an_index() as (server, ml):
        with pytest.raises(OSError, match="cannot be read"):
            await run(world, rows, IndexSink(ml, "docs"), **how)
        assert "0" in server.documents
        fails = False
        assert (await run(world, rows, IndexSink(ml, "docs"), **how)).written == 40


@pytest.mark.asyncio
@pytest.mark.parametrize("where", ["job", "sink"])
async def test_the_server_makes_the_ids_if_that_is_said(world: JobsOnAnEmulator, where: str) -> None:
    job: dict[str, Any] = {"ids": "auto"} if where == "job" else {}
    sink: dict[str, Any] = {"ids": "auto"} if where == "sink" else {}
    async with an_index() as (server, ml):
        for word in ("first", "second"):
            report = await run(world, [f"{word} {n}" for n in range(5)], IndexSink(ml, "docs", **sink), **job)
            assert report.written == 5
        assert len(server.documents) == 10
        assert not {str(number) for number in range(10)} & server.documents.keys()


@pytest.mark.asyncio
async def test_ids_that_the_server_makes_need_no_field(world: JobsOnAnEmulator) -> None:
    rows: list[Row] = [{"text": "a"}, {"text": "b", "id": "x"}, {"text": "c", "id": "x"}]
    async with an_index() as (server, ml):
        report = await run(world, rows, IndexSink(ml, "docs"), ids="auto")
    assert (report.written, report.deduplicated, len(server.documents)) == (2, 1, 2)


@pytest.mark.asyncio
async def test_only_an_index_makes_ids(world: JobsOnAnEmulator) -> None:
    with pytest.raises(InvalidRequest, match=r"ids='auto' is for an index, .*out\.jsonl is none"):
        await run(world, documents(1), world.folder / "out.jsonl", ids="auto")
    with pytest.raises(InvalidRequest, match="ids must be 'auto' or None, not 'mine'"):
        await run(world, documents(1), world.folder / "out.jsonl", ids="mine")
    assert orjson.dumps(sorted(files(world))) == b"[]"
