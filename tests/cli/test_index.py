"""A job of the command line into an index of the embedded emulator, and of one that is served."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from aiomlcommons import Session, cli, emulator

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


async def model_of(ml: Session) -> str:
    return (await ml.models.ensure(MODEL[1])).model_id
