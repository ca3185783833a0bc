"""Bulk jobs on the command line: started, interrupted, resumed, dry runs, and retries of dead letters."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import re
import shlex
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from aiomlcommons import Session, cli
from aiomlcommons.cli import jobs
from aiomlcommons.cli.arguments import parser
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.errors import refused
from aiomlcommons.ingest.reprocess import RetryFiles
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from aiomlcommons.ingest.state.seen_ids import SeenIds
from aiomlcommons.ingest.types import BadRow
from tests.support.bulk_server import BulkServer, answer, error, knn
from tests.support.jobs import outputs
from tests.support.searched_index import Index

MODEL = ("--model", "all-MiniLM-L6-v2")
ROWS = 200


@attrs.define
class Place:
    """An emulator, a working directory, and commands that run in it."""

    emulator: Emulator
    url: str
    folder: Path
    capsys: pytest.CaptureFixture[str]
    asked: list[str] = attrs.field(factory=list)

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Run a command; return its exit code, output and errors."""
        code = await asyncio.to_thread(cli.main, [*words, "--url", self.url])
        got = self.capsys.readouterr()
        return code, got.out, got.err

    async def run_alone(self, *words: str) -> tuple[int, str, str]:
        """Run a command that needs no cluster; return the same."""
        code = await asyncio.to_thread(cli.main, words)
        got = self.capsys.readouterr()
        return code, got.out, got.err

    async def job(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a command to its end; return its exit code and report."""
        code, out, err = await self.run(*words, "--json")
        assert code in {0, 3}, err
        return code, orjson.loads(out)

    async def broken(self, *words: str, after: int = 6) -> None:
        """Run a command that ends early because its model is gone: from a request on, once progress is noted."""
        left = itertools.count(after, -1)
        gone: list[bool] = []

        async def action(_: Any, go: Any) -> Any:
            if next(left) <= 1 and not gone and await asyncio.to_thread(self.has_noted):
                gone.append(True)
                raise refused(404, "status_exception", "Failed to find model")
            return await go()

        self.emulator.faults.add(action, times=None)
        code, _, err = await self.run(*words, "--concurrency", "1", "--batch", "8", "--checkpoint-every", "2")
        assert (code, "progress is kept; this continues it:" in err) == (1, True), err

    def has_noted(self) -> bool:
        """Return whether a checkpoint has an entry after its header."""
        found = [path for path in self.folder.rglob("*") if path.name.endswith((".checkpoint", ".job"))]
        return any(path.read_bytes().count(b"\n") > 1 for path in found)

    async def process(self, *words: str) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "aiomlcommons", *words, "--url", self.url)
        return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)

    def write(self, name: str, *rows: Any) -> str:
        (self.folder / name).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return name

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in (self.folder / name).read_bytes().splitlines()]

    def ids(self, name: str) -> list[Any]:
        return [row["id"] for row in self.rows(name)]

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


def documents(count: int = ROWS) -> list[dict[str, Any]]:
    return [{"id": f"d{number}", "text": f"text number {number}"} for number in range(count)]


@pytest_asyncio.fixture
async def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncGenerator[Place]:
    for name in ("URL", "USERNAME", "PASSWORD", "CA_CERTS"):
        monkeypatch.delenv(f"OPENSEARCH_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    emulator = Emulator()
    async with emulator.serve() as url:
        async with Session(url) as ml:
            await ml.settings.allow_first_model()
            await ml.models.ensure(MODEL[1])
        place = Place(emulator, url, tmp_path, capsys)

        async def listen(request: Any, go: Any) -> Any:
            place.asked += orjson.loads(await request.read())["text_docs"]
            return await go()

        emulator.faults.add(listen, times=None)
        yield place


@pytest.fixture
def index(place: Place) -> BulkServer:
    """Give the emulator an index, and return it."""
    server = BulkServer()

    async def action(request: Any, go: Any) -> Any:
        return await server.handle(request)

    place.emulator.faults.add(action, on=lambda http: http.path.startswith("/docs"), times=None)
    return server


# ---- output ----------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_documents_go_to_standard_output_and_all_else_to_standard_error(place: Place) -> None:
    source = place.write("in.jsonl", *documents(), {"id": "e", "text": ""})
    process = await place.process("ingest", source, *MODEL, "--out", "-", "--json")
    out, err = await process.communicate()
    assert process.returncode == 3, err
    assert [orjson.loads(line)["id"] for line in out.splitlines()] == [f"d{number}" for number in range(ROWS)]
    assert b'"written": 200' in err
    assert place.files() == {"in.jsonl", "stdout.dead.jsonl"}


@pytest.mark.asyncio
async def test_a_reader_that_leaves_ends_the_job_in_one_line(place: Place) -> None:
    source = place.write("in.jsonl", *documents(5_000))
    process = await place.process("ingest", source, *MODEL, "--out", "-")
    assert process.stdout is not None
    assert orjson.loads(await process.stdout.readline())["id"] == "d0"
    process.stdout._transport.close()  # type: ignore[attr-defined]
    assert process.stderr is not None
    err = (await process.stderr.read()).decode()
    assert await process.wait() == 1
    assert "aiomlcommons: SinkError: the reader of standard output closed it after" in err
    assert "Traceback" not in err
    assert "--resume" not in err


@pytest.mark.asyncio
async def test_standard_output_is_not_resumed_but_tried(place: Place) -> None:
    words = ("ingest", place.write("in.jsonl", *documents()), *MODEL, "--out", "-")
    for more in ("--resume",), ("--checkpoint", "job"):
        code, _, err = await place.run(*words, *more)
        assert (code, "standard output cannot be resumed: pass a file to --out" in err) == (2, True), err
    code, out, _ = await place.run(*words, "--dry-run")
    assert (code, "documents/s" in out) == (0, True)


@pytest.mark.asyncio
async def test_the_report_names_the_ids_of_a_numpy_file(place: Place) -> None:
    rows = [*documents(3), {"id": "d1", "text": "again"}, {"id": "e", "text": ""}, {"id": "d3", "text": "last"}]
    words = ("ingest", place.write("in.jsonl", *rows), *MODEL, "--out", "out.npy")
    code, out, err = await place.run(*words)
    assert (code, "; rows and ids of the vectors are in out.npy.ids.jsonl; the failed ones" in out) == (3, True), err
    assert [(row["row"], row["id"]) for row in place.rows("out.npy.ids.jsonl")] == [
        (0, "d0"),
        (1, "d1"),
        (2, "d2"),
        (5, "d3"),
    ]


# ---- start, interruption, resume -------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_job_that_is_broken_off_is_gone_on_with_only_when_that_is_said(place: Place) -> None:
    words = ("ingest", place.write("in.jsonl", *documents()), *MODEL, "--out", "out.jsonl")
    await place.broken(*words)
    before = place.files()
    assert "out.jsonl.checkpoint" in before
    code, out, err = await place.run(*words)
    assert (code, out) == (2, "")
    assert "out.jsonl.checkpoint belongs to an interrupted job" in err
    assert "pass --resume to continue it, or --overwrite to begin anew" in err
    assert place.files() == before
    asked = len(place.asked)
    code, report = await place.job(*words, "--resume")
    assert (code, report["read"], report["written"]) == (0, ROWS, ROWS)
    assert place.ids("out.jsonl") == [row["id"] for row in documents()]
    assert len(place.asked) - asked < ROWS
    assert place.files() == {"in.jsonl", "out.jsonl"}


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["removed", "overwrite"])
async def test_a_broken_off_job_is_begun_anew_if_that_is_said(place: Place, how: str) -> None:
    words = ("ingest", place.write("in.jsonl", *documents()), *MODEL, "--out", "out.jsonl")
    await place.broken(*words)
    if how == "removed":
        await asyncio.to_thread((place.folder / "out.jsonl.checkpoint").unlink)
    place.asked.clear()
    assert (await place.job(*words, *(["--overwrite"] if how == "overwrite" else [])))[0] == 0
    assert place.files() == {"in.jsonl", "out.jsonl"}
    assert place.ids("out.jsonl") == [row["id"] for row in documents()]
    assert len(place.asked) == ROWS


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name of a file is text")
@pytest.mark.parametrize("ending", [".jsonl", ".npy", ".parquet"])
async def test_names_of_files_that_are_no_utf8_are_names_too(place: Place, ending: str) -> None:
    odd = os.fsdecode(b"caf\xe9")
    source = place.write(f"{odd}.jsonl", *documents(), {"id": "bad"})
    words = (
        "ingest",
        source,
        *MODEL,
        "--out",
        f"{odd}.out{ending}",
        "--checkpoint",
        f"{odd}.job",
        "--cache",
        f"{odd}.db",
    )
    await place.broken(*words)
    header = place.rows(f"{odd}.job")[0]
    assert (header["source"], header["sink"]) == ("caf\\xe9.jsonl", f"caf\\xe9.out{ending}")
    code, report = await place.job(*words, "--resume")
    assert (code, report["read"], report["dead_letters"]) == (3, ROWS + 1, f"caf\\xe9.out{ending}.dead.jsonl")
    assert not [name for name in place.files() if ".job" in name or name.endswith(".tmp")]
    dead_letters = f"{odd}.out{ending}.dead.jsonl"
    code, out, _ = await place.run_alone("dead-letters", "list", dead_letters)
    assert (code, "1 dead letter in caf" in out) == (0, True)
    code, out, _ = await place.run_alone("dead-letters", "list", dead_letters, "--json")
    assert (code, orjson.loads(out)["dead_letters"]) == (0, 1)
    place.write(dead_letters, {"row": 1, "id": "x", "why": "the model was away", "document": {"text": "a"}})
    code, report = await place.job("dead-letters", "retry", dead_letters, *MODEL, "--out", f"{odd}.more.jsonl")
    assert (code, report["written"]) == (0, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["jsonl", "npy", "parquet"])
async def test_a_finished_job_is_found_done_or_begun_anew_if_that_is_said(place: Place, ending: str) -> None:
    out = f"out.{ending}"
    words = ("ingest", place.write("in.jsonl", *documents(), {"id": "empty", "text": ""}), *MODEL, "--out", out)
    code, first = await place.job(*words)
    assert (code, first["dead_letters"]) == (3, f"{out}.dead.jsonl")
    files, whole = place.files(), (place.folder / out).read_bytes()
    assert files == {"in.jsonl", *outputs(place.folder / out), f"{out}.dead.jsonl"}
    code, _, err = await place.run(*words)
    assert (code, f"{out} exists already: name another file, or replace it" in err, "--overwrite" in err) == (
        1,
        True,
        True,
    )
    code, said, _ = await place.run(*words, "--resume")
    assert (code, f"the job is finished: {out} is there" in said, len(place.asked)) == (0, True, ROWS)
    code, done = await place.job(*words, "--resume")
    assert (code, done) == (0, {"finished": True, "out": out, "dead_letters": f"{out}.dead.jsonl"})
    assert (place.files(), (place.folder / out).read_bytes() == whole) == (files, True)
    code, again = await place.job(*words, "--overwrite")
    assert (code, again["embedded"], len(place.asked)) == (3, ROWS, 2 * ROWS)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("keep.jsonl", b"precious\n"),
        ("keep.jsonl", b'{"id": 1}\n'),
        ("keep.npy", b"precious"),
        ("keep.parquet", b"PAR1"),
    ],
)
async def test_a_file_of_somebody_is_no_finished_job(place: Place, name: str, content: bytes) -> None:
    (place.folder / name).write_bytes(content)
    words = ("ingest", place.write("in.jsonl", *documents(3)), *MODEL, "--out", name)
    code, _, err = await place.run(*words, "--resume")
    assert (code, f"{name} exists, and is not the output of a job" in err) == (2, True)
    code, _, err = await place.run(*words)
    assert (code, f"{name} exists already" in err) == (1, True)
    assert ((place.folder / name).read_bytes(), place.asked) == (content, [])


@pytest.mark.asyncio
async def test_a_field_that_no_row_has_is_said_at_once(place: Place) -> None:
    words = ("ingest", place.write("in.jsonl", *documents(3)), "--model", "no-such-model", "--out", "out.parquet")
    code, _, err = await place.run(*words, "--text", "body")
    assert (code, "no row of in.jsonl has the field 'body'; the fields are: id, text" in err) == (1, True)
    code, _, err = await place.run(*words[:2], *MODEL, *words[4:], "--text", "body", "--dry-run")
    assert (code, "no row of in.jsonl has the field 'body'" in err) == (1, True)
    assert (place.files(), place.asked) == ({"in.jsonl"}, [])


@pytest.mark.asyncio
async def test_resume_without_a_checkpoint_begins(place: Place) -> None:
    words = ("ingest", place.write("in.jsonl", *documents()), *MODEL, "--out", "out.npy", "--resume")
    code, out, err = await place.run(*words, "--checkpoint", "note", "--json")
    assert (code, orjson.loads(out)["written"]) == (0, ROWS)
    assert "there is no checkpoint note: the job starts from the beginning" in err
    assert place.files() == {"in.jsonl", *outputs(place.folder / "out.npy")}


@pytest.mark.asyncio
async def test_a_file_that_is_no_checkpoint_is_left_alone(place: Place) -> None:
    source = place.write("in.jsonl", *documents(3))
    code, _, err = await place.run("ingest", source, *MODEL, "--out", "out.npy", "--checkpoint", "in.jsonl")
    assert (code, "in.jsonl is not the checkpoint of a job; name another file" in err) == (1, True)
    assert place.ids("in.jsonl") == ["d0", "d1", "d2"]


def test_an_emulator_of_its_own_has_nothing_to_go_on_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ingest", "x.jsonl", *MODEL, "--out", "o.npy", "--resume", "--emulator"]) == 2
    assert "run `aiomlcommons emulator`, and pass its address with --url" in capsys.readouterr().err


def test_the_command_that_continues_a_job_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/aiomlcommons"])
    typed = ["ingest", "my file.jsonl", *MODEL, "--out", "o.npy", "--url", "https://me:secret@host:9200", "--id="]
    options = parser().parse_args(typed, argparse.Namespace(typed=typed))
    assert jobs.command(options) == (
        "aiomlcommons ingest 'my file.jsonl' --model all-MiniLM-L6-v2 --out o.npy "
        "--url https://host:9200 --id= --resume"
    )


@pytest.mark.asyncio
async def test_a_job_on_an_emulator_of_its_own_leaves_no_checkpoint(place: Place) -> None:
    words = ("ingest", place.write("in.jsonl", *documents(20)), *MODEL, "--out", "out.jsonl", "--emulator")
    for more in ((), ("--overwrite",)):
        code, out, err = await place.run_alone(*words, *more)
        assert (code, out.startswith("20 read = 20 written")) == (0, True), err
        assert place.files() == {"in.jsonl", "out.jsonl"}
    bad = place.write("bad.jsonl", *documents(20), {"id": "e", "text": ""})
    broken = ("ingest", bad, *MODEL, "--out", "bad.npy", "--emulator", "--max-failures", "0")
    for _ in range(2):
        code, _, err = await place.run_alone(*broken)
        assert (code, "TooManyFailures: 1 of 21 rows failed" in err, "progress is kept" in err) == (1, True, False)
        assert not [name for name in place.files() if "checkpoint" in name]
    retry = ("dead-letters", "retry", "bad.npy.dead.jsonl", *MODEL, "--out", "x.npy", "--emulator")
    code, _, err = await place.run_alone(*retry)
    assert (code, [name for name in place.files() if "checkpoint" in name]) == (3, []), err


@pytest.mark.asyncio
async def test_a_job_on_an_emulator_of_its_own_spares_an_interrupted_one(place: Place) -> None:
    words = ("ingest", place.write("in.jsonl", *documents()), *MODEL, "--out", "out.jsonl")
    await place.broken(*words)
    before = place.files()
    code, _, err = await place.run_alone(*words, "--emulator")
    assert (code, "belongs to an interrupted job" in err, place.files()) == (2, True, before)


@pytest.mark.asyncio
async def test_ctrl_c_ends_a_job_that_can_be_gone_on_with(place: Place) -> None:
    words = ("ingest", place.write("in.jsonl", *documents()), *MODEL, "--out", "out.jsonl", "--batch", "8")
    process: asyncio.subprocess.Process | None = None

    async def interrupt(_: Any, go: Any) -> Any:
        assert process is not None
        process.send_signal(signal.SIGINT)
        await asyncio.Event().wait()

    place.emulator.faults.add(interrupt, times=1, every=6)
    process = await place.process(*words)
    _, errors = await process.communicate()
    assert process.returncode == 130
    counts, note, command, last = errors.decode().splitlines()[-4:]
    assert re.fullmatch(r"so far: \d+ read, \d+ written, 0 deduplicated, 0 skipped, 0 failed", counts)
    assert (note, last) == ("progress is kept; this continues it:", "interrupted")
    assert command == shlex.join([sys.executable, "-m", "aiomlcommons", *words, "--url", place.url, "--resume"])
    place.asked.clear()
    code, report = await place.job(*words, "--resume")
    assert (code, report["written"]) == (0, ROWS)
    assert place.ids("out.jsonl") == [row["id"] for row in documents()]
    assert len(place.asked) < ROWS


@pytest.mark.asyncio
async def test_ctrl_c_ends_a_job_whose_index_is_away(place: Place, index: BulkServer) -> None:
    words = ("ingest", place.write("in.jsonl", *documents()), *MODEL, "--index", "docs", "--batch", "8")
    process: asyncio.subprocess.Process | None = None

    def interrupt(_: bytes) -> web.Response:
        assert process is not None
        if len(index.sizes) == 1:
            process.send_signal(signal.SIGINT)
        return answer(error("unavailable_shards_exception", "away", 503), 503, **{"retry-after": "500"})

    index.on_bulk = interrupt
    process = await place.process(*words)
    _, errors = await process.communicate()
    assert (process.returncode, errors.decode().splitlines()[-1]) == (130, "interrupted")
    index.on_bulk = lambda _: None
    code, report = await place.job(*words, "--resume")
    assert (code, report["written"]) == (0, ROWS)
    assert len(index.documents) == ROWS


# ---- outputs and options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["--out", "a.jsonl", "--index", "b"]])
@pytest.mark.parametrize("command", [["ingest", "in.jsonl"], ["dead-letters", "retry", "in.jsonl"]])
def test_a_job_wants_to_be_told_where_to(
    command: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command, *MODEL, *words, "--emulator"]) == 2
    assert "either --out FILE or --index NAME" in capsys.readouterr().err


@pytest.mark.asyncio
async def test_an_index_gets_documents_under_their_ids(place: Place, index: BulkServer) -> None:
    source = place.write("in.jsonl", *documents(30), {"id": "empty", "text": ""})
    code, report = await place.job("ingest", source, *MODEL, "--index", "docs", "--field", "vector")
    assert (code, report["dead_letters"]) == (3, "docs.dead.jsonl")
    assert sorted(index.documents) == sorted(row["id"] for row in documents(30))
    assert len(index.documents["d7"]["vector"]) == 384
    assert place.files() == {"in.jsonl", "docs.dead.jsonl"}


@pytest.mark.asyncio
async def test_a_job_that_is_under_way_keeps_its_checkpoint(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiomlcommons.ingest.state.seen_ids.BUSY", 0.0)
    words = ("ingest", place.write("in.jsonl", *documents()), *MODEL, "--out", "out.jsonl")
    await place.broken(*words)
    before = (place.folder / "out.jsonl.checkpoint").read_bytes()
    with closing(await asyncio.to_thread(SeenIds, place.folder / "out.jsonl.checkpoint.seen")):
        code, _, err = await place.run(*words, "--overwrite")
    assert (code, "JobUnderWay" in err) == (1, True)
    assert (place.folder / "out.jsonl.checkpoint").read_bytes() == before


@pytest.mark.asyncio
async def test_an_index_is_a_source_whose_documents_keep_their_ids(place: Place) -> None:
    books = Index([f"book {number}" for number in range(30)])

    async def action(request: Any, go: Any) -> Any:
        return await books.answer(request)

    place.emulator.faults.add(action, on=lambda http: http.path.startswith(("/books", "/_search")), times=None)
    words = ("ingest", "index:books", *MODEL, "--out", "books.jsonl")
    code, estimate = await place.job(*words, "--dry-run")
    assert (code, estimate["rows"]) == (0, 30)
    code, report = await place.job(*words)
    assert (code, report["written"], books.open) == (0, 30, {})
    assert [row["_id"] for row in place.rows("books.jsonl")] == sorted(books.ids)


@pytest.mark.asyncio
async def test_the_dead_letters_of_an_earlier_job_are_kept(place: Place, index: BulkServer) -> None:
    for name in "a", "b":
        source = place.write(f"{name}.jsonl", {"id": name, "text": ""})
        assert (await place.job("ingest", source, *MODEL, "--index", "docs"))[0] == 3
    assert (place.ids("docs.dead.jsonl.1"), place.ids("docs.dead.jsonl")) == (["a"], ["b"])
    assert index.writes == []


@pytest.mark.asyncio
async def test_a_file_has_vectors_under_the_name_that_is_wanted(place: Place) -> None:
    source = place.write("in.jsonl", {"text": "a"}, {"text": "b"})
    code, _ = await place.job("ingest", source, *MODEL, "--out", "out.jsonl", "--field", "v", "--id", "")
    assert (code, [len(row["v"]) for row in place.rows("out.jsonl")]) == (0, [384, 384])


def test_what_is_known_is_found_in_the_cache() -> None:
    plain = ["ingest", "in.jsonl", *MODEL, "--index", "i"]
    assert jobs.known(parser().parse_args(plain)) == {"cache": None, "skip_unchanged": False}
    typed = parser().parse_args([*plain, "--cache", "v.sqlite", "--skip-unchanged"])
    assert jobs.known(typed) == {"cache": "v.sqlite", "skip_unchanged": True}


def test_what_is_typed_is_how_the_job_is_done() -> None:
    plain = parser().parse_args(["ingest", "in.jsonl", *MODEL, "--out", "o.npy"])
    assert jobs.how(plain) == {
        "text": "text",
        "text_default": None,
        "content_type": None,
        "id": "id",
        "batch": 64,
        "batch_bytes": 1_000_000,
        "concurrency": (1, 64),
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "ordered": True,
        "max_chars": None,
        "linger": None,
        "stall_timeout": 600.0,
        "retry_budget": 100,
        "redeploy": True,
        "checkpoint_every": 64,
        "max_failures": None,
        "overwrite": False,
        "ids": None,
    }
    words = "--batch 8 --batch-bytes 900 --concurrency 2-3 --unordered --max-chars 70 --linger 0.5 --stall-timeout 9"
    words += " --retry-budget 0 --checkpoint-every 5 --requests-per-minute 60 --tokens-per-minute 99 --no-redeploy"
    words += " --max-failures 0.5 --overwrite --ids auto --text {title} --text-default=- --content-type passage --id"
    typed = parser().parse_args(["ingest", "in.jsonl", *MODEL, "--out", "o.npy", *words.split(), ""])
    assert jobs.how(typed) == {
        "text": "{title}",
        "text_default": "-",
        "content_type": "passage",
        "id": None,
        "batch": 8,
        "batch_bytes": 900,
        "concurrency": (2, 3),
        "requests_per_minute": 60,
        "tokens_per_minute": 99,
        "ordered": False,
        "max_chars": 70,
        "linger": 0.5,
        "stall_timeout": 9.0,
        "retry_budget": 0,
        "redeploy": False,
        "checkpoint_every": 5,
        "max_failures": 0.5,
        "overwrite": True,
        "ids": "auto",
    }


@pytest.mark.asyncio
async def test_long_texts_are_split_and_estimated_as_their_chunks(place: Place) -> None:
    source = place.write("in.jsonl", {"id": "a", "text": "one two three"}, {"id": "b", "text": "four"})
    words = ("ingest", source, *MODEL, "--out", "o.jsonl", "--chunk-chars", "8")
    code, found = await place.job(*words, "--chunk-overlap", "3", "--dry-run")
    assert (code, found["rows"], found["sampled"]) == (0, 3, 3)
    code, _ = await place.job(*words)
    assert (code, place.ids("o.jsonl")) == (0, ["a#0", "a#1", "b#0"])
    code, _, err = await place.run("ingest", source, *MODEL, "--out", "p.jsonl", "--chunk-overlap", "3")
    assert (code, "--chunk-overlap is for chunks: pass --chunk-chars N too" in err) == (2, True)


@pytest.mark.asyncio
async def test_several_sources_and_globs_are_one_job_that_is_gone_on_with(place: Place) -> None:
    for first in range(0, ROWS, 50):
        place.write(f"in-{first:03}.jsonl", *documents()[first : first + 50])
    place.write("more.jsonl", {"id": "more", "text": "one more"})
    words = ("ingest", "in-*.jsonl", "more.jsonl", *MODEL, "--out", "out/o.jsonl")
    (place.folder / "out").mkdir()
    await place.broken(*words)
    code, report = await place.job(*words, "--resume")
    assert (code, report["written"]) == (0, ROWS + 1)
    assert place.ids("out/o.jsonl") == [*(row["id"] for row in documents()), "more"]
    code, _, err = await place.run("ingest", "no-*.jsonl", *MODEL, "--out", "o.jsonl")
    assert (code, "no file matches: 'no-*.jsonl'" in err) == (1, True)
    for alone in ("-", "index:verses"):
        code, _, err = await place.run("ingest", "more.jsonl", alone, *MODEL, "--out", "o.jsonl")
        assert (code, f"{alone} cannot be one of several sources: give it alone" in err) == (2, True)


@pytest.mark.asyncio
async def test_a_text_may_stand_for_missing_fields(place: Place) -> None:
    source = place.write("in.jsonl", {"id": "a", "title": "Chair", "size": None}, {"id": "b", "title": "Table"})
    words = ("--text", "{title} {size}", "--text-default", "?", "--max-chars", "7")
    code, report = await place.job("ingest", source, *MODEL, "--out", "o.jsonl", *words)
    assert (code, report["written"]) == (0, 2)


@pytest.mark.asyncio
async def test_how_a_file_of_text_is_read_is_told_by_options(place: Place) -> None:
    (place.folder / "in.csv").write_text("1\t'a\tü\n2\tb\t\"c\n", encoding="latin-1")
    words = ("--delimiter", "\\t", "--quoting", "none", "--encoding", "latin-1", "--header", "id,text,more")
    code, report = await place.job("ingest", "in.csv", *MODEL, "--out", "o.jsonl", *words)
    assert (code, report["written"]) == (0, 2)
    rows = [{name: row[name] for name in ("id", "text", "more")} for row in place.rows("o.jsonl")]
    assert rows == [{"id": "1", "text": "'a", "more": "ü"}, {"id": "2", "text": "b", "more": '"c'}]
    others = ("--delimiter", "tab", "--encoding", "latin-1", "--no-header", "--text", "column_2", "--id", "column_1")
    code, report = await place.job("ingest", "in.csv", *MODEL, "--out", "n.jsonl", *others)
    assert (code, [row["column_3"] for row in place.rows("n.jsonl")]) == (0, ["ü", '"c'])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("source", "words", "code", "said"),
    [
        ("in.jsonl", ("--delimiter", ";"), 1, "in.jsonl cannot be read with delimiter"),
        ("in.jsonl", ("--no-header",), 1, "in.jsonl cannot be read with header"),
        ("index:docs", ("--encoding", "utf-16"), 2, "--encoding: only for files of text, not for an index"),
    ],
)
async def test_an_option_that_the_source_does_not_have_is_refused(
    place: Place, source: str, words: Sequence[str], code: int, said: str
) -> None:
    for name in ("in.jsonl", "in.csv"):
        place.write(name)
    found, out, err = await place.run("ingest", source, *MODEL, "--out", "o.jsonl", *words)
    assert (found, out, said in err) == (code, "", True)


@pytest.mark.asyncio
async def test_every_option_is_one_that_a_job_knows(place: Place) -> None:
    source = place.write("in.jsonl", *documents(20), {"id": "long", "text": "x" * 71})
    words = "--batch 8 --batch-bytes 900 --concurrency 2 --unordered --max-chars 70 --linger 5"
    words += " --stall-timeout 9 --retry-budget 40"
    code, report = await place.job(
        "ingest", source, *MODEL, "--out", "o.jsonl", *words.split(), "--checkpoint-every", "5"
    )
    assert (code, report["written"], report["failed"], report["requests"]) == (3, 20, 1, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--concurrency", "4-2"), "must be like 4 or 1-64, not '4-2'"),
        (("--concurrency", "0"), "must be 1 or more, not 0"),
        (("--retry-budget", "-1"), "must be 0 or more, not -1"),
        (("--concurrency", "4-"), "must be a whole number, not ''"),
        (("--batch", "many"), "must be a whole number, not 'many'"),
        (("--stall-timeout", "-1"), "must be a number of seconds, not '-1'"),
        (("--linger", "nan"), "must be a number of seconds, not 'nan'"),
        (("--linger", "soon"), "must be a number of seconds, not 'soon'"),
        (("--max-failures", "1.5"), "must be a whole number, a share like 0.05, or inf, not '1.5'"),
        (("--max-failures", "-1"), "must be a whole number, a share like 0.05, or inf, not '-1'"),
        (("--max-failures", "nan"), "must be a whole number, a share like 0.05, or inf, not 'nan'"),
    ],
)
def test_a_number_that_cannot_be_is_refused_by_name(
    words: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["ingest", "in.jsonl", *MODEL, "--out", "o.npy", *words])
    assert end.value.code == 2
    assert f"argument {words[0]}: {message}" in capsys.readouterr().err


# ---- dry runs --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_dry_run_measures_and_writes_nothing(place: Place) -> None:
    source = place.write("in.jsonl", {"id": "d", "text": ""}, *documents(500), {"id": "e"}, "no object")
    words = ("ingest", source, *MODEL, "--out", "out.npy", "--dry-run", "--sample", "201")
    code, out, _ = await place.run(*words, "--json")
    assert (code, place.files()) == (0, {"in.jsonl"})
    found = orjson.loads(out)
    assert (found["rows"], found["sampled"], found["written"], found["failed"]) == (503, 201, 200, 1)
    assert found["faulty"] == {
        "its text is empty": 1,
        "it has no field 'text'": 1,
        "not a JSON object but str": 1,
    }
    assert found["reasons"] == {"its text is empty": 1}
    assert found["rate"] > 0
    assert found["seconds"] == pytest.approx(found["sampling"] * 503 / 201)
    ids = "".join(f'{{"row":{number + 1},"id":"d{number}"}}\n' for number in range(200))
    assert found["size"] == round((128 + 200 * 384 * 4 + len(ids)) * 503 / 201)
    code, out, _ = await place.run(*words)
    lines = [line.split()[0] for line in out.splitlines()]
    assert lines == ["rows", "1", "1", "1", "sample", "1", "documents/s", "time", "output"]
    assert (code, place.files()) == (0, {"in.jsonl"})


@pytest.mark.asyncio
async def test_a_dry_run_leaves_a_job_that_was_broken_off_alone(place: Place) -> None:
    words = ("ingest", place.write("in.jsonl", *documents()), *MODEL, "--out", "out.jsonl")
    await place.broken(*words)
    before = {path: path.read_bytes() for path in place.folder.iterdir()}
    assert (await place.run(*words, "--dry-run"))[0] == 0
    assert {path: path.read_bytes() for path in place.folder.iterdir()} == before


@pytest.mark.asyncio
async def test_a_dry_run_neither_makes_nor_fills_an_index(place: Place, index: BulkServer) -> None:
    words = ("ingest", place.write("in.jsonl", *documents(30)), *MODEL, "--index", "docs", "--dry-run")
    code, out, _ = await place.run(*words, "--json")
    found = orjson.loads(out)
    assert (code, found["rows"], found["written"]) == (0, 30, 30)
    assert found["size"] > 30 * 384
    assert (index.index, {*index.heard}) == (None, {"GET /docs/_mapping"})
    index.index = knn(7)
    code, _, err = await place.run(*words)
    assert (code, "is of dimension 7, and these vectors of 384" in err) == (1, True)
    assert {*index.heard} == {"GET /docs/_mapping", "GET /docs/_settings"}


# ---- dead letters ----------------------------------------------------------------------------------------------------


def letter(number: int, text: str, key: str | None = "") -> bytes:
    document = {"id": f"d{number}", "text": text}
    return DeadLetter(number, f"d{number}" if key == "" else key, "the model was away", document).line()


BAD = DeadLetter(9, None, "in.jsonl, line 10: not JSON", BadRow("not JSON", "in.jsonl, line 10", "{")).line()


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """Write 61 dead letters, of which three fail for good."""
    path = tmp_path / "docs.dead.jsonl"
    lines = [letter(number, "" if number in {7, 30} else f"text number {number}") for number in range(60)]
    path.write_bytes(b"".join([*lines[:20], BAD, *lines[20:]]))
    return path


FAIL = ["d7", None, "d30"]
GOOD = [f"d{number}" for number in range(60) if number not in {7, 30}]


def test_dead_letters_are_counted_by_reason(dead: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead.write_bytes(dead.read_bytes() + DeadLetter(70, "d70", "its text has 9,000 characters", {"id": "d70"}).line())
    dead.write_bytes(dead.read_bytes() + DeadLetter(71, "d71", "its text has 8,500 characters", {"id": "d71"}).line())
    assert cli.main(["dead-letters", "list", str(dead), "--examples", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"63 dead letters in {dead}",
        "",
        "     60  the model was away",
        '         row 0, id d0: {"id":"d0","text":"text number 0"}',
        "",
        "      2  its text has N characters",
        '         row 70, id d70: {"id":"d70"}',
        "",
        "      1  not JSON",
        "         in.jsonl, line 10: {",
    ]
    assert cli.main(["dead-letters", "list", str(dead), "--json"]) == 0
    said = orjson.loads(capsys.readouterr().out)
    assert (said["dead_letters"], [reason["count"] for reason in said["reasons"]]) == (63, [60, 2, 1])
    assert [example["id"] for example in said["reasons"][1]["examples"]] == ["d70", "d71"]


def test_a_file_of_something_else_is_named(dead: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead.write_bytes(BAD + b'{"id": "a", "text": "b"}\n')
    assert cli.main(["dead-letters", "list", str(dead)]) == 1
    assert f"SourceError: {dead}, line 2 is not a dead letter" in capsys.readouterr().err


@pytest.mark.asyncio
async def test_a_retry_leaves_what_still_fails(place: Place, dead: Path) -> None:
    words = ("dead-letters", "retry", dead.name, *MODEL, "--out", "more.jsonl")
    code, report = await place.job(*words)
    assert (code, report["written"], report["failed"], report["dead_letters"]) == (3, 58, 3, dead.name)
    assert place.ids("more.jsonl") == GOOD
    left = place.rows(dead.name)
    assert [(one["row"], one["id"], one["why"]) for one in left] == [
        (7, "d7", "its text is empty"),
        (9, None, "in.jsonl, line 10: not JSON"),
        (30, "d30", "its text is empty"),
    ]
    assert left[1]["bad_row"] == {"why": "not JSON", "where": "in.jsonl, line 10", "raw": "{"}
    assert place.files() == {dead.name, "more.jsonl"}


@pytest.mark.asyncio
async def test_a_finished_retry_is_found_done(place: Place, dead: Path) -> None:
    words = ("dead-letters", "retry", dead.name, *MODEL, "--out", "more.jsonl")
    await place.job(*words)
    before, place.asked = place.files(), []
    code, out, _ = await place.run(*words, "--resume")
    assert (code, "the retry had finished already; 3 dead letters are left" in out) == (3, True)
    await asyncio.to_thread(dead.unlink)
    code, out, _ = await place.run(*words, "--resume")
    assert (code, "0 dead letters are left" in out) == (0, True)
    assert (place.files() | {dead.name}, place.asked) == (before, [])


@pytest.mark.asyncio
async def test_a_retry_that_leaves_nothing_leaves_no_file(place: Place, index: BulkServer) -> None:
    # A document that failed under its row number is written under that, not under the number of its dead letter.
    (place.folder / "docs.dead.jsonl").write_bytes(letter(1, "one", "801") + letter(2, "two", "4"))
    code, report = await place.job("dead-letters", "retry", "docs.dead.jsonl", *MODEL, "--index", "docs")
    assert (code, report["written"], report["dead_letters"]) == (0, 2, None)
    assert sorted(index.documents) == ["4", "801"]
    assert place.files() == set()


@pytest.mark.asyncio
async def test_a_dead_letter_without_an_id_has_the_one_that_was_put_into_it(place: Place) -> None:
    lines = [orjson.loads(letter(1, "one", None)), orjson.loads(letter(2, "two", None))]
    del lines[1]["document"]["id"]
    words = ("dead-letters", "retry", place.write("a.dead.jsonl", *lines), *MODEL, "--out", "more.jsonl")
    code, _ = await place.job(*words)
    assert (code, place.ids("more.jsonl")) == (3, ["d1"])
    assert [one["why"] for one in place.rows("a.dead.jsonl")] == ["it has no field 'id'"]


@pytest.mark.asyncio
async def test_an_interrupted_retry_loses_no_dead_letter(place: Place, dead: Path) -> None:
    words = ("dead-letters", "retry", dead.name, *MODEL, "--out", "more.jsonl")
    before = dead.read_bytes()
    await place.broken(*words, after=5)
    assert dead.read_bytes() == before
    code, _, err = await place.run(*words)
    assert (code, "pass --resume to continue it, or --overwrite to begin anew" in err) == (2, True)
    code, report = await place.job(*words, "--resume")
    assert (code, report["written"], report["failed"]) == (3, 58, 3)
    assert (place.ids("more.jsonl"), place.ids(dead.name)) == (GOOD, FAIL)
    assert place.files() == {dead.name, "more.jsonl"}


@pytest.mark.parametrize("step", ["commit", "clean_up"])
@pytest.mark.asyncio
async def test_a_retry_that_ends_between_its_last_steps_has_done_all_of_it(
    place: Place, dead: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left")

    words = ("dead-letters", "retry", dead.name, *MODEL, "--out", "more.jsonl")
    before = dead.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(RetryFiles, step, full)
        assert (await place.run(*words))[0] == 1
    assert (dead.read_bytes() == before) is (step == "commit")
    place.asked.clear()
    assert (await place.run(*words, "--resume"))[0] == 3
    assert (place.ids("more.jsonl"), place.ids(dead.name), place.asked) == (GOOD, FAIL, [])
    assert place.files() == {dead.name, "more.jsonl"}


@pytest.mark.parametrize("removed", range(4))
@pytest.mark.asyncio
async def test_a_retry_that_ends_while_it_tidies_up_loses_no_dead_letter(
    place: Place, dead: Path, removed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All fail again for the same reasons, so that the new file equals the old one."""
    words = ("dead-letters", "retry", dead.name, *MODEL, "--out", "more.jsonl")
    await place.job(*words)
    before = dead.read_bytes()
    (place.folder / "more.jsonl").unlink()
    unlink, left = Path.unlink, [removed]

    def full(path: Path, missing_ok: bool = False) -> None:
        if path.name.startswith(f"{dead.name}."):
            if not left[0]:
                raise OSError("the disk is gone")
            left[0] -= 1
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", full)
        await place.run(*words)
    code, out, _ = await place.run(*words, "--resume", "--json")
    assert (code, orjson.loads(out)["failed"], dead.read_bytes() == before) == (3, 3, True)
    assert place.files() == {dead.name, "more.jsonl"}


@pytest.mark.asyncio
async def test_a_retry_that_is_killed_again_and_again_loses_no_dead_letter(place: Place, dead: Path) -> None:
    words = (
        "dead-letters",
        "retry",
        dead.name,
        *MODEL,
        "--out",
        "more.jsonl",
        "--batch",
        "4",
        "--checkpoint-every",
        "1",
    )
    before = dead.read_bytes()
    process: asyncio.subprocess.Process | None = None

    async def kill(_: Any, go: Any) -> Any:
        assert process is not None
        process.kill()
        return await go()

    for number in (1, 4, 6):
        place.emulator.faults.add(kill, times=1, every=number)
        process = await place.process(*words, "--resume")
        await process.communicate()
        assert (process.returncode, dead.read_bytes() == before) == (-signal.SIGKILL, True)
    code, report = await place.job(*words, "--resume")
    assert (code, report["read"], report["written"]) == (3, 61, 58)
    assert (place.ids("more.jsonl"), place.ids(dead.name)) == (GOOD, FAIL)


@pytest.mark.asyncio
async def test_a_retry_does_not_replace_the_output_of_the_job(place: Place, dead: Path) -> None:
    place.write("docs.jsonl", {"id": "dear"})
    before = dead.read_bytes()
    code, _, err = await place.run("dead-letters", "retry", dead.name, *MODEL, "--out", "docs.jsonl")
    assert (code, "docs.jsonl exists already" in err, "name another file" in err) == (2, True, True)
    assert (place.ids("docs.jsonl"), dead.read_bytes() == before) == (["dear"], True)


@pytest.mark.asyncio
async def test_the_dead_letters_of_a_job_that_is_not_finished_are_left_to_it(place: Place) -> None:
    words = ("ingest", place.write("in.jsonl", {"id": "e", "text": ""}, *documents()), *MODEL, "--out", "out.npy")
    await place.broken(*words)
    code, _, err = await place.run("dead-letters", "retry", "out.npy.dead.jsonl", *MODEL, "--out", "more.npy")
    assert (code, "the job that writes out.npy.dead.jsonl is not finished" in err) == (2, True)
    assert place.ids("out.npy.dead.jsonl") == ["e"]


@pytest.mark.asyncio
async def test_a_finished_job_that_is_found_done_does_not_cut_dead_letters_that_were_retried(place: Place) -> None:
    ingest = ("ingest", place.write("in.jsonl", {"id": "e", "text": ""}), *MODEL, "--out", "out.npy")
    await place.job(*ingest)
    retried = DeadLetter(0, "e", "another reason, which is longer than the one before", {"id": "e", "text": ""}).line()
    (place.folder / "out.npy.dead.jsonl").write_bytes(retried)
    await place.job(*ingest, "--resume")
    assert (place.folder / "out.npy.dead.jsonl").read_bytes() == retried
