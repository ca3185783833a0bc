"""A job of the command line into an index of the embedded emulator, and of one that is served."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from aiomlcommons import Session, cli, emulator
from tests.support.pipeline_server import pipeline_server

MODEL = ("--model", "all-MiniLM-L6-v2")


@pytest.fixture(autouse=True)
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "USERNAME", "PASSWORD", "CA_CERTS"):
        monkeypatch.delenv(f"OPENSEARCH_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    lines = [orjson.dumps({"id": f"d{number}", "text": f"text number {number}"}) for number in range(50)]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(lines))


def test_a_job_on_the_embedded_emulator_fills_an_index(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ingest", "in.jsonl", *MODEL, "--index", "docs", "--emulator"]) == 0
    assert "50 read = 50 written" in capsys.readouterr().out


def test_a_job_of_which_nothing_is_written_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.jsonl").write_bytes(b"id,text\n1,a\n2,b\n")
    assert cli.main(["ingest", "other.jsonl", *MODEL, "--index", "docs", "--emulator"]) == 3
    assert "nothing was written; the first reason: other.jsonl, line 1: not JSON" in capsys.readouterr().err


@pytest.mark.asyncio
async def test_an_index_of_a_served_emulator_is_filled_searched_and_read(tmp_path: Path) -> None:
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        run = (*MODEL, "--url", url)
        assert await asyncio.to_thread(cli.main, ["ingest", "in.jsonl", "--index", "docs", *run]) == 0
        vector = (await ml.embed_one(await model_of(ml), "text number 7")).tolist()
        query = {"size": 1, "query": {"knn": {"embedding": {"vector": vector, "k": 1}}}}
        (hit,) = (await ml.request("POST", "/docs/_search", body=query)).json()["hits"]["hits"]
        assert (hit["_id"], hit["_score"]) == ("d7", pytest.approx(1))
        assert await asyncio.to_thread(cli.main, ["ingest", "index:docs", "--out", "out.jsonl", *run]) == 0
    lines = await asyncio.to_thread((tmp_path / "out.jsonl").read_bytes)
    assert {orjson.loads(line)["id"] for line in lines.splitlines()} == {f"d{number}" for number in range(50)}


@pytest.mark.asyncio
async def test_an_index_is_made_as_it_is_asked_for_and_has_its_replicas_back() -> None:
    asked = ("--engine", "lucene", "--method", "hnsw", "--space", "l2", "--replicas-off")
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        words = ["ingest", "in.jsonl", *MODEL, "--index", "docs", "--url", url, *asked]
        assert await asyncio.to_thread(cli.main, words) == 0
        made = await ml.indices.get("docs")
        method = made["docs"].mappings["properties"]["embedding"]["method"]
        assert (method["engine"], method["name"], method["space_type"]) == ("lucene", "hnsw", "l2")
        assert made["docs"].settings["index"]["number_of_replicas"] == "1"


def test_what_is_for_an_index_is_refused_for_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ingest", "in.jsonl", *MODEL, "--out", "out.npy", "--replicas-off", "--emulator"]) == 2
    assert "--replicas-off is for an index: pass --index NAME instead of --out" in capsys.readouterr().err
    assert cli.main(["ingest", "in.jsonl", *MODEL, "--index", "docs", "--space", "cosine", "--emulator"]) == 1
    assert "space_type: there is no 'cosine'; did you mean 'cosinesimil'" in capsys.readouterr().err


async def model_of(ml: Session) -> str:
    return (await ml.models.ensure(MODEL[1])).model_id


@pytest.mark.asyncio
async def test_a_server_embeds_by_a_pipeline_where_no_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    async with pipeline_server() as server:
        words = ["ingest", "in.jsonl", "--index", "docs", "--pipeline", "p", "--url", server.url]
        assert await asyncio.to_thread(cli.main, words) == 0
        assert len(server.documents) == 50
        assert all("embedding" in document for document in server.documents.values())
        Path("dead.jsonl").write_bytes(dumped_dead_letter("again", {"id": "again", "text": "a text at last"}))
        words = ["dead-letters", "retry", "dead.jsonl", "--index", "docs", "--pipeline", "p", "--url", server.url]
        assert await asyncio.to_thread(cli.main, words) == 0
        assert "embedding" in server.documents["again"]
    assert "50 read = 50 written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--out", "o.jsonl", "--pipeline", "p", *MODEL), "--pipeline is for an index"),
        (("--out", "o.jsonl"), "pass --model MODEL: only the documents of an index"),
        (("--index", "docs", "--pipeline", "p", "--dry-run"), "--dry-run needs --model"),
    ],
)
def test_what_a_pipeline_cannot_be_used_for_is_said(
    words: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ingest", "in.jsonl", *words]) == 2
    assert why in capsys.readouterr().err


def dumped_dead_letter(key: str, document: dict[str, str]) -> bytes:
    return orjson.dumps({"row": 0, "id": key, "why": "?", "document": document}) + b"\n"
