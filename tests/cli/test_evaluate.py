"""``aiomlcommons evaluate``: the table, JSON, the plot and the exit code, and what is wrong with the systems."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from aiomlcommons import cli
from tests.cli.example_world import DENSE, example_world

FILES = ("queries.jsonl", "judgments.tsv")
OLD, NEW = f"old=docs,model={DENSE},text-field=text", f"new=docs,model={DENSE},hybrid=false,k=7,field=embedding"


@pytest.mark.asyncio
async def test_systems_are_measured_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    async def run(*words: str) -> int:
        return await asyncio.to_thread(cli.main, ["evaluate", *FILES, *words, "--url", world.url])

    async with example_world(tmp_path) as world:
        assert await run("--system", OLD, "--system", NEW, "--k", "1,3", "--require", "recall@5 >= 0.5") == 0
        got = capsys.readouterr()
        titles, first, *_ = got.out.splitlines()
        assert titles.split()[:3] == ["metric", "old", "new"]
        assert first.split()[:3] == ["recall@1", "1.0000", "1.0000"]
        assert "recall@5" in got.out  # which is required

        # Of documents that are none: the last system is the one that is to be as required.
        required = ("--require", "ndcg@10 >= old + 0.5", "--require", "mrr@10 >= 0")
        assert await run("--system", OLD, "--system", NEW, *required, "--json") == 5
        got = capsys.readouterr()
        data = orjson.loads(got.out)
        assert data["failed"][0].startswith("ndcg@10 >= old + 0.5: ndcg@10 of new is 1.0000")
        assert got.err == f"not as required: {data['failed'][0]}\n"
        assert set(data["by_query"]) == {"q1", "q2"}

        assert await run("--system", "old=dogs") == 1
        assert "NotSearchable: there is no index 'dogs'" in capsys.readouterr().err


def test_a_plot_is_written_beside_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def world() -> str:
        async with example_world(tmp_path) as found:
            words = [str(tmp_path / file) for file in FILES]
            words += ["--system", OLD, "--url", found.url, "--plot", str(tmp_path / "old.svg")]
            assert await asyncio.to_thread(cli.main, ["evaluate", *words]) == 0
        return (tmp_path / "old.svg").read_text()

    assert "</svg>" in asyncio.run(world())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--system", "docs"], "--system must be like new=docs-2,model=MODEL, not 'docs'"),
        (["--system", "=docs"], "--system must be like new=docs-2,model=MODEL, not '=docs'"),
        (["--system", "a=model=m"], "--system must be like new=docs-2,model=MODEL, not 'a=model=m'"),
        (["--system", "a=docs,modl=m"], "there is no option 'modl'; did you mean 'model'?"),
        (["--system", "a=docs,model=m,other"], "there is no option 'other'; there are model, field,"),
        (["--system", "a=docs,model="], "--system 'a=docs,model=': model is empty"),
        (["--system", "a=docs,hybrid=yes"], "hybrid must be true or false, not 'yes'"),
        (["--system", "a=docs,k=0"], "k must be a whole number from 1 on, not '0'"),
        (["--system", "a=docs", "--system", "a=cats"], "there are two systems 'a': give each a name of its own"),
        (["--system", "a=docs", "--require", "ndcg >= 1"], "--require: 'ndcg >= 1': ndcg takes a number of hits"),
        (["--system", "a=docs", "--require", "ndcg@1 >= b"], "--require: 'ndcg@1 >= b': there is no system 'b'"),
        (["--system", "a=docs", "--k", "1,x"], "must be a whole number, not 'x'"),
        ([], "the following arguments are required: --system"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_sent(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.main(["evaluate", *FILES, *words, "--url", "http://127.0.0.1:9"])
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == 2
    assert says in " ".join(capsys.readouterr().err.split())
